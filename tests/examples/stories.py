"""What a worker does, told once for all languages: docs/workers.md, sentence by sentence.

Each is a function of a Case. The intervals are short, so a heartbeat that comes late on a busy machine must be no
failure: what is judged is what a worker does next, and times only where they are what the story is about.
"""

import socket
import time

from cases import START_SECONDS_MAX, elapsed, is_time

CLAIMED_AT = "2026-01-01T00:00:00.000000Z"
_EVERYWHERE = []  # Also told on the real API server.
STORIES = []


def story(tell):
    STORIES.append(tell)
    return tell


def everywhere(tell):
    _EVERYWHERE.append(tell)
    return story(tell)


def told_on(server):
    """The stories for that server."""
    return STORIES if server == "dev" else _EVERYWHERE


@everywhere
def claims_works_and_finishes(case):
    case.create(interval=3, steps=75)
    worker = case.work()
    assert worker.exit_code() == 0
    versions = case.versions()
    claim = next(seen for seen in versions if seen.phase == "Running").status
    assert claim["claimedBy"] == f"{socket.gethostname()}-{worker.pid}"
    assert is_time(claim["claimedAt"]), claim
    exited = next(seen for seen in versions if "exitCode" in seen.status)
    assert exited.phase == "Running", "the exit code is recorded before the end is reported"
    end = case.status
    assert (end["phase"], end["exitCode"]) == ("Succeeded", 0)
    times = [end[key] for key in ("claimedAt", "lastHeartbeatAt", "exitTime", "completionTime")]
    assert times == sorted(times) and all(map(is_time, times)), times


@story
def beats_once_an_interval_and_tells_its_progress(case):
    worker = case.claimed(step_seconds=0.1, steps=80)
    assert worker.exit_code() == 0
    beats, last = [], None
    for seen in case.versions():
        if seen.status.get("lastHeartbeatAt") != last:
            beats.append(seen)
            last = seen.status["lastHeartbeatAt"]
    assert len(beats) >= 3, [seen.status for seen in beats]
    gaps = [later.at - earlier.at for earlier, later in zip(beats, beats[1:])]
    assert 1 < min(gaps) and max(gaps) < 7, f"an interval is 2 s: {gaps}"
    steps = [int(seen.status["progress"].removesuffix("/80")) for seen in beats]
    assert steps == sorted(set(steps)), steps


@everywhere
def work_that_fails_is_reported(case):
    worker = case.claimed(steps=10, fail_at=3)
    assert worker.exit_code() == 1
    end = case.status
    assert (end["phase"], end["reason"], end["exitCode"]) == ("Failed", "WorkFailed", 1)


@story
def work_that_hangs_is_not_beaten_for(case):
    worker = case.claimed(interval=1, step_seconds=3600)
    time.sleep(3)
    assert worker.is_alive and "lastHeartbeatAt" not in case.status


@everywhere
def a_verdict_stops_it(case):
    gate = case.gate()
    case.create()
    worker = case.work(kubeconfig=gate.kubeconfig)
    case.beat()
    case.patch(phase="Stuck", reason="HeartbeatTimeout")
    before, since = gate.patches, time.monotonic()
    assert worker.exit_code() == 65
    assert elapsed(since) < 6, "an interval is 2 s"
    assert gate.patches - before <= 1, "after the refusal it writes nothing more"


@everywhere
def a_new_run_of_the_same_name_stops_it(case):
    worker = case.claimed()
    case.create()
    case.patch(phase="Running", claimedBy="another", claimedAt=CLAIMED_AT)
    assert worker.exit_code() == 65
    assert case.status == {"phase": "Running", "claimedBy": "another", "claimedAt": CLAIMED_AT}


@story
def a_new_run_that_nobody_has_claimed_stops_it(case):
    worker = case.claimed()
    case.create()
    assert worker.exit_code() == 65
    assert not case.status


@everywhere
def a_new_run_of_the_same_name_that_the_same_worker_has_stops_it(case):
    """A pod's container that was started anew, say: its name is the same."""
    case.create()
    worker = case.work(POD_NAME="worker-7")
    case.wait(lambda seen: seen.phase == "Running", START_SECONDS_MAX)
    case.create()
    case.patch(phase="Running", claimedBy="worker-7", claimedAt=CLAIMED_AT)
    assert worker.exit_code() == 65
    assert case.status == {"phase": "Running", "claimedBy": "worker-7", "claimedAt": CLAIMED_AT}


@everywhere
def the_end_does_not_hit_a_new_run_of_the_same_name(case):
    gate = case.gate()
    case.create(steps=2, interval=6)
    worker = case.work(kubeconfig=gate.kubeconfig)
    end = _caught_end(gate)
    case.create()
    assert end.forward() == 422, "a Pending run may become Succeeded: only its uid tells it from the other"
    assert worker.exit_code() == 65
    assert not case.status


@story
def a_run_that_is_deleted_stops_it(case):
    worker = case.claimed()
    case.rest.delete(case.path)
    assert worker.exit_code() == 65


@everywhere
def anothers_run_is_left_to_it(case):
    case.create()
    case.patch(phase="Running", claimedBy="another", claimedAt=CLAIMED_AT)
    worker = case.work()
    assert worker.exit_code() == 73
    assert "another" in worker.output and CLAIMED_AT in worker.output
    assert case.status == {"phase": "Running", "claimedBy": "another", "claimedAt": CLAIMED_AT}


@everywhere
def a_run_that_is_assigned_to_another_is_left_to_it(case):
    case.create(assignedTo="worker-8")
    worker = case.work(POD_NAME="worker-7")
    assert worker.exit_code() == 73
    assert "assigned to worker-8" in worker.output
    assert not case.status


@story
def a_run_that_is_assigned_to_it_is_its_own(case):
    case.create(assignedTo="worker-7", steps=2)
    assert case.work(POD_NAME="worker-7").exit_code() == 0
    assert case.status["phase"] == "Succeeded"


@story
def of_two_that_claim_one_gives_way(case):
    gate = case.gate()
    case.create()
    claim = gate.catch("PATCH", "/status")
    worker = case.work(kubeconfig=gate.kubeconfig)
    claim.wait(START_SECONDS_MAX)
    case.patch(phase="Running", claimedBy="another", claimedAt=CLAIMED_AT)
    assert claim.forward() == 409, "a claim is guarded by the version that was read"
    assert worker.exit_code() == 73
    assert "another" in worker.output


@story
def after_a_conflict_it_reads_again_and_claims(case):
    gate = case.gate()
    case.create(steps=2)
    claim = gate.catch("PATCH", "/status")
    worker = case.work(kubeconfig=gate.kubeconfig)
    claim.wait(START_SECONDS_MAX)
    case.patch(message="somebody else has written")
    assert claim.forward() == 409, "a claim is guarded by the version that was read"
    assert worker.exit_code() == 0
    assert case.status["phase"] == "Succeeded"


@story
def a_claim_whose_answer_is_lost_is_its_own(case):
    gate = case.gate()
    case.create(steps=2)
    claim = gate.catch("PATCH", "/status")
    worker = case.work(kubeconfig=gate.kubeconfig)
    claim.wait(START_SECONDS_MAX).lose_answer()
    assert worker.exit_code() == 0
    assert case.status["phase"] == "Succeeded"


@story
def a_run_that_is_over_is_not_begun(case):
    case.create()
    case.patch(phase="Failed", reason="PendingDeadlineExceeded")
    assert case.work().exit_code() == 65


@everywhere
def an_unknown_run_is_told(case):
    assert case.work(name="nobody-knows-it").exit_code() == 66


@story
def without_permission_it_does_not_begin(case):
    gate = case.gate()
    case.create()
    gate.refuse(403)
    assert case.work(kubeconfig=gate.kubeconfig).exit_code() == 77


@story
def without_a_server_it_does_not_begin(case):
    gate = case.gate()
    gate.cut()
    assert case.work(kubeconfig=gate.kubeconfig).exit_code() == 69


@story
def no_outage_stops_the_work(case):
    gate = case.gate()
    case.create()
    worker = case.work(kubeconfig=gate.kubeconfig)
    case.beat()
    for trouble in (401, 403, 429, 500, 503):
        end, count = gate.refuse(trouble), gate.requests
        _await(lambda count=count: gate.requests > count, f"a heartbeat that meets {trouble}")
        end()
    end, count = gate.hold(), gate.requests
    _await(lambda: gate.requests >= count + 2, "a heartbeat after the one without an answer: requests have a deadline")
    end()
    gate.cut()
    time.sleep(4.5)  # Of intervals that are 2 s.
    gate.heal()
    assert worker.is_alive, worker.output
    case.beat(after=time.monotonic())
    case.cancel()
    assert worker.exit_code() == 65


@story
def an_answer_that_is_cut_short_does_not_stop_the_work(case):
    gate = case.gate()
    case.create()
    worker = case.work(kubeconfig=gate.kubeconfig)
    case.beat()
    end, count = gate.cut_short(), gate.requests
    _await(lambda: gate.requests >= count + 2, "a heartbeat after the one whose answer was cut short")
    end()
    assert worker.is_alive, worker.output
    case.beat(after=time.monotonic())
    case.cancel()
    assert worker.exit_code() == 65


@story
def a_whole_timeout_without_an_accepted_heartbeat_stops_it(case):
    gate = case.gate()
    case.create(timeout=8)
    worker = case.work(kubeconfig=gate.kubeconfig)
    seen = case.beat()
    gate.cut()
    assert worker.exit_code() == 65
    # The worker need not have had the answer to the heartbeat that was seen: then the one before counts.
    assert 5 < elapsed(seen.at) < 12, elapsed(seen.at)
    gate.heal()
    assert case.status["phase"] == "Running", "it writes nothing more"


@story
def the_end_of_the_work_is_reported_after_an_outage(case):
    gate = case.gate()
    case.create(steps=50)
    worker = case.work(kubeconfig=gate.kubeconfig)
    case.beat()
    gate.cut()
    time.sleep(6)
    assert worker.is_alive and case.status["phase"] == "Running"
    gate.heal()
    assert worker.exit_code() == 0
    assert case.status["phase"] == "Succeeded"


@story
def an_end_whose_answer_is_lost_is_no_fence(case):
    gate = case.gate()
    case.create(steps=2, interval=6)
    worker = case.work(kubeconfig=gate.kubeconfig)
    _caught_end(gate).lose_answer()
    assert worker.exit_code() == 0
    assert case.status["phase"] == "Succeeded"


@everywhere
def cancelled_it_stops_and_says_so(case):
    worker = case.claimed()
    case.cancel()
    assert worker.exit_code() == 65
    end = case.status
    assert (end["phase"], end["reason"]) == ("Failed", "Cancelled")
    assert "completionTime" in end and "exitCode" not in end


@everywhere
def asked_to_end_it_hands_the_run_back(case):
    case.create()
    worker = case.work(POD_NAME="worker-7")
    claim = case.wait(lambda seen: seen.phase == "Running", START_SECONDS_MAX)
    assert claim.status["claimedBy"] == "worker-7", "a pod is known by its name"
    worker.terminate()
    assert worker.exit_code() == 143
    end = case.status
    assert (end["phase"], end["reason"]) == ("Failed", "HandedBack")
    assert "completionTime" in end and "exitCode" not in end


def _caught_end(gate):
    """The patch that makes the run Succeeded."""
    caught = gate.catch("PATCH", "/status")
    while {"op": "add", "path": "/status/phase", "value": "Succeeded"} not in list(caught.wait(START_SECONDS_MAX).body):
        earlier, caught = caught, gate.catch("PATCH", "/status")
        earlier.forward()
    return caught


def _await(holds, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)
