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
_STATUS_WRITES = {"apiGroups": ["jobrun.dev"], "apiVersions": ["v1"], "operations": ["UPDATE"],
                  "resources": ["jobruns/status"]}
_CANARIES = {"apiGroups": ["jobrun.dev"], "resources": ["jobruns"], "verbs": ["create", "patch", "delete"]}
RIGHTS = [_READ, _WRITE, _CANARIES]


def bad_token(space):
    """A token file with a token that the server does not take; then a good one in the same file."""
    token_file = space.dir / "token"
    token_file.write_text("eyJhbGciOiJSUzI1NiJ9.not.good")
    if space.server.name == "kube":
        good = service_account_token(space)
        url, cluster = space.server.url, {"certificate-authority": space.server.ca_file}
    else:
        good = "good"
        gate = space.gate(pki_dir=space.dir / "pki")  # No token is sent where everybody can read it.
        gate.refuse(401, "Unauthorized", lambda method, path, headers: headers["Authorization"] != "Bearer good",
                    canaries=True)
        url, cluster = gate.url, {"certificate-authority": str(space.dir / "pki" / "ca.crt")}
    kubeconfig = write_kubeconfig(space.dir / "token.kubeconfig", url, cluster, {"tokenFile": str(token_file)})
    return kubeconfig, lambda: token_file.write_text(good), ("401", str(token_file))


def no_right_to_read(space):
    if space.server.name == "kube":
        user = f"{space.name}-reader"
        return _kubeconfig_for(space, user), lambda: grant(space.rest, space.name, user), ("forbidden", user, "jobruns")
    gate = space.gate()
    lift = gate.refuse(403, 'jobruns.jobrun.dev is forbidden: User "dev-user" cannot watch resource "jobruns"',
                       canaries=True)
    return gate.kubeconfig, lift, ("forbidden", "dev-user", "jobruns")


def canary_home(space):
    """A namespace in which nothing is wrong."""
    return f"{space.name}-canaries"


def no_right_to_write(space):
    servers.create_namespace(space.rest, canary_home(space))
    if space.server.name == "kube":
        user = f"{space.name}-writer"
        grant(space.rest, canary_home(space), user)
        grant(space.rest, space.name, user, [_READ])
        return (_kubeconfig_for(space, user), lambda: grant(space.rest, space.name, user),
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
        delete_resource(space)
        return space.server.kubeconfig, lambda: servers.install_crd(space.rest), _MISSING
    gate = space.gate()
    lift = gate.refuse(404, "the server could not find the requested resource",
                       lambda method, path, headers: "/apis/jobrun.dev/" in path, canaries=True)
    return gate.kubeconfig, lift, _MISSING


def delete_resource(space):
    """The JobRun resource of a real server, with all that there is of it."""
    assert space.rest.delete(_CRD).code == 200
    eventually(lambda: space.rest.get(space.runs).code == 404, 15)  # It is served for a moment longer.


def writes_refused(space, policy, webhook):
    """No status of a run is written in the namespace `policy`, which a policy forbids (403), nor in `webhook`, where the
    webhook that must be asked does not answer (500). Returns (kubeconfig, mend)."""
    if space.server.name != "kube":
        gate = space.gate()
        lifts = [gate.refuse(code, f"refused in {refused.name}",
                             lambda method, path, _, refused=refused: method == "PATCH" and f"/{refused.name}/" in path)
                 for refused, code in ((policy, 403), (webhook, 500))]
        return gate.kubeconfig, lambda: [lift() for lift in lifts]
    made = _forbid(space.rest, policy.name) + _ask_nobody(space.rest, webhook.name)
    for refused, code in ((policy, 403), (webhook, 500)):
        refused.create("asked")
        eventually(lambda refused=refused, code=code: refused.status("asked", message="may I?").code == code)
    return space.server.kubeconfig, lambda: [space.rest.delete(path) for path in made]


def _forbid(rest, namespace):
    """An admission policy that forbids each status write there; returns the paths of what was made."""
    name = f"forbid.{namespace}"
    policy = {"matchConstraints": {"resourceRules": [_STATUS_WRITES]},
              "validations": [{"expression": "false", "message": "not here", "reason": "Forbidden"}]}
    binding = {"policyName": name, "validationActions": ["Deny"],
               "matchResources": {"namespaceSelector": _only(namespace)}}
    return [_admission(rest, "ValidatingAdmissionPolicy", name, {"spec": policy}),
            _admission(rest, "ValidatingAdmissionPolicyBinding", name, {"spec": binding})]


def _ask_nobody(rest, namespace):
    """A webhook that has to be asked about each status write there, and is not there."""
    webhook = {"name": "nobody.example.com", "clientConfig": {"url": "https://127.0.0.1:9/"}, "rules": [_STATUS_WRITES],
               "namespaceSelector": _only(namespace), "sideEffects": "None", "admissionReviewVersions": ["v1"]}
    return [_admission(rest, "ValidatingWebhookConfiguration", f"ask.{namespace}", {"webhooks": [webhook]})]


def _admission(rest, kind, name, content):
    group = "admissionregistration.k8s.io/v1"
    plural = kind.lower().removesuffix("y") + ("ies" if kind.endswith("y") else "s")
    made = rest.post(f"/apis/{group}/{plural}",
                     {"apiVersion": group, "kind": kind, "metadata": {"name": name}, **content})
    assert made.code == 201, made
    return f"/apis/{group}/{plural}/{name}"


def _only(namespace):
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


def _kubeconfig_for(space, user):
    with _CA:
        return space.server.kubeconfig_for(user)


def grant(rest, namespace, user, rules=RIGHTS):
    """Gives the user these rights in the namespace, or other ones than before."""
    roles = f"{_GROUP}/namespaces/{namespace}/roles"
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": user}, "rules": rules}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": user},
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
               "subjects": [_subject(user)]}
    if rest.post(roles, role).code == 409:
        assert rest.put(f"{roles}/{user}", role).code == 200
    assert rest.post(f"{_GROUP}/namespaces/{namespace}/rolebindings", binding).code in (201, 409)


def _subject(user):
    if user.startswith("system:serviceaccount:"):
        _, _, namespace, name = user.split(":")
        return {"kind": "ServiceAccount", "namespace": namespace, "name": name}
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}


def service_account_token(space, until_gone=None):
    """A token of a service account with all rights in the namespace; good as long as there is a Secret `until_gone`."""
    core = f"/api/v1/namespaces/{space.name}"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "controller"}}
    assert space.rest.post(f"{core}/serviceaccounts", account).code in (201, 409)
    grant(space.rest, space.name, f"system:serviceaccount:{space.name}:controller")
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    if until_gone:
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": until_gone}}
        assert space.rest.post(f"{core}/secrets", secret).code == 201
        asked["spec"]["boundObjectRef"] = {"apiVersion": "v1", "kind": "Secret", "name": until_gone}
    reply = space.rest.post(f"{core}/serviceaccounts/controller/token", asked)
    assert reply.code == 201, reply
    return reply.body["status"]["token"]
