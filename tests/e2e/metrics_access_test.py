"""Metrics over HTTPS, for those whom a real API server lets read them."""

import ssl
import subprocess
import urllib.error
import urllib.request

from afflictions import RIGHTS, grant
from crew import SCALED
from space import beats, eventually
from stories import lone_story

_GROUP = "/apis/rbac.authorization.k8s.io/v1"


def token_of(space, account):
    """A new one of the service account of that name, which is made if need be."""
    core = f"/api/v1/namespaces/{space.name}/serviceaccounts"
    made = space.rest.post(core, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}})
    assert made.code in (201, 409), made
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    reply = space.rest.post(f"{core}/{account}/token", asked)
    assert reply.code == 201, reply
    return reply.body["status"]["token"]


def may_get_metrics(space, account):
    """Makes the API server say so."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "reads-metrics"},
            "rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
               "metadata": {"name": "reads-metrics"},
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reads-metrics"},
               "subjects": [{"kind": "ServiceAccount", "namespace": space.name, "name": account}]}
    for plural, made in (("clusterroles", role), ("clusterrolebindings", binding)):
        assert space.rest.post(f"{_GROUP}/{plural}", made).code == 201


class Reader:
    """A client that trusts only that certificate, and shows that token."""

    def __init__(self, controller, certificate, token=None):
        self._origin = f"https://{controller.metrics_address}"
        self._context = ssl.create_default_context(cafile=certificate)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path):
        """(code, text)"""
        asked = urllib.request.Request(self._origin + path, headers=self._headers)
        try:
            with urllib.request.urlopen(asked, timeout=10, context=self._context) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()


def issue(folder):
    """A certificate for this machine, in the files that a Secret would have; returns its path."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=metrics", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", folder / "tls.key", "-out", folder / "tls.crt"], check=True, capture_output=True)
    return folder / "tls.crt"


@lone_story
def test_secure_metrics_are_for_those_whom_the_api_server_lets_read_them(space):
    certificate = issue(space.dir / "certificate")
    controller = space.controller("--metrics-secure", "--metrics-cert-path", certificate.parent, config=SCALED)
    space.create("asked-for", beats(60))
    prometheus, nobody = token_of(space, "prometheus"), token_of(space, "nobody")
    may_get_metrics(space, "prometheus")
    # The API server takes a moment to know of new rights, and a no counts for ten seconds.
    eventually(lambda: Reader(controller, certificate, prometheus).get("/metrics")[0] == 200, 30)
    assert "\njobrun_build_info{" in Reader(controller, certificate, prometheus).get("/metrics")[1]
    assert Reader(controller, certificate, nobody).get("/metrics")[0] == 403
    assert Reader(controller, certificate).get("/metrics")[0] == 401
    assert Reader(controller, certificate, "eyJhbGciOiJSUzI1NiJ9.not.good").get("/metrics")[0] == 401

    explain = f"/debug/explain?run={space.name}/asked-for"
    assert Reader(controller, certificate, prometheus).get(explain)[0] == 403
    grant(space.rest, space.name, f"system:serviceaccount:{space.name}:nobody", RIGHTS)
    reader = Reader(controller, certificate, token_of(space, "nobody"))
    eventually(lambda: reader.get(explain)[0] == 200, 30)
    assert f"{space.name}/asked-for" in reader.get(explain)[1]

    # Whoever was let in a moment ago is let in while nobody can be asked; nobody else is.
    space.server.kill()
    assert Reader(controller, certificate, prometheus).get("/metrics")[0] == 200
    assert Reader(controller, certificate, "never-seen").get("/metrics")[0] == 503
    space.server.restart()
    space.rest.close()

    # The files may be replaced at any time.
    renewed = issue(certificate.parent)
    assert Reader(controller, renewed, prometheus).get("/metrics")[0] == 200
