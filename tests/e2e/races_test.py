"""Two writers at once, or one that sees less than it thinks: nobody alive is reaped, and nothing counts twice."""

import time

from crew import SCALED, Crew
from space import AFTER_STOP_SECONDS, LATE_SECONDS, NO_STOP, beats, eventually
from stories import story


def conflicts(controller):
    return controller.metrics().total("jobrun_reap_conflicts_total")


@story
def test_a_worker_finishing_at_the_same_moment_wins(space):
    """It reports its success while the verdict is on its way to the server."""
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig)
    worker = space.dead("finishing", beats(2))
    verdict = gate.catch("PATCH", "/finishing/status").wait()
    assert verdict.body["status"]["phase"] == "Stuck"
    assert worker.finish() == 200
    assert verdict.forward() == 409
    eventually(lambda: conflicts(controller) == 1)
    space.stays("finishing", "Succeeded", 2)
    (phase, reason, verdict_id, _), = space.verdicts("finishing")
    assert (phase, reason, verdict_id) == ("Succeeded", None, None)
    assert (controller.reaps(), conflicts(controller)) == (0, 1)


@story
def test_workers_finishing_just_when_they_are_due_end_once(space):
    """The server lets either of them through, and both learn which."""
    controller = space.controller()
    offsets = [milliseconds / 1000 for milliseconds in range(-20, 25, 5)]
    workers = [space.dead(f"due-{number}", beats(3)) for number in range(len(offsets))]
    codes = {}
    for number, (worker, offset) in enumerate(zip(workers, offsets)):
        time.sleep(max(0.0, worker.accepted_at + 3 + offset - time.monotonic()))
        codes[f"due-{number}"] = worker.finish()
    space.stays("due-0", space.get("due-0").phase, 2)
    for name, code in codes.items():
        (phase, _, verdict_id, _), = space.verdicts(name)
        assert (code, phase, bool(verdict_id)) in ((200, "Succeeded", False), (422, "Stuck", True)), name
    space.counted(controller, list(codes.values()).count(422))


@story
def test_a_heartbeat_at_the_same_moment_wins(space):
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig)
    worker = space.dead("beating", beats(2))
    verdict = gate.catch("PATCH", "/beating/status").wait()
    assert worker.beat() == 200
    assert verdict.forward() == 409
    eventually(lambda: conflicts(controller) == 1)
    assert space.get("beating").phase == "Running"
    space.silent_until_reaped(worker, "beating", 2)
    space.counted(controller, 1)


@story
def test_a_controller_that_sees_nothing_reaps_nobody_alive(space):
    """Its watch stays open and brings no events, while the server takes heartbeats. Before it misses its canary nothing
    but the version protects the run."""
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig, config=NO_STOP)
    worker = space.alive("unseen", beats(3))
    eventually(lambda: controller.metrics().total("jobrun_watch_events_total", type="modified") > 3)
    gate.flowing.clear()
    space.stays("unseen", "Running", 8)
    assert conflicts(controller) >= 1 and controller.reaps() == 0
    gate.flowing.set()
    worker.fall_silent()
    space.silent_until_reaped(worker, "unseen", 3)


@story
def test_a_controller_that_was_stopped_reaps_nobody_alive(space):
    """SIGSTOP until long after the run would have been due; its worker beats all the time."""
    controller = space.controller()
    worker = space.alive("beats-on", beats(3))
    for _ in range(2):
        time.sleep(1)
        controller.pause()
        time.sleep(4)
        controller.resume()
    space.stays("beats-on", "Running", 4)
    assert controller.reaps() == 0
    worker.fall_silent()
    space.silent_until_reaped(worker, "beats-on", 3, LATE_SECONDS + AFTER_STOP_SECONDS)


@story
def test_a_controller_with_hardly_any_processor_time_reaps_nobody_alive(space):
    """A twentieth of one, in slices, for three timeouts; those who die meanwhile are reaped, at the latest when it has its
    time again."""
    controller = space.controller(config=SCALED)
    crew = Crew(space, 4)
    crew.lose(1)
    until = time.monotonic() + 3 * crew.timeout
    while time.monotonic() < until:
        controller.pause()
        time.sleep(0.19)
        controller.resume()
        time.sleep(0.01)
    crew.comes_out_right(3 * crew.timeout)


@story
def test_a_verdict_whose_answer_is_lost_counts_once(space):
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig)
    gate.flowing.clear()  # Not from the watch either: it has to ask.
    space.dead("lost", beats(2))
    gate.flowing.set()
    verdict = gate.catch("PATCH", "/lost/status").wait()
    gate.flowing.clear()
    verdict.lose_answer()
    ended = space.ends("lost", "Stuck", "HeartbeatTimeout", LATE_SECONDS)
    assert ended.status["verdictID"] == verdict.body["status"]["verdictID"]
    eventually(lambda: controller.reaps() == 1, 2 * LATE_SECONDS)
    gate.flowing.set()
    time.sleep(1)
    assert controller.reaps() == 1 and len(space.verdicts("lost")) == 1


@story
def test_a_verdict_that_is_lost_is_made_again(space):
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig)
    space.dead("again", beats(2))
    gate.catch("PATCH", "/again/status").wait().lose()
    space.ends("again", "Stuck", "HeartbeatTimeout", 2 * LATE_SECONDS)
    space.counted(controller, 1)


@story
def test_two_controllers_at_once_give_one_verdict_each_run(space):
    """They die together, which is no reason to wait here."""
    both = [space.controller(config={"breaker": {"enabled": False}}) for _ in range(2)]
    names = [f"shared-{number}" for number in range(12)]
    for name in names:
        space.dead(name, beats(4))
    for name in names:
        space.ends(name, "Stuck", "HeartbeatTimeout", 4 + LATE_SECONDS)
    time.sleep(1)
    assert all(len(space.verdicts(name)) == 1 for name in names)
    parts = [space.reaped_by(controller) for controller in both]
    assert sum(parts) == len(names)
    for controller, part in zip(both, parts):
        space.counted(controller, part)


@story
def test_a_verdict_on_its_way_does_not_hit_a_namesake(space):
    """The run is deleted and another one of its name claimed before the verdict arrives."""
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig)
    space.dead("namesake", beats(2))
    verdict = gate.catch("PATCH", "/namesake/status").wait()
    assert space.rest.delete(f"{space.runs}/namesake").code == 200
    worker = space.alive("namesake", beats(4))
    assert verdict.forward() == 409
    space.stays("namesake", "Running", 3)
    worker.fall_silent()
    space.silent_until_reaped(worker, "namesake", 4)
    space.counted(controller, 1)


@story
def test_a_busy_heartbeater_does_not_starve_its_own_deadline(space):
    """Every verdict that is written with a version finds that the run has moved on; one on its grounds commits."""
    gate = space.gate()
    space.controller(kubeconfig=gate.kubeconfig)
    worker = space.dead("busy", beats(5), {"deadlineSeconds": 2})  # A short timeout makes for short waits.
    assert space.status("busy", conditions=[{"type": "data/copied", "status": "True"}]).code == 200
    caught = gate.catch("PATCH", "/busy/status")
    for _ in range(20):
        verdict = caught.wait()
        caught = gate.catch("PATCH", "/busy/status")  # At once: a verdict does not wait for the stamp of the start.
        assert worker.beat() == 200
        if isinstance(verdict.body, list):
            break
        assert verdict.forward() in (200, 409)  # The first one is no verdict: it stamps the start.
    assert verdict.forward() == 200
    ended = space.ends("busy", "Failed", "DeadlineExceeded", 10)
    assert [condition["type"] for condition in ended.status["conditions"]] == ["data/copied", "Succeeded"]
