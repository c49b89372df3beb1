"""Controllers that are killed, one after the other, and ones that are asked to stop."""

import random
import time

import pytest

from gate import FORWARD, LOSE, LOSE_ANSWER
from space import AFTER_STOP_SECONDS, LATE_SECONDS, beats, eventually
from stories import story

STOP_SECONDS_MAX = 8


def reaped_once_though_killed(space, name, fate, before_next):
    """Kills the controller while its verdict is held at the gate, which then has that fate: before the next
    controller starts, or when it is ready."""
    gate = space.gate()
    first = space.controller(kubeconfig=gate.kubeconfig)
    space.dead(name, beats(3))
    verdict = gate.catch("PATCH", f"/{name}/status").wait()
    if fate == LOSE_ANSWER:
        verdict.lose_answer()
        space.ends(name, "Stuck", "HeartbeatTimeout", LATE_SECONDS)
    first.kill()
    if fate == LOSE:
        verdict.lose()
    second = space.controller()
    if not before_next:
        assert verdict.forward() == 200
    ended = space.ends(name, "Stuck", "HeartbeatTimeout", 3 + AFTER_STOP_SECONDS + LATE_SECONDS)
    time.sleep(1)
    by_first = ended.status["verdictID"].startswith(first.process_id)
    assert by_first == (fate != LOSE)
    space.counted(second, 0 if by_first else 1)
    assert len(space.verdicts(name)) == 1


@story
def test_killed_before_its_verdict_arrives(space):
    reaped_once_though_killed(space, "never-sent", LOSE, before_next=True)


@story
def test_killed_after_its_verdict_before_the_answer(space):
    reaped_once_though_killed(space, "unanswered", LOSE_ANSWER, before_next=True)


@story
def test_killed_and_its_verdict_arrives_when_the_next_one_is_at_work(space):
    reaped_once_though_killed(space, "belated", FORWARD, before_next=False)


@story
def test_killed_at_any_moment_ends_in_the_same_state(space):
    """Twelve kills, some before the first list, some among the verdicts; then one controller that is left alone."""
    expected = {}
    for number in range(4):
        space.claimed(f"hangs-{number}", beats(30), {"deadlineSeconds": 3 + number})
        expected[f"hangs-{number}"] = ("Failed", "DeadlineExceeded")
        space.dead(f"silent-{number}", beats(2))
        expected[f"silent-{number}"] = ("Stuck", "HeartbeatTimeout")
        space.create(f"unclaimed-{number}", {"pendingDeadlineSeconds": 3 + number})
        expected[f"unclaimed-{number}"] = ("Failed", "PendingDeadlineExceeded")
    alive = [space.alive(f"alive-{number}", beats(4)) for number in range(2)]
    expected.update({f"alive-{number}": ("Running", None) for number in range(2)})
    assert space.claimed("finished", beats(2)).finish() == 200
    expected["finished"] = ("Succeeded", None)

    draw = random.Random(3)
    for life_seconds in [0.02, 0.1] + [draw.uniform(0.1, 1.2) for _ in range(8)] + [2.3, 2.6]:
        controller = space.controller(wait=False)
        time.sleep(life_seconds)
        controller.kill()
    last = space.controller()
    for name, (phase, reason) in expected.items():
        if reason:
            space.ends(name, phase, reason, 9 + AFTER_STOP_SECONDS + LATE_SECONDS)
    space.stays("finished", "Succeeded", 1)
    assert {run.run["metadata"]["name"]: (run.phase, run.status.get("reason")) for run in space.list()} == expected
    assert {name: len(space.verdicts(name)) for name in expected} == {
        name: int(phase != "Running") for name, (phase, _) in expected.items()}
    space.counted(last, space.reaped_by(last))
    for worker in alive:
        worker.fall_silent()


@story
def test_deadlines_survive_restarts(space):
    """Restarted more often than the limit is long: what counts is the recorded start. Each one lives long enough to
    write, which none does before its grace."""
    worker = space.claimed("restarted", beats(60), {"deadlineSeconds": 9})
    life = AFTER_STOP_SECONDS + 1
    deadline = worker.accepted_at + 9 + 2 * life + LATE_SECONDS
    ended = None
    while not ended:
        assert time.monotonic() < deadline, "the deadline begins anew with every controller"
        controller = space.controller()
        ended = space.observer.wait(space.name, "restarted", lambda seen: seen.phase == "Failed", life)
        controller.kill()
    assert ended.status["reason"] == "DeadlineExceeded" and ended.at - worker.sent_at >= 9


@story
def test_asked_to_stop_it_ends_with_0(space):
    controller = space.controller()
    space.claimed("goes-on", beats(20))
    controller.terminate()
    assert controller.exit_code(STOP_SECONDS_MAX) == 0
    assert controller.lines("info stopped")
    space.stays("goes-on", "Running", 0)


@story
def test_asked_to_stop_it_ends_with_0_when_no_server_answers(space):
    gate = space.gate(listening=False)
    controller = space.controller(kubeconfig=gate.kubeconfig, wait=False)
    eventually(lambda: controller.lines("error"))
    controller.terminate()
    assert controller.exit_code(STOP_SECONDS_MAX) == 0


@story
def test_asked_to_stop_it_waits_for_the_verdict_under_way(space):
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig)
    space.dead("under-way", beats(2))
    verdict = gate.catch("PATCH", "/under-way/status").wait()
    controller.terminate()
    eventually(lambda: controller.lines("info stopping"))
    with pytest.raises(Exception, match="timed out"):
        controller.exit_code(0.5)
    assert verdict.forward() == 200
    assert controller.exit_code(STOP_SECONDS_MAX) == 0
    space.ends("under-way", "Stuck", "HeartbeatTimeout", LATE_SECONDS)
    assert controller.lines("reaped", "under-way"), "what it did is told"


@story
def test_asked_twice_to_stop_it_waits_for_nothing(space):
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig)
    space.dead("cut-short", beats(2))
    verdict = gate.catch("PATCH", "/cut-short/status").wait()
    controller.terminate()
    eventually(lambda: controller.lines("info stopping"))
    with pytest.raises(Exception, match="timed out"):
        controller.exit_code(0.5)
    controller.terminate()
    assert controller.exit_code(2) == 1
    assert controller.lines("info", "stopping at once")
    verdict.lose()
