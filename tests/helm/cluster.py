"""A cluster that has an API server and no nodes, as the chart's tests see it."""

import json
import subprocess
import time

from chart import CHART
from kubeserver import bin_dir
from rest import Rest

WAIT_SECONDS = 30


def eventually(condition, what, seconds=WAIT_SECONDS):
    """Returns the first true answer of `condition`."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
    return answer


class Cluster:
    """Helm, kubectl and plain requests against one server, as its administrator."""

    def __init__(self, chart, server):
        self.chart, self.server = chart, server
        self.rest = Rest(server.kubeconfig)

    def kubectl(self, *arguments, stdin=None, kubeconfig=None):
        """Runs kubectl, which must succeed; returns what it printed."""
        done = self.try_kubectl(*arguments, stdin=stdin, kubeconfig=kubeconfig)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def try_kubectl(self, *arguments, stdin=None, kubeconfig=None):
        command = [str(bin_dir() / "kubectl"), "--kubeconfig", kubeconfig or self.server.kubeconfig, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)

    def helm(self, *arguments, values=None, kubeconfig=None):
        """Runs helm, which must succeed; returns what it printed."""
        done = self.chart.helm(*arguments, kubeconfig=kubeconfig or self.server.kubeconfig, values=values)
        assert done.returncode == 0, f"helm {' '.join(map(str, arguments))}: {done.stderr}"
        return done.stdout

    def install(self, release, namespace, values=None):
        return self.helm("upgrade", "--install", release, CHART, "--namespace", namespace, "--create-namespace",
                         values=self.chart.values(values))

    def uninstall(self, release, namespace):
        """What a namespaced release leaves behind is nothing; of others the resource may be kept."""
        return self.helm("uninstall", release, "--namespace", namespace)

    def create(self, path, body):
        reply = self.rest.post(path, body)
        assert reply.code == 201, reply
        return reply.body

    def namespace(self, name, **labels):
        self.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        return name

    def await_runs(self):
        """Returns when the JobRun resource is served."""
        eventually(lambda: self.rest.get("/apis/jobrun.dev/v1/jobruns?limit=1").code == 200, "jobruns are served")

    def service_account(self, namespace, name):
        self.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
        return name

    def bind(self, namespace, role, account):
        """Binds a ClusterRole to a service account, in its namespace."""
        self.create(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings", {
            "metadata": {"name": f"{account}-{role}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]})

    def token(self, namespace, account, pod=None):
        """A token of the service account, as its pods have it; `pod`: bound to that Pod object."""
        spec = {"expirationSeconds": 3600}
        if pod:
            spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod["metadata"]["name"],
                                      "uid": pod["metadata"]["uid"]}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return self.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", body)["status"]["token"]

    def pod(self, namespace, name, template):
        """A Pod object as a Deployment's controller would make it from this template. Nothing runs it."""
        return self.create(f"/api/v1/namespaces/{namespace}/pods",
                           {"metadata": {**template.get("metadata", {}), "name": name}, "spec": template["spec"]})

    def kubeconfig(self, namespace, account, pod=None):
        """Path of a kubeconfig with nothing but such a token."""
        name = "-".join([namespace, account, pod["metadata"]["name"] if pod else "any"])
        path = self.server.dir / f"kubeconfig-{name}"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.server.url,
                                                      "certificate-authority": self.server.ca_file}}],
            "users": [{"name": "account", "user": {"token": self.token(namespace, account, pod)}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "account", "namespace": namespace}}]}))
        return str(path)
