"""How runs end that have exited, were cancelled or make no progress."""

from space import beats
from stories import world_story

GATED = {"completionGates": [{"conditionType": "data/copied"}], "finalizeGraceSeconds": 2}


def gate_of(space, name, status):
    """Another party's word on the gate."""
    assert space.status(name, conditions=[{"type": "data/copied", "status": status}]).code == 200


def exits(worker, code):
    assert worker.patch(exitCode=code, exitTime=worker.now()) == 200


@world_story
def test_exit_zero_with_green_gates_is_succeeded(space):
    exits(space.claimed("green", GATED), 0)
    gate_of(space, "green", "True")
    ended = space.ends("green", "Succeeded", "FinalizedByController", 20)
    assert {"type": "data/copied", "status": "True"}.items() <= ended.status["conditions"][0].items()
    assert not ended.retry


@world_story
def test_exit_zero_with_a_red_gate_fails_and_is_retried(space):
    exits(space.claimed("red", GATED, {"retry": {"maxAttempts": 2, "backoffSeconds": 1}}), 0)
    gate_of(space, "red", "False")
    ended = space.ends("red", "Failed", "CompletionGateUnmet", 20)
    assert "data/copied" in ended.status["message"]
    assert space.successor("red").run["spec"]["attempt"] == 2


@world_story
def test_non_zero_is_retried_until_its_attempts_are_exhausted(space):
    spec = {"finalizeGraceSeconds": 1, "retry": {"maxAttempts": 3, "backoffSeconds": 1, "maxBackoffSeconds": 1},
            "payload": {"table": "users", "big": 12345678901234567, "part": 1.5}}
    names = ["failing"]
    space.create("failing", spec)
    for attempt in (1, 2):
        exits(space.worker(names[-1]).claim(), 7)
        ended = space.ends(names[-1], "Failed", "ExitNonZero", 20)
        assert "exit code 7" in ended.status["message"]
        successor = space.successor(names[-1])
        assert successor.run["spec"]["attempt"] == attempt + 1
        assert successor.run["spec"]["payload"] == spec["payload"]
        names.append(successor.name)
    exits(space.worker(names[-1]).claim(), 7)
    space.ends(names[-1], "Failed", "ExitNonZero", 20)
    space.settled(names[-1], "Exhausted")
    assert space.successors(names[-1]) == []
    root = space.get("failing").run["metadata"]["uid"]
    found = space.rest.get(f"{space.runs}?labelSelector=jobrun.dev/root%3D{root}").body["items"]
    assert [run["metadata"]["name"] for run in found] == sorted(names[1:])


@world_story
def test_within_the_finalize_grace_nothing_happens(space):
    """Neither silence nor the deadline nor a cancellation ends a run whose work is over."""
    worker = space.dead("finalizing", beats(2), {"deadlineSeconds": 2, "finalizeGraceSeconds": 7})
    exits(worker, 0)
    space.rest.merge(f"{space.runs}/finalizing", {"spec": {"cancelled": True, "cancelGraceSeconds": 0}})
    space.stays("finalizing", "Running", 5)
    space.ends("finalizing", "Succeeded", "FinalizedByController", 20)


@world_story
def test_already_finalised_by_the_worker_is_left_alone(space):
    worker = space.claimed("already-finished", {"finalizeGraceSeconds": 5, "retry": {"maxAttempts": 3}})
    exits(worker, 0)
    assert worker.patch(phase="Succeeded", completionTime=worker.now()) == 200
    version = space.get("already-finished").version
    space.stays("already-finished", "Succeeded", 7)
    assert space.get("already-finished").version == version


@world_story
def test_a_cancelled_pending_run_fails_at_once(space):
    space.create("cancelled-pending")
    space.rest.merge(f"{space.runs}/cancelled-pending", {"spec": {"cancelled": True}})
    space.ends("cancelled-pending", "Failed", "Cancelled", 15)
    space.settled("cancelled-pending", "NotDue")


@world_story
def test_a_cancelled_running_run_is_left_its_grace(space):
    """Long enough for a worker that stops to say so itself."""
    for name, grace in (("stops", 30), ("goes-on", 4)):
        space.alive(name, beats(60), {"cancelGraceSeconds": grace})
        space.rest.merge(f"{space.runs}/{name}", {"spec": {"cancelled": True}})
    stopping = space.worker("stops")
    assert stopping.patch(phase="Failed", reason="Cancelled", completionTime=stopping.now()) == 200
    space.stays("goes-on", "Running", 3)
    space.ends("goes-on", "Failed", "Cancelled", 20)


@world_story
def test_a_run_that_beats_without_progress_is_stuck(space):
    worker = space.alive("hung", beats(60), {"progressTimeoutSeconds": 4})
    for part in range(3):
        assert worker.patch(progress=f"{part}/9") == 200
        space.stays("hung", "Running", 2)
    space.ends("hung", "Stuck", "NoProgress", 20)
