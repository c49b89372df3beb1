"""Runs that are judged by the pods they run in. What kubelets and node controllers would write, the tests write."""

from pods import Pods
from space import beats, eventually
from stories import story

# Heartbeats say nothing here, so that nothing but the pod can end a run.
IGNORED = {"heartbeat": {"mode": "Ignored"}, "claimTTLSeconds": 3600}
CHECKS = {"executors": {"enabled": True, "deadChecks": 2, "checkSeconds": 2}}


def runs_in(space, pod, name="run", *spec):
    """A claimed run that names a pod which is Running; returns its worker and the pods."""
    pods = Pods(space.rest, space.name)
    uid = pods.create(pod)
    worker = space.claimed(name, *(spec or (IGNORED,)))
    assert worker.patch(executor={"podName": pod, "podUID": uid, "nodeName": "node-1"}) == 200
    return worker, pods


def found(space, name="run"):
    """Waits until the run says that its executor was seen alive."""
    def recorded():
        conditions = space.get(name).status.get("conditions", [])
        return [c["status"] for c in conditions if c["type"] == "ExecutorFound"] == ["True"]
    eventually(recorded)


def cause_of(ended):
    return ended.status["cause"], ended.status["message"]


@story
def test_a_dead_executor_is_reaped_with_its_cause(space):
    space.controller(config=CHECKS)
    _, pods = runs_in(space, "worker-1")
    found(space)
    space.stays("run", "Running", 3)
    pods.kill("worker-1")
    ended = space.ends("run", "Stuck", "ExecutorLost", 20)
    assert cause_of(ended) == ("PodDeleted", "executor lost: pod worker-1: deleted")
    assert "ExecutorFound" in [c["type"] for c in ended.status["conditions"]]
    assert space.controllers[0].metrics().total("jobrun_executor_checks_total", result="dead") == 2


@story
def test_an_executor_out_of_memory_is_told_with_its_container(space):
    space.controller(config=CHECKS)
    _, pods = runs_in(space, "hungry")
    found(space)
    pods.out_of_memory("hungry")
    assert cause_of(space.ends("run", "Stuck", "ExecutorLost", 20)) == (
        "OOMKilled", "executor lost: pod hungry: out of memory (container main, exit code 137)")


@story
def test_an_evicted_and_a_node_lost_executor_are_told_from_a_deleted_one(space):
    space.controller(config=CHECKS)
    _, pods = runs_in(space, "evicted", "run-evicted")
    runs_in(space, "lost", "run-lost")
    found(space, "run-evicted")
    found(space, "run-lost")
    pods.evicted("evicted")
    pods.disrupted("lost", "DeletionByTaintManager")
    pods.kill("lost")
    assert cause_of(space.ends("run-evicted", "Stuck", "ExecutorLost", 20))[0] == "Evicted"
    assert cause_of(space.ends("run-lost", "Stuck", "ExecutorLost", 20))[0] == "NodeLost"


@story
def test_a_changed_heartbeat_saves_a_run_whose_pod_is_gone(space):
    """The worker may run elsewhere: as long as it beats it lives."""
    space.controller(config={"executors": {**CHECKS["executors"], "checkSeconds": 3}})
    worker, pods = runs_in(space, "gone", "run", beats(30))
    found(space)
    worker.beat_every(0.5)
    pods.kill("gone")
    space.stays("run", "Running", 10)
    worker.fall_silent()
    space.ends("run", "Stuck", "ExecutorLost", 25)


@story
def test_another_controller_knows_that_the_executor_was_found(space):
    """The pod dies while no controller runs: the condition is what the next one knows of it."""
    first = space.controller(config=CHECKS)
    _, pods = runs_in(space, "worker-1")
    found(space)
    first.stop()
    pods.kill("worker-1")
    space.controller(config=CHECKS)
    space.ends("run", "Stuck", "ExecutorLost", 25)


@story
def test_an_executor_never_seen_alive_is_never_lost(space):
    space.controller(config=CHECKS)
    worker = space.claimed("run", IGNORED)
    assert worker.patch(executor={"podName": "nobody", "podUID": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"}) == 200
    space.stays("run", "Running", 10)


@story
def test_conditions_of_others_survive_the_first_visit_and_the_verdict(space):
    space.controller(config=CHECKS)
    pods = Pods(space.rest, space.name)
    uid = pods.create("worker-1")
    worker = space.claimed("run", {**IGNORED, "deadlineSeconds": 3600})
    assert space.status("run", conditions=[{"type": "data/copied", "status": "True"}]).code == 200
    assert worker.patch(executor={"podName": "worker-1", "podUID": uid}) == 200
    found(space)
    eventually(lambda: space.get("run").status.get("startTime"))
    pods.kill("worker-1")
    ended = space.ends("run", "Stuck", "ExecutorLost", 20)
    assert [c["type"] for c in ended.status["conditions"]] == ["data/copied", "ExecutorFound", "Stuck"]


@story
def test_without_a_right_on_pods_everything_else_goes_on(space):
    gate = space.gate()
    gate.refuse(403, "no pods for you", lambda method, path, headers: "/pods" in path)
    controller = space.controller(kubeconfig=gate.kubeconfig, config=CHECKS)
    space.dead("silent", beats(3))
    space.ends("silent", "Stuck", "HeartbeatTimeout", 20)
    assert "executors.enabled needs get, list and watch on pods" in controller.log
