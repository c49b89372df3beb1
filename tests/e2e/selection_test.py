"""A controller that watches only what is active or owes a retry, which is the default: a run's end is not seen."""

import time

from retries_test import TWICE, failed
from space import LATE_SECONDS, beats, eventually
from stories import story

SELECTING = {"watch": {"finished": False, "relistSeconds": 10}}
# The finished runs are looked through once in relistSeconds, and up to a quarter later.
ROUND_SECONDS = 13


def held(controller):
    return controller.metrics().by("jobrun_runs", "phase")


def watches_finished(controller):
    return controller.metrics().total("jobrun_finished_runs_watched") == 1


@story
def test_finished_runs_are_no_longer_known(space):
    controller = space.controller(config=SELECTING)
    alive = space.alive("alive", beats(6))
    assert space.claimed("finishes").finish() == 200
    silent = space.dead("silent", beats(2))
    space.silent_until_reaped(silent, "silent", 2)
    space.counted(controller, 1)
    eventually(lambda: held(controller) == {("Running",): 1})
    assert not watches_finished(controller)
    alive.fall_silent()
    space.silent_until_reaped(alive, "alive", 6)
    space.counted(controller, 2)


@story
def test_a_verdict_whose_answer_is_lost_counts_once_though_its_run_has_left(space):
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig, config=SELECTING)
    space.dead("left", beats(2))
    gate.catch("PATCH", "/left/status").wait().lose_answer()
    space.ends("left", "Stuck", "HeartbeatTimeout", LATE_SECONDS)
    space.counted(controller, 1)
    time.sleep(1)
    assert controller.reaps() == 1 and len(space.verdicts("left")) == 1


@story
def test_retries_go_on_where_their_ends_are_not_seen(space):
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig, config=SELECTING)
    decided, created = [gate.catch("PATCH", "/twice/status") for _ in range(2)]
    failed(space, "twice", TWICE)
    decided.wait().forward()
    created.wait().lose_answer()
    successor = space.successor("twice")
    assert space.worker(successor.name).claim().patch(phase="Failed", reason="Reported") == 200
    space.settled(successor.name, "Exhausted")
    retries = lambda result: controller.metrics().total("jobrun_retries_total", result=result)  # noqa: E731
    eventually(lambda: (retries("created"), retries("exhausted")) == (1, 1))
    time.sleep(1)
    assert (retries("created"), retries("exhausted")) == (1, 1) and len(space.successors("twice")) == 1


@story
def test_finished_runs_are_deleted_when_their_time_is_over(space):
    """One that ended before there was a controller, and one whose end it sees by its leaving."""
    def finished(name, ttl):
        worker = space.claimed(name, {"ttlSecondsAfterFinished": ttl})
        assert worker.patch(phase="Succeeded", completionTime=worker.now()) == 200
    finished("before", 1)
    finished("kept", 3600)
    space.controller(config=SELECTING)
    finished("meanwhile", 1)
    eventually(lambda: [run.name for run in space.list()] == ["kept"], ROUND_SECONDS + LATE_SECONDS)


@story
def test_their_list_comes_packed_where_the_server_packs(space):
    """kube-apiserver packs what is longer than 128 KiB; the embedded server packs nothing."""
    for number in range(12):
        worker = space.claimed(f"over-{number}", {"ttlSecondsAfterFinished": 1, "payload": {"text": "x" * 16384}})
        assert worker.patch(phase="Succeeded", completionTime=worker.now()) == 200
    gate = space.gate()
    space.controller(kubeconfig=gate.kubeconfig, config={"watch": {"relistSeconds": 10, "gzip": True}})
    eventually(lambda: space.list() == [], ROUND_SECONDS + LATE_SECONDS)
    assert (gate.packed > 0) == (space.server.name == "kube")


@story
def test_a_sign_of_life_after_the_end_is_counted_once(space):
    controller = space.controller(config=SELECTING)
    space.silent_until_reaped(space.dead("disputed", beats(2)), "disputed", 2)
    assert space.status("disputed", lateHeartbeatTime="2001-01-01T00:00:00Z").code == 200
    disputes = lambda: controller.metrics().total("jobrun_disputed_reaps_total")  # noqa: E731
    eventually(lambda: disputes() == 1, ROUND_SECONDS + LATE_SECONDS)
    time.sleep(ROUND_SECONDS)
    assert disputes() == 1


@story
def test_who_wants_them_watched_has_them_counted(space):
    controller = space.controller(config={"watch": {"finished": True}})
    assert space.claimed("finishes").finish() == 200
    space.silent_until_reaped(space.dead("silent", beats(2)), "silent", 2)
    space.counted(controller, 1)
    eventually(lambda: held(controller) == {("Succeeded",): 1, ("Stuck",): 1} and watches_finished(controller))
    assert space.status("silent", lateHeartbeatTime="2001-01-01T00:00:00Z").code == 200
    eventually(lambda: controller.metrics().total("jobrun_disputed_reaps_total") == 1)


@story
def test_a_server_that_can_not_select_is_asked_for_everything(space):
    """As one answers that has an older definition of JobRuns."""
    gate = space.gate()
    gate.refuse(400, "field label not supported: status.retry.state",
                lambda method, path, headers: "status.retry.state" in path)
    controller = space.controller(kubeconfig=gate.kubeconfig, config=SELECTING)
    assert space.claimed("finishes").finish() == 200
    space.silent_until_reaped(space.dead("silent", beats(2)), "silent", 2)
    space.counted(controller, 1)
    eventually(lambda: held(controller).get(("Succeeded",)) == 1 and watches_finished(controller))
    assert len(controller.lines("can't select runs")) == 1
