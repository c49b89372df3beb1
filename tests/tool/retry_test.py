"""jobrun retry."""

import json

import pytest


def test_a_finished_run_is_made_again(place):
    spec = {"lane": "sync", "deadlineSeconds": 9, "payload": {"path": "/x", "n": 1.50}}
    place.create("a", {**spec, "attempt": 3, "retryOf": {"name": "z", "uid": "1d9f5d29-8b4c-4d5c-9c8b-111111111111"}}, labels={"team": "x"},
                 annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}", "why": "because"})
    place.status("a", phase="Running", claimedBy="w", claimedAt="2026-01-01T00:00:00Z")
    place.status("a", phase="Failed", reason="Broken")
    namespace, name = place.said("retry", "a").strip().split("/")
    assert namespace == place.name and name.startswith("a-") and len(name) == len("a-") + 10
    made = place.rest.get(f"{place.runs}/{name}").body
    assert made["spec"] == spec and made["metadata"]["labels"] == {"team": "x"}
    assert made["metadata"]["annotations"] == {"why": "because", "jobrun.dev/retried-from": "a"}
    assert "phase" not in made.get("status", {})


def test_its_name_may_be_chosen_once(place):
    place.failed("a")
    assert json.loads(place.said("retry", "a", "--name", "again", "-o", "json"))["metadata"]["name"] == "again"
    done = place.tool("retry", "a", "--name", "again")
    assert done.returncode == 1 and "already exists" in done.stderr


@pytest.mark.parametrize("make", ["create", "claimed"])
def test_an_active_run_is_left_alone(place, make):
    getattr(place, make)("a")
    done = place.tool("retry", "a", "-o", "json")
    told = json.loads(done.stderr)["error"]
    assert (done.returncode, told["reason"], done.stdout) == (65, "Over", "")
    assert "claimed by w-1" in told["message"] or make == "create"
    assert len(place.rest.get(place.runs).body["items"]) == 1


def test_one_that_the_controller_will_retry_is_left_to_it(place):
    place.failed("a", retry={"state": "Pending", "successorName": "a-1", "notBeforeTime": "2026-01-01T00:00:00Z"})
    done = place.tool("retry", "a")
    assert done.returncode == 65 and "due at 2026-01-01" in done.stderr


def test_a_missing_right_is_77(place):
    place.failed("a")
    gate = place.gate()
    gate.refuse(403, 'User "x" cannot create resource "jobruns"', lambda method, path, headers: method == "POST")
    done = place.tool("retry", "a", kubeconfig=gate.kubeconfig)
    assert done.returncode == 77 and "cannot create" in done.stderr


def test_an_unknown_run_is_66(place):
    done = place.tool("retry", "nobody")
    assert done.returncode == 66 and done.stderr.count("\n") == 1
