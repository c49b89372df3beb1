"""The pods that other tests use are the same on every server."""

from pods import Pods
from stories import story


def ending(pod):
    """What a controller looks at."""
    status = pod["status"]
    ended = status["containerStatuses"][0]["state"].get("terminated") or {}
    disruption = [condition["reason"] for condition in status.get("conditions", [])
                  if (condition["type"], condition["status"]) == ("DisruptionTarget", "True")]
    return status["phase"], status.get("reason"), ended.get("exitCode"), ended.get("reason"), disruption


@story
def test_pods_end_as_told(space):
    pods = Pods(space.rest, space.name)
    for name in ("memory", "done", "crashed", "evicted", "drained", "tainted"):
        uid = pods.create(name)
        assert pods.get(name)["metadata"]["uid"] == uid
        assert ending(pods.get(name)) == ("Running", None, None, None, [])
    assert ending(pods.out_of_memory("memory")) == ("Failed", None, 137, "OOMKilled", [])
    assert ending(pods.ended("done", 0)) == ("Succeeded", None, 0, "Completed", [])
    assert ending(pods.ended("crashed", 3)) == ("Failed", None, 3, "Error", [])
    assert ending(pods.evicted("evicted")) == ("Failed", "Evicted", None, None, [])
    for name, reason in (("drained", "EvictionByEvictionAPI"), ("tainted", "DeletionByTaintManager")):
        assert ending(pods.disrupted(name, reason)) == ("Running", None, None, None, [reason])


@story
def test_a_pod_on_a_node_stays_until_it_is_deleted_without_grace(space):
    pods = Pods(space.rest, space.name)
    first = pods.create("leaving")
    metadata = pods.terminate("leaving")["metadata"]
    assert (metadata["deletionGracePeriodSeconds"], metadata["uid"]) == (30, first)
    assert pods.get("leaving")["metadata"]["deletionTimestamp"] == metadata["deletionTimestamp"]
    assert pods.ended("leaving", 143)["metadata"]["deletionTimestamp"], "it can still report"
    pods.kill("leaving")
    assert pods.create("leaving") != first
    pods.create("unscheduled", node=None, running=False)
    pods.terminate("unscheduled")
    assert pods.get("unscheduled") is None
