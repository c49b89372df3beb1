"""Pods without a cluster: what their kubelet, their node's controller and the eviction API would write, a test writes.

On both servers a pod is on a node from its creation, because only a scheduler's binding could put it there later. A pod
on a node that is deleted stays, Terminating, until it is deleted with a grace of 0; kill() does that, as its kubelet would.
"""

NODE = "node-1"
CONTAINER = "main"
_STRATEGIC = "application/strategic-merge-patch+json"


class Pods:
    """The pods of one namespace. `rest` is a client of the server, for one thread."""

    def __init__(self, rest, namespace):
        self._rest = rest
        self._path = f"/api/v1/namespaces/{namespace}/pods"

    def create(self, name, node=NODE, running=True, **metadata):
        """A new pod, Running unless told otherwise; returns its uid. Without a node it stays unscheduled."""
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata},
               "spec": {"restartPolicy": "Never", "containers": [{"name": CONTAINER, "image": "example.com/worker:1"}],
                        **({"nodeName": node} if node else {})}}
        reply = self._rest.post(self._path, pod)
        assert reply.code == 201, reply
        if running:
            self.status(name, phase="Running", containerStatuses=[container({"running": {}})])
        return reply.body["metadata"]["uid"]

    def get(self, name):
        """The pod as it is; None when there is none."""
        reply = self._rest.get(f"{self._path}/{name}")
        assert reply.code in (200, 404), reply
        return reply.body if reply.code == 200 else None

    def status(self, name, **status):
        """One patch of its status: conditions are merged by type, other lists replaced. Returns the pod."""
        reply = self._rest.request("PATCH", f"{self._path}/{name}/status", {"status": status}, _STRATEGIC)
        assert reply.code == 200, reply
        return reply.body

    # How pods end.

    def ended(self, name, exit_code, reason=None, **status):
        """Its container ended with this code, the pod with it."""
        reason = reason or ("Error" if exit_code else "Completed")
        state = {"terminated": {"exitCode": exit_code, "reason": reason}}
        return self.status(name, phase="Failed" if exit_code else "Succeeded",
                           containerStatuses=[container(state)], **status)

    def out_of_memory(self, name):
        return self.ended(name, 137, "OOMKilled")

    def evicted(self, name):
        """As a kubelet does it that is short of something."""
        return self.status(name, phase="Failed", reason="Evicted", message="The node was low on resource: memory.")

    def disrupted(self, name, reason):
        """A condition by which others announce its end: EvictionByEvictionAPI, DeletionByTaintManager,
        PreemptionByScheduler, TerminationByKubelet, DeletionByPodGC."""
        condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": f"{reason} of a test"}
        return self.status(name, conditions=[condition])

    def terminate(self, name):
        """Deleted as by `kubectl delete`: on a node it stays, Terminating."""
        reply = self._rest.delete(f"{self._path}/{name}")
        assert reply.code == 200, reply
        return reply.body

    def kill(self, name):
        """Gone at once."""
        reply = self._rest.delete(f"{self._path}/{name}", {"gracePeriodSeconds": 0})
        assert reply.code == 200, reply
        assert self.get(name) is None


def container(state):
    """The status of a pod's only container."""
    return {"name": CONTAINER, "image": "example.com/worker:1", "imageID": "", "ready": "running" in state,
            "restartCount": 0, "state": state}
