"""What becomes of runs: one controller, one world, and workers of every kind in it."""

import datetime
import email.utils
import json
import re
import subprocess
import time

import canaries
from kubectl_test import kubectl
from space import LATE_SECONDS, TERMINAL, beats, eventually, known, scaled
from stories import WORLD_CONFIG, story, world_story
from workers import rfc3339

YEARS_AGO = "2016-02-29T12:00:00Z"
WHOLE_WORLD = "the world does not hold all kinds of ends: were only some of its stories run?"
YEAR = datetime.timedelta(days=365)


# Silence.


@world_story
def test_fresh_heartbeat_claimed_years_ago_stays_running(space):
    """Though the coarse limit for runs that send none is shorter than the time between two heartbeats."""
    worker = space.claimed("years-ago", beats(7), {"claimTTLSeconds": 2}, at=YEARS_AGO)
    worker.beat_every(3)
    space.stays("years-ago", "Running", 9)


@world_story
def test_the_same_run_once_its_heartbeat_stops_becomes_stuck(space):
    worker = space.claimed("then-silent", beats(4), {"claimTTLSeconds": 2}, at=YEARS_AGO)
    worker.beat_every(1)
    space.stays("then-silent", "Running", 5)
    worker.fall_silent()
    space.silent_until_reaped(worker, "then-silent", 4)


@world_story
def test_late_heartbeats_within_the_threshold_are_never_reaped(space):
    """150 s with beats of 30 s that come after 120 s, everything 25 times faster."""
    for name in ("late", "late-again", "late-at-last"):
        worker = space.claimed(name, beats(6)).beat_every(4.8)
        other = space.observer.wait(space.name, name, lambda seen: seen.phase in TERMINAL, 16)
        worker.fall_silent()
        if worker.gap_max < 6:
            assert other is None and worker.gap_max > 4
            assert worker.finish() == 200
            return
    assert False, "this machine was too busy to send heartbeats in time, three times"


@story
def test_claim_hours_old_with_a_recent_heartbeat_stays_running(space):
    """Whether the controller finds it or sees it come. With the coarse limit at two seconds it still ends for silence."""
    now = datetime.datetime.now(datetime.timezone.utc)
    hours_ago, recently = (rfc3339(now - datetime.timedelta(seconds=ago)) for ago in (3 * 3600, 30))
    strict = {}
    for when in ("found", "seen"):
        for name, spec in ((f"{when}-default", {}), (f"{when}-strict", {**beats(6), "claimTTLSeconds": 2})):
            worker = space.claimed(name, spec, at=hours_ago)
            assert worker.beat(at=recently) == 200
        strict[f"{when}-strict"] = worker
        if when == "found":
            space.controller()
    for name, worker in strict.items():
        ended = space.ends(name, "Stuck", "HeartbeatTimeout", 6 + 2 * LATE_SECONDS)
        assert ended.at - worker.sent_at >= 6
    for when in ("found", "seen"):
        space.stays(f"{when}-default", "Running", 0)


@world_story
def test_a_heartbeat_that_repeats_the_claim_is_none(space):
    """Not before two seconds more than the silence that would end a run which has sent one."""
    at = "2026-01-01T10:00:00Z"
    worker = space.claimed("repeats", beats(2), at=at)
    assert worker.beat(at="2026-01-01T10:00:00.4Z") == 200
    space.stays("repeats", "Running", 6)


@world_story
def test_never_having_sent_a_heartbeat_is_no_silence(space):
    space.claimed("never-beat", beats(2))
    space.stays("never-beat", "Running", 7)


@world_story
def test_required_heartbeats_that_never_started(space):
    worker = space.claimed("never-started", beats(20, mode="Required", firstTimeoutSeconds=3))
    ended = space.ends("never-started", "Stuck", "HeartbeatNeverStarted", 3 + LATE_SECONDS)
    assert ended.at - worker.sent_at >= 3


@world_story
def test_coarse_limit_ends_a_run_that_sends_no_heartbeats(space):
    worker = space.claimed("coarse", beats(2), {"claimTTLSeconds": 3})
    ended = space.ends("coarse", "Stuck", "ClaimExpired", 3 + LATE_SECONDS)
    assert ended.at - worker.sent_at >= 3


@world_story
def test_coarse_limit_ends_a_run_whose_heartbeats_are_ignored(space):
    space.claimed("ignored", {"lane": "silent"}).beat_every(1)
    space.ends("ignored", "Stuck", "ClaimExpired", 3 + LATE_SECONDS)


# Deadlines.


@world_story
def test_deadline_ends_a_run_that_hangs_and_still_beats(space):
    worker = space.claimed("hangs", beats(4), {"deadlineSeconds": 3})
    started = worker.sent_at
    worker.beat_every(1)
    ended = space.ends("hangs", "Failed", "DeadlineExceeded", 3 + LATE_SECONDS)
    assert ended.status["message"] == "deadline exceeded by sweeper"
    assert ended.at - started >= 3


@story
def test_deadline_beats_silence(space):
    """Both have passed when the controller may write at last."""
    space.controller(config={"reaping": "Disabled"})
    (path,) = space.dir.glob("config-*.yaml")
    worker = space.dead("hangs-silent", beats(3), {"deadlineSeconds": 3})
    time.sleep(max(0.0, worker.accepted_at + 6 - time.monotonic()))
    path.write_text(json.dumps(scaled({})))
    space.ends("hangs-silent", "Failed", "DeadlineExceeded", LATE_SECONDS)


@world_story
def test_pending_deadline_ends_a_run_that_nobody_claims(space):
    created = time.monotonic()
    space.create("unclaimed", {"pendingDeadlineSeconds": 3})
    ended = space.ends("unclaimed", "Failed", "PendingDeadlineExceeded", 3 + 1 + LATE_SECONDS)
    assert ended.at - created >= 3
    space.create("unclaimed-for-ever")
    space.stays("unclaimed-for-ever", "Pending", 2)


@world_story
def test_backstop_ends_a_run_however_alive(space):
    worker = space.claimed("too-long", beats(4), {"backstopSeconds": 4})
    started = worker.sent_at
    worker.beat_every(1)
    ended = space.ends("too-long", "Stuck", "BackstopExceeded", 4 + LATE_SECONDS)
    assert ended.at - started >= 4


@world_story
def test_start_is_stamped_on_runs_that_have_a_deadline_by_the_servers_clock(space):
    worker = space.claimed("stamped", {"deadlineSeconds": 600}, clock_off=YEAR)
    space.claimed("not-stamped")
    seen = space.observer.wait(space.name, "stamped", lambda seen: "startTime" in seen.status, LATE_SECONDS)
    assert seen, "no startTime"
    stamp = datetime.datetime.fromisoformat(seen.status["startTime"].replace("Z", "+00:00"))
    date = email.utils.parsedate_to_datetime(space.rest.get(space.runs + "?limit=1").headers["Date"])
    passed = time.monotonic() - worker.sent_at
    assert -2 <= (date - stamp).total_seconds() <= passed + 2
    assert "startTime" not in space.get("not-stamped").status


@world_story
def test_clock_of_the_worker_moves_no_deadline(space):
    """A year ahead or behind: the limit counts from when the claim was seen."""
    started = {}
    for name, clock_off in (("ahead", YEAR), ("behind", -YEAR)):
        worker = space.claimed(name, beats(4), {"deadlineSeconds": 3}, clock_off=clock_off)
        started[name] = worker.sent_at
        worker.beat_every(1)
    for name, at in started.items():
        ended = space.ends(name, "Failed", "DeadlineExceeded", 3 + LATE_SECONDS)
        assert ended.at - at >= 3


# Bad objects.


@world_story
def test_absurd_timestamps_stop_nobody(space):
    """Heartbeats are compared, never interpreted: each of these is as good as any, and its silence counts as any."""
    absurd = {
        "year-9999": ("9999-12-31T23:59:59.999999999+99:99", "9999-12-31T23:59:58Z"),
        "year-0": ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00-23:59"),
        "fractions": ("2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00.123456789123456789Z"),
        "offsets": ("2026-01-01T00:00:00+99:59", "2026-01-01t00:00:00,5z"),
    }
    workers = {name: space.claimed(name, beats(4), at="9999-12-31T23:59:59Z") for name in absurd}
    dead = space.dead("not-absurd", beats(4))
    deadline = time.monotonic() + 6
    turn = 0
    while time.monotonic() < deadline:
        for name, worker in workers.items():
            assert worker.beat(at=absurd[name][turn % 2]) == 200
        turn += 1
        time.sleep(0.7)
    for name in absurd:
        space.stays(name, "Running", 0)
    space.silent_until_reaped(dead, "not-absurd", 4)
    for name, worker in workers.items():
        space.silent_until_reaped(worker, name, 4)


@story
def test_an_object_that_can_not_be_decoded_stops_nobody(space):
    gate = space.gate()
    gate.rewrite(b'"lane":"undecodable"', b'"lane":7')
    space.dead("undecodable-found", {**beats(2), "lane": "undecodable"})
    found = space.dead("found", beats(4))
    controller = space.controller(kubeconfig=gate.kubeconfig)
    space.dead("undecodable-seen", {**beats(2), "lane": "undecodable"})
    seen = space.dead("seen", beats(4))
    space.ends("found", "Stuck", "HeartbeatTimeout", found.accepted_at + 8 + LATE_SECONDS - time.monotonic())
    space.silent_until_reaped(seen, "seen", 4)
    for name in ("undecodable-found", "undecodable-seen"):
        space.stays(name, "Running", 0)
        line, = controller.lines("error", f"{space.name}/{name}")
        assert "spec.lane" in line
    assert controller.metrics().total("jobrun_invalid_objects_total") >= 2


# Runs that are left alone, and what a verdict leaves alone.


@world_story
def test_a_finished_run_is_left_alone(space):
    worker = space.claimed("finished", beats(2), {"deadlineSeconds": 4, "backstopSeconds": 4})
    assert worker.beat() == 200 and worker.finish() == 200
    version = space.get("finished").version
    space.stays("finished", "Succeeded", 6)
    assert space.get("finished").version == version


@world_story
def test_disabled_and_dry_run_are_left_alone(space):
    specs = {"off-by-run": {"reaping": "Disabled"}, "off-by-lane": {"lane": "off"},
             "dry-by-run": {"reaping": "DryRun"}, "dry-by-lane": {"lane": "dry"}}
    for name, spec in specs.items():
        space.dead(name, beats(2), spec)
    suppressed = {("default", "disabled"), ("off", "disabled"), ("default", "dry_run"), ("dry", "dry_run")}
    eventually(lambda: suppressed <= set(
        space.shared_controller.metrics().by("jobrun_verdicts_suppressed_total", "lane", "cause")), 2 + LATE_SECONDS)
    for name in specs:
        space.stays(name, "Running", 0.5)


@world_story
def test_conditions_of_others_survive_the_verdict(space):
    gate = {"type": "DataChecked", "status": "False", "reason": "Counting", "message": 'half "way"', "observedGeneration": 1}
    worker = space.dead("checked", beats(6))
    assert space.status("checked", conditions=[gate]).code == 200
    time.sleep(1)
    changed = {**gate, "status": "True", "reason": "Counted"}
    assert space.status("checked", conditions=[changed]).code == 200
    ended = space.silent_until_reaped(worker, "checked", 6)
    assert [condition for condition in ended.status["conditions"] if condition["type"] != "Stuck"] == [changed]


@world_story
def test_run_before_lane_before_default(space):
    """Silent at the same time: the lane's 3 s, the defaults' 6 s, and 9 s of a run in that lane."""
    assert WORLD_CONFIG["lanes"]["quick"]["heartbeat"]["timeoutSeconds"] == 3
    of_default, of_lane = space.dead("of-default"), space.dead("of-lane", {"lane": "quick"})
    of_run = space.dead("of-run", {"lane": "quick", "heartbeat": {"timeoutSeconds": 9}})
    for worker, name, timeout in ((of_lane, "of-lane", 3), (of_default, "of-default", 6), (of_run, "of-run", 9)):
        ended = space.silent_until_reaped(worker, name, timeout)
        assert ended.status["message"] == f"no heartbeat for {timeout} s"


@world_story
def test_edited_threshold_takes_effect_at_once(space):
    """A worker can't know of it yet, so the run has two intervals from the change."""
    space.dead("edited", beats(60))
    time.sleep(2)
    edited = time.monotonic()
    assert space.rest.merge(f"{space.runs}/edited", {"spec": beats(4, interval=2)}).code == 200
    ended = space.ends("edited", "Stuck", "HeartbeatTimeout", 4 + LATE_SECONDS)
    assert ended.at - edited >= 4


@world_story
def test_a_run_that_is_being_deleted_is_left_alone(space):
    space.create("being-deleted", beats(3), finalizers=["example.com/wait"])
    worker = space.worker("being-deleted").claim()
    assert worker.beat(at="2001-01-01T00:00:00Z") == 200
    assert space.rest.delete(f"{space.runs}/being-deleted").code == 200
    space.stays("being-deleted", "Running", 6)
    assert space.rest.merge(f"{space.runs}/being-deleted", {"metadata": {"finalizers": None}}).code == 200


@world_story
def test_after_the_verdict_a_heartbeat_and_a_revival_are_refused(space):
    worker = space.dead("fenced", beats(2))
    ended = space.silent_until_reaped(worker, "fenced", 2)
    assert worker.beat() == 422
    assert worker.patch(phase="Running") == 422
    assert worker.finish() == 422
    again = space.get("fenced")
    assert again.status == ended.status


@story
def test_a_changed_configuration_takes_effect_without_a_restart(space):
    """A mistake in it does not: what was in force stays."""
    controller = space.controller(config={"lanes": {"sync": {"heartbeat": {"intervalSeconds": 1, "timeoutSeconds": 60}}}})
    (path,) = space.dir.glob("config-*.yaml")
    space.dead("reloaded", {"lane": "sync"})
    space.stays("reloaded", "Running", 3)
    path.write_text('{"lanes": {"sync": {"heartbeat": {"intervalSeconds": 1, "timeoutSeconds": "soon"}}}}')
    eventually(lambda: controller.metrics().total("jobrun_config_last_reload_successful") == 0)
    assert controller.lines("stays in force", "timeoutSeconds")
    space.stays("reloaded", "Running", 3)
    path.write_text('{"lanes": {"sync": {"heartbeat": {"intervalSeconds": 1, "timeoutSeconds": 3}}}}')
    space.ends("reloaded", "Stuck", "HeartbeatTimeout", 30)
    assert controller.metrics().total("jobrun_config_last_reload_successful") == 1


# When all of it is over, what the world's controller and kubectl say of it.


def test_metrics_agree_with_the_objects(stories):
    stories.wait()
    runs, metrics = stories.world.list(), stories.world_controller.metrics()
    named = {"default", *WORLD_CONFIG["lanes"]}
    counted, reaped, finalized, retries = {}, {}, {}, {}
    for run in runs:
        lane = run.run["spec"]["lane"] if run.run["spec"]["lane"] in named else "other"
        counted[lane, run.phase] = counted.get((lane, run.phase), 0) + 1
        if "verdictID" in run.status:
            assert len(stories.world.verdicts(run.name)) == 1
            if run.phase == "Succeeded":
                finalized[lane,] = finalized.get((lane,), 0) + 1
            else:
                reaped[lane, run.status["reason"]] = reaped.get((lane, run.status["reason"]), 0) + 1
        if "state" in run.retry:
            result = re.sub("(?<=[a-z])(?=[A-Z])", "_", run.retry["state"]).lower()
            retries[lane, result] = retries.get((lane, result), 0) + 1
    assert len({reason for _, reason in reaped}) == 10, WHOLE_WORLD
    assert metrics.by("jobrun_reaps_total", "lane", "reason") == reaped
    assert metrics.by("jobrun_finalized_total", "lane") == finalized
    assert metrics.by("jobrun_retries_total", "lane", "result") == retries
    assert metrics.by("jobrun_runs", "lane", "phase") == known(counted)
    assert metrics.total("jobrun_detection_lag_seconds_count") == sum([*reaped.values(), *finalized.values()])
    assert metrics.total("jobrun_invalid_objects_total") == 0
    done = subprocess.run(["promtool", "check", "metrics"], input=metrics.text, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_kubectl_shows_the_phases_and_the_reasons(stories, tmp_path):
    stories.wait()
    done = subprocess.run([kubectl(), "--kubeconfig", stories.world.server.kubeconfig, "--cache-dir", tmp_path,
                           "--namespace", stories.world.name, "get", "jr"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()
    starts = {title: header.index(title) for title in ("NAME", "PHASE", "REASON")}
    shown = {cell(row, starts["NAME"]): (cell(row, starts["PHASE"]), cell(row, starts["REASON"])) for row in rows
             if not row.startswith(canaries.LANE)}
    assert shown == {run.run["metadata"]["name"]: (run.status.get("phase", ""), run.status.get("reason", ""))
                     for run in stories.world.list()}
    assert {"Stuck", "Failed", "Succeeded", "Running"} <= {phase for phase, _ in shown.values()}, WHOLE_WORLD


def cell(row, start):
    """The word that begins in this column of kubectl's table; empty when the cell is."""
    return "" if row[start:start + 1] in ("", " ") else row[start:].split()[0]
