"""jobrun explain."""

import json

import pytest

from controller import Controller
from list_test import ESCAPES
from place import ago
from space import eventually

NOBODY = "http://127.0.0.1:1"


def rules(explanation):
    return {rule["rule"]: rule["state"] for rule in explanation["rules"]}


@pytest.fixture
def controller(place, tmp_path):
    started = Controller(tmp_path / "controller.log", place.server.kubeconfig, "--namespace", place.name,
                         "--leader-election-namespace", place.name)
    started.start()
    yield started.await_ready()
    started.stop()


def test_the_controller_is_asked_where_it_is_reachable(place, controller):
    place.claimed("a", {"deadlineSeconds": 3600, "heartbeat": {"timeoutSeconds": 600}})
    url = f"http://{controller.metrics_address}"
    asked = lambda: json.loads(place.said("explain", "a", "-o", "json", "--controller", url))
    eventually(lambda: asked()["source"] == f"the controller at {url}" and asked()["phase"] == "Running")
    told = asked()
    assert (told["run"], told["phase"]) == (f"{place.name}/a", "Running") and "controller" in told
    assert rules(told)["HeartbeatLost"] == rules(told)["Deadline"] == "later"
    assert told["status"]["claimedBy"] == "w-1"
    text = place.said("explain", f"{place.name}/a", JOBRUN_CONTROLLER=url)
    assert f"the controller at {url}" in text and "HeartbeatLost" in text and "by w-1" in text


def test_without_a_controller_the_object_tells(place):
    place.claimed("a", {"deadlineSeconds": 3600, "heartbeat": {"intervalSeconds": 1, "timeoutSeconds": 2}})
    asked = lambda: json.loads(place.said("explain", "a", "-o", "json", "--controller", NOBODY))
    # No earlier than the run: whatever the stamps of its worker say, it can't have been silent before.
    eventually(lambda: rules(asked())["HeartbeatLost"] == "due")
    told = asked()
    assert told["source"].startswith("the object alone") and NOBODY in told["source"]
    assert told["verdict"]["reason"] == "HeartbeatTimeout" and 0 <= told["verdict"]["dueSinceSeconds"] < 20
    assert told["thresholds"]["heartbeat.timeoutSeconds"] == {"value": 2, "from": "run"}
    assert told["thresholds"]["claimTTLSeconds"] == {"value": 7200, "from": "built-in"}
    text = place.said("explain", "a", "--controller", NOBODY)
    assert "HeartbeatTimeout is due since" in text and "built-in" in text
    order = [text.index(f" {name} ") for name in ("Deadline", "HeartbeatLost", "NeverBeat", "ClaimExpired", "Backstop")]
    assert order == sorted(order)


def test_a_heartbeat_in_time_keeps_it(place):
    place.claimed("a", {"heartbeat": {"intervalSeconds": 5, "timeoutSeconds": 600}}, beat_ago=1)
    told = json.loads(place.said("explain", "a", "-o", "json", "--controller", NOBODY))
    assert rules(told)["HeartbeatLost"] == "later" and "verdict" not in told
    (due,) = [rule["dueInSeconds"] for rule in told["rules"] if rule["state"] == "later"]
    assert 500 < due <= 600


def test_what_an_object_does_not_tell_is_unknown(place):
    place.claimed("a", {"progressTimeoutSeconds": 60, "heartbeat": {"source": "Lease"}})
    told = json.loads(place.said("explain", "a", "-o", "json", "--controller", NOBODY))
    assert rules(told)["NoProgress"] == rules(told)["HeartbeatLost"] == "unknown" and "verdict" not in told


def test_an_end_is_told_with_its_retry_and_its_events(place):
    place.failed("a", reason="ExitNonZero", message="exit code 3", exitCode=3,
                 conditions=[{"type": "Stuck", "status": "False", "reason": "Because", "message": ESCAPES,
                              "lastTransitionTime": "2026-01-01T00:00:00Z"}])
    tell_events(place)
    text = place.said("explain", "a", "--controller", NOBODY)
    assert "it has ended" in text and "exit code 3" in text and "note of a" in text and "note of b" not in text
    assert not set(text) & set("\x1b\x07\r\u202e\u009b")


def tell_events(place):
    """One about the run `a`, and one about another."""
    uid = place.rest.get(f"{place.runs}/a").body["metadata"]["uid"]
    for number, (name, about) in enumerate((("a", uid), ("b", "00000000-0000-4000-8000-000000000000"))):
        event = {"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": f"e-{number}"}, "type": "Warning",
                 "eventTime": ago(5), "reportingController": "jobrun.dev/controller", "reportingInstance": "x",
                 "action": "Reap", "reason": "ExitNonZero", "note": f"note of {name}",
                 "regarding": {"apiVersion": "jobrun.dev/v1", "kind": "JobRun", "namespace": place.name, "name": name,
                               "uid": about}}
        assert place.rest.post(f"/apis/events.k8s.io/v1/namespaces/{place.name}/events", event).code == 201


def test_events_of_the_core_group_do_where_the_others_may_not_be_read(place):
    place.failed("a")
    tell_events(place)
    gate = place.gate()
    gate.refuse(403, "may not", lambda method, path, headers: path.startswith("/apis/events.k8s.io/"))
    told = json.loads(place.said("explain", "a", "-o", "json", "--controller", NOBODY, kubeconfig=gate.kubeconfig))
    assert [(event["type"], event["reason"], event["note"]) for event in told["events"]] == [
        ("Warning", "ExitNonZero", "note of a")]
    assert told["events"][0]["time"]
    gate.refuse(403, "may not", lambda method, path, headers: "/events" in path)
    told = json.loads(place.said("explain", "a", "-o", "json", "--controller", NOBODY, kubeconfig=gate.kubeconfig))
    assert "events" not in told and told["phase"] == "Failed"


def test_a_controller_of_another_cluster_is_not_believed(place, controller, tmp_path):
    url = f"http://{controller.metrics_address}"
    place.claimed("a")
    asked = lambda: json.loads(place.said("explain", "a", "-o", "json", "--controller", url))
    eventually(lambda: asked()["source"].startswith("the controller at"))
    gate = place.gate()
    uid = place.rest.get(f"{place.runs}/a").body["metadata"]["uid"]
    gate.rewrite(uid.encode(), b"00000000-0000-4000-8000-000000000000")
    told = json.loads(place.said("explain", "a", "-o", "json", "--controller", url, kubeconfig=gate.kubeconfig))
    assert "it watches another cluster" in told["source"]


@pytest.mark.parametrize("arguments, code, words", [
    (["nobody"], 66, "not found"), (["A_B"], 64, "expected the name of a run"), ([], 64, "run is required"),
    (["a", "--controller", "ftp://x"], 64, "--controller"), (["a", "-o", "yaml"], 64, "expected one of text, json")])
def test_bad_input(place, arguments, code, words):
    done = place.tool("explain", *arguments)
    assert done.returncode == code and words in done.stderr and done.stderr.count("\n") == 1
