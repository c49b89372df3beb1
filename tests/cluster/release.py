"""The chart, installed in the cluster: what an administrator does with it, and what can be seen of it."""

import datetime
import json
import pathlib

from worker_pods import namespace
from wait import until

NAMESPACE = "jobrun-system"
NAME = "jobrun"
CHART = pathlib.Path(__file__).resolve().parents[2] / "helm/jobrun"
_SELECTOR = "labelSelector=app.kubernetes.io/instance%3Djobrun"
# Looks at dead pods in quick succession; everything else is as it comes.
CONFIG = {"executors": {"enabled": True, "deadChecks": 2, "checkSeconds": 3}}
READY_SECONDS_MAX = 90


class Release:
    """The Helm release `jobrun`. `rest` is an administrator's client."""

    def __init__(self, cluster, rest, folder):
        self._cluster, self._rest = cluster, rest
        self._values = folder / "values.json"
        self._values.write_text(json.dumps({
            "image": {"repository": "jobrun", "tag": "dev", "pullPolicy": "Never"}, "config": CONFIG,
            # Workers are pods here, and claim under their own names: so that can be held to.
            "admissionPolicy": {"matchWorkerPod": True}}))

    def install(self):
        self._cluster.apply(namespace(NAMESPACE))
        self._helm("install", str(CHART), f"--values={self._values}")

    def upgrade(self, *settings):
        self._helm("upgrade", str(CHART), "--reuse-values", *(f"--set={each}" for each in settings))

    def rollback(self, revision):
        self._helm("rollback", str(revision))

    def uninstall(self):
        self._helm("uninstall")

    def _helm(self, verb, *arguments):
        self._cluster.helm(verb, NAME, *arguments, f"--namespace={NAMESPACE}", "--wait",
                           f"--timeout={READY_SECONDS_MAX}s")

    def pods(self):
        """Its pods that are not being deleted, by name."""
        reply = self._rest.get(f"/api/v1/namespaces/{NAMESPACE}/pods?{_SELECTOR}")
        assert reply.code == 200, reply
        return {pod["metadata"]["name"]: pod for pod in reply.body["items"]
                if "deletionTimestamp" not in pod["metadata"]}

    def ready_pods(self):
        return {name: pod for name, pod in self.pods().items() if any(
            each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))}

    def await_ready(self, count=2):
        """Its pods, when so many are ready and no other is there."""
        return until(lambda: f"{count} ready pods; there are {list(self.pods())}",
                     lambda: len(pods := self.ready_pods()) == count == len(self.pods()) and pods, READY_SECONDS_MAX)

    def leader(self):
        """The name of the pod that leads; None when none of these pods does."""
        holder = self.holder()
        return next((name for name, pod in self.pods().items() if pod["metadata"]["uid"] == holder), None)

    def holder(self):
        """The uid of the pod that holds the Lease; None when nobody does."""
        reply = self._rest.get(f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{NAME}")
        lease = reply.body["spec"] if reply.code == 200 else {}
        holder = lease.get("holderIdentity")
        return holder if holder and _age(lease["renewTime"]) < lease["leaseDurationSeconds"] else None

    def await_leader(self, besides=None, seconds=40):
        return until(lambda: f"a leader other than {besides}; it is {self.leader()}",
                     lambda: (name := self.leader()) and name != besides and name, seconds)

    def crash(self, pod):
        """SIGKILLs the process in its container, which its kubelet then starts again."""
        self.signal(pod, "SIGKILL")

    def signal(self, pod, signal):
        """Sends the process in its container a signal."""
        self._cluster.signal(self.pods()[pod], signal)

    def evict(self, pod):
        """Asks the eviction API, as a drain does; returns its answer."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction"
        return self._rest.post(path, {"apiVersion": "policy/v1", "kind": "Eviction",
                                      "metadata": {"name": pod, "namespace": NAMESPACE}})

    def delete(self, pod):
        """Deletes the object at once; its kubelet ends what still runs."""
        self._cluster.kubectl("delete", "pod", f"--namespace={NAMESPACE}", pod, "--force", "--grace-period=0",
                              "--wait=false")

    def logs(self):
        said = []
        for pod in self.pods():
            try:
                said.append(f"{pod}:\n{self._cluster.kubectl('logs', f'--namespace={NAMESPACE}', pod, '--tail=40')}")
            except RuntimeError as error:
                said.append(f"{pod}: {error}")
        return "\n".join(said)


def _age(text):
    """Seconds since one of the API's times; all clocks are this machine's."""
    then = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()
