"""Runs, and a worker pod for each: pod.sh, which beats every second under its own service account."""

import json
import time

from images import WORKER_IMAGE
from wait import until

NAMESPACE = "work"
ROLE = "jobrun-worker"  # Of the chart.
INTERVAL_SECONDS = 1
# So long that silence never ends a run whose pod is to be found dead.
NEVER_SILENT = {"intervalSeconds": 30, "timeoutSeconds": 600}
BEATS_BEFORE_USE = 2
START_SECONDS_MAX = 60
_RUNS = f"/apis/jobrun.dev/v1/namespaces/{NAMESPACE}/jobruns"
_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def namespace(name):
    """A namespace in which only pods of the level `restricted` may run."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": _RESTRICTED}}


class Crew:
    """The workers in the namespace `work`, by the names of their runs. `rest` is an administrator's client."""

    def __init__(self, cluster, rest):
        self._cluster, self._rest = cluster, rest
        self._started = []
        cluster.apply(
            namespace(NAMESPACE),
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "worker", "namespace": NAMESPACE}},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
             "metadata": {"name": "worker", "namespace": NAMESPACE},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE},
             "subjects": [{"kind": "ServiceAccount", "name": "worker", "namespace": NAMESPACE}]})
        until("there is no default service account", lambda: rest.get(
            f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default").code == 200, START_SECONDS_MAX)

    def start(self, *names, heartbeat, node=None, **spec):
        """Creates the runs and their pods, and returns when each of them beats and its pod has been seen alive."""
        for name in names:
            run = {"apiVersion": "jobrun.dev/v1", "kind": "JobRun", "metadata": {"name": name},
                   "spec": {"heartbeat": {"mode": "Required", **heartbeat}, **spec}}
            for path, body in ((_RUNS, run), (_PODS, _pod(name, node))):
                reply = self._rest.post(path, body)
                assert reply.code == 201, reply
            self._started.append(name)
        first = {}
        for name in names:
            until(lambda: f"{name} does not work: {self.status(name)} {self.pod(name)}",
                  lambda: self._beats(name, first), START_SECONDS_MAX)

    def share(self, lane, pods, runs, seconds_each):
        """Pods in which `jobrun work` takes runs from a lane, and the runs; returns the names of both."""
        names = [f"{lane}-{number}" for number in range(runs)]
        workers = [f"worker-{number}" for number in range(pods)]
        for name in names:
            run = {"apiVersion": "jobrun.dev/v1", "kind": "JobRun", "metadata": {"name": name},
                   "spec": {"lane": lane, "heartbeat": {"mode": "Required", "intervalSeconds": 2, "timeoutSeconds": 6},
                            "retry": {"maxAttempts": 9, "backoffSeconds": 1, "maxBackoffSeconds": 1}}}
            assert self._rest.post(_RUNS, run).code == 201
        for name in workers:
            pod = _pod(name, None)
            (container,) = pod["spec"]["containers"]
            container["command"] = ["/usr/bin/jobrun", "work", "--namespace", NAMESPACE, "--lane", lane, "--",
                                    "/usr/bin/sh", "-c", f"sleep {seconds_each}"]
            container["args"] = []
            container["volumeMounts"] = [{"name": "payloads", "mountPath": "/tmp"}]
            pod["spec"]["volumes"] = [{"name": "payloads", "emptyDir": {}}]
            assert self._rest.post(_PODS, pod).code == 201
        return workers, names

    def family(self, name):
        """A run and its retries so far, in order: the name of the next one is recorded before it is created."""
        family = [self.run(name)]
        while (retry := family[-1].get("status", {}).get("retry", {})).get("state") == "Created":
            family.append(self.run(retry["successorName"]))
        return family

    def _beats(self, name, first):
        status = self.status(name)
        phase = self.pod(name)["status"]["phase"]
        assert phase in ("Pending", "Running"), f"the pod of {name} is {phase}: {status}"
        found = "ExecutorFound" in (each["type"] for each in status.get("conditions", []) if each["status"] == "True")
        beat = status.get("lastHeartbeatAt")
        return beat and found and first.setdefault(name, beat) != beat

    def signal(self, name, signal):
        """Tells the worker of a run how to die."""
        self._cluster.signal(self.pod(name), f"SIG{signal}")

    def force_delete(self, name):
        self._cluster.kubectl("delete", "pod", f"--namespace={NAMESPACE}", name, "--force", "--grace-period=0",
                              "--wait=false")

    def evict(self, name):
        """Asks the eviction API, as a drain does."""
        reply = self._rest.post(f"{_PODS}/{name}/eviction", {
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": NAMESPACE}})
        assert reply.code == 201, reply

    def run(self, name):
        reply = self._rest.get(f"{_RUNS}/{name}")
        assert reply.code == 200, reply
        return reply.body

    def status(self, name):
        return self.run(name).get("status", {})

    def pod(self, name):
        """The pod of a run; None when it is gone."""
        reply = self._rest.get(f"{_PODS}/{name}")
        return reply.body if reply.code == 200 else None

    def inside(self, name, *command):
        """What a command says in a worker's pod."""
        return self._cluster.kubectl("exec", f"--namespace={NAMESPACE}", name, "--", *command)

    def await_end(self, name, seconds):
        """The status of a run when it is over."""
        def ended():
            status = self.status(name)
            return status.get("phase") in ("Stuck", "Failed", "Succeeded") and status

        return until(lambda: f"{name} has not ended: {json.dumps(self.status(name))} of {json.dumps(self.pod(name))}",
                     ended, seconds)

    def assert_alive(self, *names):
        """These runs go on, nobody has taken them for dead, and their workers beat as we look."""
        before = {name: self.status(name) for name in names}
        for name, status in before.items():
            assert status["phase"] == "Running" and "lateHeartbeatTime" not in status, (name, status)
            last = status["lastHeartbeatAt"]
            until(f"{name} does not beat", lambda: self.status(name)["lastHeartbeatAt"] != last, 15)

    def logs(self):
        """What the workers said, for the report of a failed test."""
        said = []
        for name in self._started:
            try:
                said.append(f"{name}: {json.dumps(self.status(name))}\n"
                            f"{self._cluster.kubectl('logs', f'--namespace={NAMESPACE}', name, '--tail=5')}")
            except (RuntimeError, AssertionError) as error:
                said.append(f"{name}: {error}")
        return "\n".join(said)


def _pod(name, node):
    fields = {"POD_NAME": "metadata.name", "POD_UID": "metadata.uid", "NAMESPACE": "metadata.namespace"}
    told = [{"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in fields.items()]
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "worker"}},
        "spec": {
            "restartPolicy": "Never", "serviceAccountName": "worker", "terminationGracePeriodSeconds": 1,
            "enableServiceLinks": False, **({"nodeSelector": {"kubernetes.io/hostname": node}} if node else {}),
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "worker", "image": WORKER_IMAGE, "imagePullPolicy": "Never", "args": [name],
                "env": [*told, {"name": "INTERVAL", "value": str(INTERVAL_SECONDS)}],
                "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "48Mi"}},
                "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                    "capabilities": {"drop": ["ALL"]}}}]}}


def seconds_between(earlier, later):
    """Between two of the API's times."""
    parse = "%Y-%m-%dT%H:%M:%S"
    return sum(sign * time.mktime(time.strptime(text[:19], parse)) for sign, text in ((1, later), (-1, earlier)))
