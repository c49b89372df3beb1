"""What was promised by name and no other file has: docs/behaviours.md is the list of it all."""

import json
import time

from space import LATE_SECONDS, beats, eventually, scaled
from stories import story, world_story

TWICE = {"retry": {"maxAttempts": 2, "backoffSeconds": 1}}


def writes_of(gate):
    """A list that grows by (method, path) with every write that a controller asks for at that gate."""
    seen = []

    def note(method, path, _):
        if method != "GET":
            seen.append((method, path.partition("?")[0]))
        return False

    gate.refuse(418, "refuses nothing", note)
    return seen


def retries(controller):
    return controller.metrics().by("jobrun_retries_total", "result")


# Heartbeats.


@world_story
def test_a_patch_to_a_run_that_does_not_exist_is_an_error_the_worker_sees(space):
    """Not a silent nothing, nor a run that comes into being: claims, heartbeats and ends alike."""
    nobody = space.worker("nobody")
    codes = [nobody.patch(phase="Running", claimedBy="w1", claimedAt=nobody.now()), nobody.beat(), nobody.finish()]
    assert codes == [404, 404, 404]
    assert space.rest.get(f"{space.runs}/nobody").code == 404
    worker = space.dead("deleted-at-work", beats(60))
    assert space.rest.delete(f"{space.runs}/deleted-at-work").code == 200
    assert (worker.beat(), worker.finish()) == (404, 404)
    assert space.rest.get(f"{space.runs}/deleted-at-work").code == 404


@world_story
def test_a_touch_moves_exactly_one_run(space):
    """Three runs of one worker, in one lane, claimed at the same time."""
    at = "2026-01-01T00:00:00Z"
    names = ("touched", "untouched-1", "untouched-2")
    workers = {name: space.claimed(name, beats(10), at=at) for name in names}
    for worker in workers.values():
        assert worker.beat(at="2026-01-01T00:00:30Z") == 200
    before = {name: space.get(name).version for name in names}
    assert workers["touched"].beat() == 200
    assert [name for name in names if space.get(name).version != before[name]] == ["touched"]
    touching = workers["touched"].beat_every(0.5)
    for name in names[1:]:
        space.silent_until_reaped(workers[name], name, 10)
    space.stays("touched", "Running", 1)
    touching.fall_silent()
    assert touching.finish() == 200


# Limits.


@world_story
def test_backstop_ends_a_run_of_which_nothing_is_known(space):
    """It never sent a heartbeat, or nobody looks at those it sends."""
    space.claimed("too-long-unheard", {"backstopSeconds": 2})
    space.claimed("too-long-ignored", {"backstopSeconds": 2, "lane": "silent", "claimTTLSeconds": 600})
    for name in ("too-long-unheard", "too-long-ignored"):
        space.ends(name, "Stuck", "BackstopExceeded", 2 + LATE_SECONDS)


@story
def test_three_controllers_at_once_give_one_verdict_and_one_count(space):
    """Of coarse limits, silence and exits, with their successors, though none of the three leads."""
    three = [space.controller() for _ in range(3)]
    ends = {}
    for number in range(4):
        space.claimed(f"coarse-{number}", {"claimTTLSeconds": 4}, TWICE)
        ends[f"coarse-{number}"] = ("Stuck", "ClaimExpired")
        space.dead(f"silent-{number}", beats(4), TWICE)
        ends[f"silent-{number}"] = ("Stuck", "HeartbeatTimeout")
        exited = space.claimed(f"exited-{number}", {"finalizeGraceSeconds": 3}, TWICE)
        assert exited.patch(exitCode=1, exitTime=exited.now()) == 200
        ends[f"exited-{number}"] = ("Failed", "ExitNonZero")
    for name, (phase, reason) in ends.items():
        space.ends(name, phase, reason, 4 + LATE_SECONDS)
        space.successor(name)
        assert len(space.verdicts(name)) == 1
    parts = [space.reaped_by(controller) for controller in three]
    assert sum(parts) == len(ends)
    for controller, part in zip(three, parts):
        space.counted(controller, part)
    eventually(lambda: sum(sum(retries(controller).values()) for controller in three) >= len(ends))
    assert sum(retries(controller).get(("created",), 0) for controller in three) == len(ends)
    assert sum(sum(retries(controller).values()) for controller in three) == len(ends)
    assert len(space.list()) == 2 * len(ends)


# Races and switches.


@story
def test_the_loser_of_the_race_to_finalise_has_no_side_effect(space):
    """The worker reports its end while the controller's verdict, with a retry, is on its way."""
    gate = space.gate()
    writes = writes_of(gate)
    controller = space.controller(kubeconfig=gate.kubeconfig)
    worker = space.claimed("contested", {"finalizeGraceSeconds": 1}, TWICE)
    verdict = gate.catch("PATCH", "/contested/status")
    assert worker.patch(exitCode=1, exitTime=worker.now()) == 200
    assert verdict.wait().body["status"]["retry"]["state"] == "Pending"
    assert worker.patch(phase="Succeeded", completionTime=worker.now()) == 200
    version = space.get("contested").version
    assert verdict.forward() == 409
    space.dead("next", beats(2))
    space.ends("next", "Stuck", "HeartbeatTimeout", 2 + LATE_SECONDS)
    space.counted(controller, 1)
    assert space.get("contested").version == version
    of_runs = [write for write in writes if write[1].startswith(space.runs)]
    assert of_runs == [("PATCH", f"{space.runs}/{name}/status") for name in ("contested", "next")]
    events = f"/api/v1/namespaces/{space.name}/events?fieldSelector=involvedObject.name%3Dcontested"
    assert space.rest.get(events).body["items"] == []
    assert not controller.lines("reaped", "contested") and not controller.lines("finalized", "contested")
    assert retries(controller) == {("not_due",): 1}
    assert controller.metrics().total("jobrun_reap_conflicts_total") == 1
    assert controller.metrics().total("jobrun_finalized_total") == 0


@story
def test_the_kill_switch_writes_nothing_and_counts_no_reap(space):
    """Whatever is due; and all of it is done when the switch is turned back."""
    gate = space.gate()
    writes = writes_of(gate)
    controller = space.controller(kubeconfig=gate.kubeconfig, config={"reaping": "Disabled"})
    (path,) = space.dir.glob("config-*.yaml")
    space.dead("silent", beats(2), {"reaping": "Enabled"})
    space.claimed("hangs", {"deadlineSeconds": 2})
    exited = space.claimed("exited", {"finalizeGraceSeconds": 1})
    assert exited.patch(exitCode=0, exitTime=exited.now()) == 200
    reported = space.claimed("reported", TWICE)
    assert reported.patch(phase="Failed", reason="Reported", completionTime=reported.now()) == 200
    eventually(lambda: controller.metrics().by("jobrun_verdicts_suppressed_total", "cause") == {("disabled",): 3})
    assert writes == []
    assert (controller.reaps(), controller.metrics().total("jobrun_finalized_total"), retries(controller)) == (0, 0, {})
    path.write_text(json.dumps(scaled({})))
    space.ends("silent", "Stuck", "HeartbeatTimeout", 30)
    space.ends("hangs", "Failed", "DeadlineExceeded", LATE_SECONDS)
    space.ends("exited", "Succeeded", "FinalizedByController", LATE_SECONDS)
    space.successor("reported")
    eventually(lambda: controller.metrics().total("jobrun_finalized_total") == 1)
    eventually(lambda: controller.reaps() == 2)


@story
def test_the_last_successful_sweep_moves(space):
    """Also where nothing happens: at least every ten seconds."""
    controller = space.controller()

    def last_sweep():
        return controller.metrics().total("jobrun_last_successful_sweep_timestamp_seconds")

    eventually(lambda: last_sweep() > 0)
    for _ in range(2):
        before = last_sweep()
        eventually(lambda before=before: last_sweep() > before + 1, 10 + LATE_SECONDS)
        assert abs(time.time() - last_sweep()) < 10 + LATE_SECONDS


# Lanes.


@story
def test_widening_the_lane_set_is_one_configuration_change(space):
    """Heartbeats count in no lane but those that are listed; one more is listed, and nothing is restarted."""
    quiet = {"heartbeat": {"mode": "Ignored", "intervalSeconds": 1, "timeoutSeconds": 3}}
    judged = {"heartbeat": {"mode": "Auto"}}
    controller = space.controller(config={"defaults": quiet, "lanes": {"sync": judged}})
    (path,) = space.dir.glob("config-*.yaml")
    workers = {lane: space.dead(f"in-{lane}", {"lane": lane}) for lane in ("sync", "embed", "backfill")}
    space.silent_until_reaped(workers["sync"], "in-sync", 3)
    space.stays("in-backfill", "Running", 0)
    path.write_text(json.dumps({"defaults": quiet, "lanes": {"sync": judged, "backfill": judged}}))
    space.ends("in-backfill", "Stuck", "HeartbeatTimeout", 30)
    space.stays("in-embed", "Running", 0)
    assert controller.metrics().by("jobrun_reaps_total", "lane") == {("sync",): 1, ("backfill",): 1}


@world_story
def test_a_lane_that_does_not_heartbeat_is_never_reaped_by_heartbeat(space):
    """A heartbeat that it sent nevertheless, and its silence since, change nothing."""
    space.claimed("quiet", {"lane": "silent", "claimTTLSeconds": 600})
    space.dead("quiet-once-beat", {"lane": "silent", "claimTTLSeconds": 600})
    judged = space.dead("not-quiet", beats(6))
    space.silent_until_reaped(judged, "not-quiet", 6)
    for name in ("quiet", "quiet-once-beat"):
        space.stays(name, "Running", 0)
