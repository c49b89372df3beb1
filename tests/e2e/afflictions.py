"""What may be wrong between a controller and its API server. Each returns (kubeconfig, mend, said): what to start the
controller with, what makes it well again, and what its complaint must name.

On the real server the trouble is real; the dev server takes every request, so there a gate refuses them.
"""

import shutil
import threading

import pki
import servers
from gate import write_kubeconfig
from space import eventually

_GROUP = "/apis/rbac.authorization.k8s.io/v1"
_CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/jobruns.jobrun.dev"
_CA = threading.Lock()  # It counts its certificates in a file.
_MISSING = ("JobRuns", "crds/jobruns.yaml")
_READ = {"apiGroups": ["jobrun.dev"], "resources": ["jobruns"], "verbs": ["get", "list", "watch"]}
_WRITE = {"apiGroups": ["jobrun.dev"], "resources": ["jobruns/status"], "verbs": ["patch"]}


def bad_token(space):
    """A token file with a token that the server does not take; then a good one in the same file."""
    token_file = space.dir / "token"
    token_file.write_text("eyJhbGciOiJSUzI1NiJ9.not.good")
    if space.server.name == "kube":
        good = _service_account_token(space)
        url, cluster = space.server.url, {"certificate-authority": space.server.ca_file}
    else:
        good = "good"
        gate = space.gate(pki_dir=space.dir / "pki")  # No token is sent where everybody can read it.
        gate.refuse(401, "Unauthorized", lambda method, path, headers: headers["Authorization"] != "Bearer good")
        url, cluster = gate.url, {"certificate-authority": str(space.dir / "pki" / "ca.crt")}
    kubeconfig = write_kubeconfig(space.dir / "token.kubeconfig", url, cluster, {"tokenFile": str(token_file)})
    return kubeconfig, lambda: token_file.write_text(good), ("401", str(token_file))


def no_right_to_read(space):
    if space.server.name == "kube":
        user = f"{space.name}-reader"
        return (_kubeconfig_for(space, user), lambda: _grant(space, user, [_READ, _WRITE]),
                ("forbidden", user, "jobruns"))
    gate = space.gate()
    lift = gate.refuse(403, 'jobruns.jobrun.dev is forbidden: User "dev-user" cannot watch resource "jobruns"')
    return gate.kubeconfig, lift, ("forbidden", "dev-user", "jobruns")


def no_right_to_write(space):
    if space.server.name == "kube":
        user = f"{space.name}-writer"
        _grant(space, user, [_READ])
        return (_kubeconfig_for(space, user), lambda: _grant(space, user, [_READ, _WRITE]),
                ("forbidden", user, "jobruns/status"))
    gate = space.gate()
    lift = gate.refuse(403, 'jobruns.jobrun.dev "unwritable" is forbidden: User "dev-user" cannot patch resource '
                            '"jobruns/status"', lambda method, path, headers: method == "PATCH")
    return gate.kubeconfig, lift, ("forbidden", "dev-user", "jobruns/status")


def wrong_ca(space):
    """The CA file of another cluster; then the right one in the same file."""
    ca_file = space.dir / "ca.crt"
    pki.create(space.dir / "other")
    shutil.copy(space.dir / "other" / "ca.crt", ca_file)
    gate = space.gate(pki_dir=space.dir / "pki")
    kubeconfig = write_kubeconfig(space.dir / "ca.kubeconfig", gate.url, {"certificate-authority": str(ca_file)})
    return kubeconfig, lambda: shutil.copy(space.dir / "pki" / "ca.crt", ca_file), ("certificate", gate.url)


def resource_missing(space):
    if space.server.name == "kube":
        assert space.rest.delete(_CRD).code == 200
        eventually(lambda: space.rest.get(space.runs).code == 404, 15)  # It is served for a moment longer.
        return space.server.kubeconfig, lambda: servers.install_crd(space.rest), _MISSING
    gate = space.gate()
    lift = gate.refuse(404, "the server could not find the requested resource",
                       lambda method, path, headers: "/apis/jobrun.dev/" in path)
    return gate.kubeconfig, lift, _MISSING


def _kubeconfig_for(space, user):
    with _CA:
        return space.server.kubeconfig_for(user)


def _grant(space, user, rules):
    """Gives the user these rights in the namespace, or other ones than before."""
    roles = f"{_GROUP}/namespaces/{space.name}/roles"
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": user}, "rules": rules}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": user},
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
               "subjects": [_subject(user)]}
    if space.rest.post(roles, role).code == 409:
        assert space.rest.put(f"{roles}/{user}", role).code == 200
    assert space.rest.post(f"{_GROUP}/namespaces/{space.name}/rolebindings", binding).code in (201, 409)


def _subject(user):
    if user.startswith("system:serviceaccount:"):
        _, _, namespace, name = user.split(":")
        return {"kind": "ServiceAccount", "namespace": namespace, "name": name}
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}


def _service_account_token(space):
    accounts = f"/api/v1/namespaces/{space.name}/serviceaccounts"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "controller"}}
    assert space.rest.post(accounts, account).code == 201
    _grant(space, f"system:serviceaccount:{space.name}:controller", [_READ, _WRITE])
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    reply = space.rest.post(f"{accounts}/controller/token", asked)
    assert reply.code == 201, reply
    return reply.body["status"]["token"]
