"""Kubernetes Events: what people see of a run with `kubectl describe`, as the API server holds it."""

import re

from retries_test import TWICE, failed
from space import LATE_SECONDS, beats, eventually
from stories import story, world_story

EVENTS = "/apis/events.k8s.io/v1/namespaces/{}/events"


def events_about(space, name):
    """All Events about a run of that name, in the order in which they happened."""
    reply = space.rest.get(EVENTS.format(space.name) + f"?fieldSelector=regarding.name%3D{name}%2Cregarding.kind%3DJobRun")
    assert reply.code == 200, reply
    return sorted(reply.body["items"], key=lambda event: (event["eventTime"], event["metadata"]["name"]))


def told(space, name, *reasons, seconds=LATE_SECONDS):
    """The Events about a run, which must be these by their reasons, once each."""
    eventually(lambda: len(events_about(space, name)) >= len(reasons), seconds)
    events = events_about(space, name)
    assert sorted(event["reason"] for event in events) == sorted(reasons)
    return {event["reason"]: event for event in events}


@world_story
def test_a_reap_and_its_retry_are_told(space):
    worker = space.dead("told", beats(3), TWICE)
    ended = space.silent_until_reaped(worker, "told", 3)
    successor = space.successor("told")
    events = told(space, "told", "HeartbeatTimeout", "RetryCreated")
    reap = events["HeartbeatTimeout"]
    uid = space.get("told").run["metadata"]["uid"]
    assert (reap["type"], reap["action"]) == ("Warning", "Reap")
    assert reap["regarding"] == {"apiVersion": "jobrun.dev/v1", "kind": "JobRun", "namespace": space.name, "name": "told",
                                 "uid": uid, "resourceVersion": ended.run["metadata"]["resourceVersion"]}
    assert reap["reportingController"] == "jobrun.dev/controller"
    assert ended.status["verdictID"].startswith(reap["reportingInstance"] + "-")
    assert ended.status["message"] in reap["note"] and successor.name in reap["note"]
    assert re.fullmatch(r"told\.[0-9a-f]{16}", reap["metadata"]["name"])
    assert (events["RetryCreated"]["type"], events["RetryCreated"]["action"]) == ("Normal", "Retry")
    assert successor.name in events["RetryCreated"]["note"]
    assert not any("series" in event and event["series"] for event in events.values())


@world_story
def test_a_run_that_ended_well_is_told_as_normal(space):
    worker = space.claimed("ended-well", {"finalizeGraceSeconds": 2})
    assert worker.patch(exitCode=0, exitTime=worker.now()) == 200
    space.ends("ended-well", "Succeeded", "FinalizedByController", 2 + LATE_SECONDS)
    event = told(space, "ended-well", "FinalizedByController")["FinalizedByController"]
    assert (event["type"], event["action"]) == ("Normal", "Finalize")


@world_story
def test_a_dry_run_is_told(space):
    space.dead("only-said", {"lane": "dry"}, beats(3))
    event = told(space, "only-said", "DryRun", seconds=3 + LATE_SECONDS)["DryRun"]
    assert event["type"] == "Normal" and "HeartbeatTimeout is due and not written" in event["note"]
    assert space.get("only-said").phase == "Running"


@world_story
def test_the_longest_name_has_events_too(space):
    name = "n" * 63 + ".x" * 95  # 253 characters
    space.dead(name, beats(3))
    space.ends(name, "Stuck", "HeartbeatTimeout", 3 + LATE_SECONDS)
    event = told(space, name, "HeartbeatTimeout")["HeartbeatTimeout"]
    assert len(event["metadata"]["name"]) <= 253 and event["regarding"]["name"] == name


@story
def test_what_happens_again_is_counted_on_the_same_event(space):
    """A successor that is refused again and again, and a verdict: with half-second waits, then longer ones."""
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig)
    gate.refuse(403, "exceeded quota: runs", lambda method, path, headers: method == "POST" and "/jobruns" in path)
    failed(space, "refused", TWICE)
    eventually(lambda: any((event.get("series") or {}).get("count", 0) >= 2 for event in events_about(space, "refused")), 30)
    (event,) = events_about(space, "refused")
    assert (event["reason"], event["type"], event["action"]) == ("RetryRefused", "Warning", "Retry")
    assert "exceeded quota: runs" in event["note"]
    assert event["series"]["lastObservedTime"] > event["eventTime"]
    numbers = controller.metrics()
    assert numbers.total("jobrun_events_total", result="created") == 1
    assert numbers.total("jobrun_events_total", result="updated") == 1, "the later ones wait for the series' end"


@story
def test_a_lost_answer_makes_no_second_event(space):
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig)
    post = gate.catch("POST", "/events")
    space.dead("lost", beats(2))
    post.wait(30).lose_answer()
    eventually(lambda: controller.metrics().total("jobrun_events_total", result="created") == 1, 30)
    told(space, "lost", "HeartbeatTimeout")


@story
def test_without_the_right_to_write_events_all_else_goes_on(space):
    gate = space.gate()
    controller = space.controller(kubeconfig=gate.kubeconfig)
    gate.refuse(403, "events.events.k8s.io is forbidden", lambda method, path, headers: "/events" in path)
    for name in ("quiet-1", "quiet-2"):
        space.dead(name, beats(2))
    for name in ("quiet-1", "quiet-2"):
        space.ends(name, "Stuck", "HeartbeatTimeout", 2 + LATE_SECONDS)
    space.counted(controller, 2)
    eventually(lambda: controller.metrics().total("jobrun_events_total", result="refused") == 2)
    assert controller.ready()
    assert len(controller.lines("Events can't be written")) == 1
    assert not events_about(space, "quiet-1")


@story
def test_a_mistake_in_a_reloaded_configuration_is_told_of_the_controllers_own_pod(space):
    """With its line and column; what was loaded before stays in force."""
    pod = {"POD_NAME": "jobrun-0", "POD_NAMESPACE": space.name, "POD_UID": "0b5b2f9a-0000-4000-8000-000000000001"}
    controller = space.controller(config={"lanes": {"sync": beats(3)}}, environment=pod)
    (path,) = space.dir.glob("config-*.yaml")
    path.write_text("lanes:\n  sync: {heartbeat: {timeoutSeconds: soon}}\n")
    about = "?fieldSelector=regarding.name%3Djobrun-0%2Cregarding.kind%3DPod"
    eventually(lambda: space.rest.get(EVENTS.format(space.name) + about).body["items"])
    (event,) = space.rest.get(EVENTS.format(space.name) + about).body["items"]
    assert (event["type"], event["reason"], event["action"]) == ("Warning", "InvalidConfiguration", "Reload")
    assert event["regarding"] == {"apiVersion": "v1", "kind": "Pod", "namespace": space.name, "name": "jobrun-0",
                                  "uid": pod["POD_UID"]}
    assert f"{path.name}:2:" in event["note"] and "lanes.sync.heartbeat.timeoutSeconds" in event["note"]
    worker = space.dead("judged-as-before", {"lane": "sync"})
    space.silent_until_reaped(worker, "judged-as-before", 3)
    assert controller.metrics().total("jobrun_config_last_reload_successful") == 0
