"""Successors: one for each run that is to be retried, whatever is killed, lost or refused on the way."""

import time

from gate import FORWARD, LOSE, LOSE_ANSWER
from space import LATE_SECONDS, beats, eventually
from stories import story, world_story

TWICE = {"retry": {"maxAttempts": 2, "backoffSeconds": 1}}


def failed(space, name, *spec, reason="Reported"):
    """A run whose worker reported its failure."""
    worker = space.claimed(name, *spec)
    assert worker.patch(phase="Failed", reason=reason, message="no luck", completionTime=worker.now()) == 200
    return worker


@world_story
def test_a_silent_run_gets_a_successor_that_can_be_worked_on(space):
    worker = space.dead("silent", beats(3), TWICE)
    ended = space.silent_until_reaped(worker, "silent", 3)
    assert ended.retry["state"] == "Pending", "the verdict and the retry are one write"
    successor = space.successor("silent")
    assert successor.run["spec"]["heartbeat"] == beats(3)["heartbeat"] and successor.phase == "Pending"
    assert space.worker(successor.name).claim().finish() == 200


@world_story
def test_a_failure_that_its_worker_reported_is_retried(space):
    failed(space, "reported", TWICE)
    assert space.successor("reported").run["spec"]["attempt"] == 2
    reported = space.get("reported")
    assert (reported.status["reason"], reported.status["message"]) == ("Reported", "no luck")
    assert "verdictID" not in reported.status


@world_story
def test_a_run_that_was_handed_back_costs_no_attempt(space):
    failed(space, "handed-back", {"retry": {"maxAttempts": 1, "backoffSeconds": 1}}, reason="HandedBack")
    assert space.successor("handed-back").run["spec"]["attempt"] == 1


@world_story
def test_nothing_is_retried_unless_it_is_asked_for(space):
    failed(space, "once")
    space.settled("once", "NotDue")
    failed(space, "picky", {"retry": {"maxAttempts": 3, "on": ["HeartbeatTimeout"]}})
    space.settled("picky", "NotDue")
    assert not space.successors("once") and not space.successors("picky")


@story
def test_two_stale_runs_with_one_key_give_one_retry(space):
    """And the numbers reported equal what the API server holds."""
    keyed = {"concurrencyKey": "sync/users", "retry": {"maxAttempts": 3, "backoffSeconds": 1}}
    for name in ("stale-1", "stale-2"):
        space.dead(name, beats(2), keyed)
    controller = space.controller()
    eventually(lambda: all(space.get(name).retry.get("state") in ("Created", "Skipped")
                           for name in ("stale-1", "stale-2")), 30)
    states = sorted(space.get(name).retry["state"] for name in ("stale-1", "stale-2"))
    assert states == ["Created", "Skipped"]
    assert len(space.successors("stale-1")) + len(space.successors("stale-2")) == 1
    assert controller.lines("Skipped sync retries: another active run exists")
    space.counted(controller, 2)
    for result in ("created", "skipped"):
        eventually(lambda result=result: controller.metrics().total("jobrun_retries_total", result=result) == 1)


@world_story
def test_a_pending_sibling_prevents_a_retry(space):
    keyed = {"concurrencyKey": "a,b=c\\d", "retry": {"maxAttempts": 3, "backoffSeconds": 1}}
    failed(space, "has-sibling", keyed)
    space.create("sibling", keyed)
    space.settled("has-sibling", "Skipped")
    assert not space.successors("has-sibling")


@world_story
def test_a_foreign_object_of_the_successors_name_is_never_adopted(space):
    failed(space, "squatted", {"retry": {"maxAttempts": 2, "backoffSeconds": 4}})
    pending = space.observer.wait(space.name, "squatted", lambda seen: seen.retry.get("state") == "Pending", LATE_SECONDS)
    foreign = pending.retry["successorName"]
    space.create(foreign, {"payload": {"mine": True}})
    space.settled("squatted", "Blocked", 4 + LATE_SECONDS)
    assert space.get(foreign).run["spec"]["payload"] == {"mine": True}
    assert not space.successors("squatted")


@world_story
def test_a_parent_deleted_meanwhile_gets_no_successor(space):
    failed(space, "deleted", {"retry": {"maxAttempts": 2, "backoffSeconds": 3}})
    assert space.observer.wait(space.name, "deleted", lambda seen: seen.retry.get("state") == "Pending", LATE_SECONDS)
    assert space.rest.delete(f"{space.runs}/deleted").code == 200
    time.sleep(5)
    assert not space.successors("deleted")


@story
def test_a_finished_run_is_deleted_after_its_time_but_not_before_its_retry(space):
    space.controller()
    failed(space, "short-lived", {"ttlSecondsAfterFinished": 1, "retry": {"maxAttempts": 2, "backoffSeconds": 4}})
    recorded = space.settled("short-lived", "Created", 4 + LATE_SECONDS)
    eventually(lambda: space.rest.get(f"{space.runs}/short-lived").code == 404, 30)
    assert space.rest.get(f"{space.runs}/{recorded.retry['successorName']}").code == 200


def _end_state(space, name):
    """What has become of the run and its successors, without what differs from run to run."""
    parent = space.get(name)
    return (parent.phase, parent.status["reason"], parent.retry["state"],
            [(run.phase, run.run["spec"]["attempt"]) for run in space.successors(name)])


@story
def test_killed_at_each_of_its_writes_it_ends_in_the_same_state(space):
    """Verdict, creation, record: each lost, each carried out without the controller learning of it."""
    writes = [("PATCH", "/{}/status"), ("POST", "/jobruns"), ("PATCH", "/{}/status")]
    for number in range(len(writes)):
        for fate in (FORWARD, LOSE, LOSE_ANSWER):
            name = f"killed-{number}-{fate.replace(' ', '-')}"
            space.dead(name, beats(2), TWICE, {"concurrencyKey": name})
            gate = space.gate()
            # All before the first: the next write comes as soon as the one before is answered.
            *earlier, write = [gate.catch(method, part.format(name)) for method, part in writes[:number + 1]]
            first = space.controller(kubeconfig=gate.kubeconfig)
            for before in earlier:
                before.wait(30).forward()
            write.wait(30)
            if fate == FORWARD:
                write.forward()
            first.kill()
            if fate == LOSE:
                write.lose()
            elif fate == LOSE_ANSWER:
                write.lose_answer()
            second = space.controller()
            space.successor(name, 30)
            second.stop()
            assert _end_state(space, name) == ("Stuck", "HeartbeatTimeout", "Created", [("Pending", 2)])


@story
def test_a_refused_successor_is_told_on_its_run_and_tried_again(space):
    gate = space.gate()
    space.controller(kubeconfig=gate.kubeconfig)
    allow = gate.refuse(403, "exceeded quota: runs", lambda method, path, headers: method == "POST")
    failed(space, "refused", TWICE)
    told = space.observer.wait(space.name, "refused", lambda seen: any(
        condition["type"] == "SuccessorCreated" and "exceeded quota" in condition["message"]
        for condition in seen.status.get("conditions", [])), LATE_SECONDS)
    assert told and told.retry["state"] == "Pending"
    allow()
    space.successor("refused", 60)
    assert not space.get("refused").status.get("conditions")
