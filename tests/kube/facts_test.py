"""What the controller relies on in an API server beyond single writes; docs/api-server.md is the prose of it."""

import email.utils
import itertools
import time

import pytest

from rest import Rest
from servers import create_namespace, jobrun

_numbers = itertools.count(1)
CLAIM = {"phase": "Running", "claimedAt": "2026-01-01T00:00:00Z", "claimedBy": "w1"}
POLL_SECONDS = 0.1
WAIT_SECONDS_MAX = 15


class Space:
    """A namespace of its own with JobRuns in it."""

    def __init__(self, server):
        self.server = server
        self.rest = Rest(server.kubeconfig)
        self.name = f"facts-{next(_numbers)}"
        create_namespace(self.rest, self.name)
        self.runs = f"/apis/jobrun.dev/v1/namespaces/{self.name}/jobruns"

    def create(self, name, spec=None, status=None):
        run = self.rest.post(self.runs, jobrun(name, spec))
        assert run.code == 201, run
        return self.status(name, status) if status else run.body

    def status(self, name, status, **options):
        reply = self.rest.merge(f"{self.runs}/{name}/status", {"status": status}, **options)
        assert reply.code == 200, reply
        return reply.body

    def get(self, name):
        return self.rest.get(f"{self.runs}/{name}").body

    def version(self):
        return self.rest.get(self.runs).body["metadata"]["resourceVersion"]

    def watch(self, **query):
        """An accepted watch; a server that has just started answers 429 for a moment."""
        return until(lambda: accepted(self.rest.watch(self.runs, **query)))

    def forget_the_past(self):
        """Makes every earlier resourceVersion too old."""
        self.server.compact()
        self.rest.close()


@pytest.fixture
def space(server):
    space = Space(server)
    yield space
    space.rest.close()


def until(condition):
    """What the condition returns once it is true."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(POLL_SECONDS)
    return value


def accepted(watch):
    return None if watch.code == 429 else watch


def answered(reply):
    return None if reply.code == 429 else reply


def version_of(run):
    return run["metadata"]["resourceVersion"]


def stamp(run, field, manager=None):
    """managedFields[].time of the entry that owns this field of status."""
    return max(entry["time"] for entry in run["metadata"]["managedFields"]
               if f"f:{field}" in entry["fieldsV1"].get("f:status", {}) and manager in (None, entry["manager"]))


def server_date(space):
    return email.utils.parsedate_to_datetime(space.rest.get(space.runs + "?limit=1").headers["Date"])


def test_heartbeat_equal_to_the_stored_one_changes_nothing_and_shows_on_no_watch(space):
    beat = {"lastHeartbeatAt": "2026-01-01T00:00:30Z"}
    space.create("run", status=CLAIM)
    before = space.status("run", beat)
    with space.watch(resourceVersion=version_of(before)) as watch:
        assert version_of(space.status("run", beat)) == version_of(before)
        space.status("run", {"lastHeartbeatAt": "2026-01-01T00:00:31Z"})
        assert next(watch)["object"]["status"]["lastHeartbeatAt"] == "2026-01-01T00:00:31Z"


def test_watch_shows_each_change_once_and_in_order(space):
    start = space.version()
    space.create("run", status=CLAIM)
    for second in range(10, 15):
        space.status("run", {"lastHeartbeatAt": f"2026-01-01T00:00:{second}Z"})
    space.rest.delete(f"{space.runs}/run")
    with space.watch(resourceVersion=start) as watch:
        events = list(itertools.islice(watch, 8))
    assert [event["type"] for event in events] == ["ADDED"] + ["MODIFIED"] * 6 + ["DELETED"]
    versions = [int(version_of(event["object"])) for event in events]
    assert versions == sorted(set(versions))


def test_answer_to_a_write_carries_the_servers_clock(space):
    date = space.rest.post(space.runs, jobrun("run")).headers["Date"]
    created = space.get("run")["metadata"]["creationTimestamp"]
    assert abs(email.utils.parsedate_to_datetime(date).timestamp() - seconds(created)) <= 1


def seconds(rfc3339):
    return time.mktime(time.strptime(rfc3339, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone


def test_managed_fields_hold_the_servers_time_of_the_last_changed_heartbeat(space):
    worker, other = {"headers": {"User-Agent": "worker/2 (x)"}}, {"headers": {"User-Agent": "other"}}
    space.create("run", status=CLAIM)
    first = space.status("run", {"lastHeartbeatAt": "1999-01-01T00:00:00Z"}, **worker)
    first_stamp = stamp(first, "lastHeartbeatAt", "worker")
    assert abs(seconds(first_stamp) - server_date(space).timestamp()) <= 2
    until(lambda: server_date(space).timestamp() >= seconds(first_stamp) + 2)

    space.status("run", {"lastHeartbeatAt": "1999-01-01T00:00:00Z"}, **worker)
    assert stamp(space.get("run"), "lastHeartbeatAt") == first_stamp, "an equal heartbeat moved it"
    space.status("run", {"progress": "1"}, **other)
    space.rest.merge(f"{space.runs}/run", {"metadata": {"annotations": {"a": "b"}}}, **other)
    assert stamp(space.get("run"), "lastHeartbeatAt") == first_stamp, "another manager's write moved it"
    space.status("run", {"lastHeartbeatAt": "1998-01-01T00:00:00Z"}, **worker)
    assert stamp(space.get("run"), "lastHeartbeatAt") > first_stamp, "a changed heartbeat did not move it"


def test_managed_fields_have_one_entry_for_each_manager_and_subresource(space):
    space.create("run")
    for agent in ("worker/1", "worker/2 (linux)", "kubectl/v1"):
        space.rest.merge(f"{space.runs}/run/status", {"status": {**CLAIM, "progress": agent}},
                         headers={"User-Agent": agent})
    space.rest.merge(f"{space.runs}/run", {"spec": {"deadlineSeconds": 5}}, headers={"User-Agent": "worker/1"})
    entries = [(entry["manager"], entry.get("subresource", "")) for entry in space.get("run")["metadata"]["managedFields"]]
    assert sorted(entries) == [("jobrun-test", ""), ("kubectl", "status"), ("worker", ""), ("worker", "status")]


def test_object_that_leaves_a_field_selection_looks_deleted_with_its_old_content(space):
    running = space.create("run", status=CLAIM)
    with space.watch(resourceVersion=version_of(running), fieldSelector="status.phase!=Succeeded") as watch:
        ended = space.status("run", {"phase": "Succeeded"})
        event = next(watch)
    assert event["type"] == "DELETED"
    assert event["object"]["status"]["phase"] == "Running"
    assert version_of(event["object"]) == version_of(ended)


def test_object_that_enters_a_field_selection_looks_added(space):
    pending = space.create("run")
    with space.watch(resourceVersion=version_of(pending), fieldSelector="status.phase=Running") as watch:
        space.status("run", CLAIM)
        assert next(watch)["type"] == "ADDED"


@pytest.mark.parametrize("selector,names", [
    ("status.phase=Running", ["running"]),
    ("status.phase!=Running", ["bare", "keyed", "retrying"]),
    ("status.phase=", ["bare", "keyed"]),
    ("spec.lane=etl", ["keyed"]),
    ("spec.lane=default,status.phase=Running", ["running"]),
    ("spec.concurrencyKey=sync", ["keyed"]),
    ("status.retry.state=Pending", ["retrying"]),
    ("metadata.name=bare", ["bare"]),
])
def test_field_selector(space, selector, names):
    space.create("bare")
    space.create("keyed", {"lane": "etl", "concurrencyKey": "sync"})
    space.create("running", status=CLAIM)
    space.create("retrying", status={"phase": "Failed", "retry": {"state": "Pending"}})
    found = space.rest.get(f"{space.runs}?fieldSelector={selector.replace('=', '%3D')}").body["items"]
    assert sorted(run["metadata"]["name"] for run in found) == names


def test_field_selector_on_another_field_is_a_bad_request(space):
    assert space.rest.get(space.runs + "?fieldSelector=status.reason%3DReported").code == 400


def test_watch_list_ends_its_objects_with_a_marked_bookmark(space):
    for name in ("a", "b"):
        space.create(name)
    with space.watch(sendInitialEvents="true", resourceVersionMatch="NotOlderThan", allowWatchBookmarks="true") as watch:
        events = list(itertools.islice(watch, 3))
        assert [event["type"] for event in events] == ["ADDED", "ADDED", "BOOKMARK"]
        marked = events[2]["object"]["metadata"]
        assert marked["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert int(marked["resourceVersion"]) >= int(version_of(space.get("b")))
        space.create("c")
        assert next(watch)["object"]["metadata"]["name"] == "c"


def test_watch_that_saw_an_event_gets_a_bookmark_before_its_timeout_ends_it(space):
    start = version_of(space.create("run"))
    with space.watch(resourceVersion=start, timeoutSeconds=4, allowWatchBookmarks="true") as watch:
        changed = space.status("run", CLAIM)
        events = list(watch)  # Ends without an error.
    first, *bookmarks = [event["type"] for event in events]
    assert first == "MODIFIED" and bookmarks and set(bookmarks) == {"BOOKMARK"}  # One or more, as the server's load has it.
    assert int(version_of(events[-1]["object"])) >= int(version_of(changed))


def test_list_comes_in_pages_of_one_version(space):
    for number in range(5):
        space.create(f"run-{number}")
    first = space.rest.get(space.runs + "?limit=2").body
    assert (len(first["items"]), first["metadata"]["remainingItemCount"]) == (2, 3)
    space.create("late")
    second = space.rest.get(f"{space.runs}?limit=9&continue={first['metadata']['continue']}").body
    assert version_of(second) == version_of(first)
    assert [run["metadata"]["name"] for run in second["items"]] == ["run-2", "run-3", "run-4"]
    assert not second["metadata"].get("continue")


def test_list_of_a_future_version_times_out(space):
    reply = space.rest.get(space.runs + "?resourceVersion=999999999&resourceVersionMatch=NotOlderThan")
    assert reply.code == 504
    assert reply.body["reason"] == "Timeout"
    assert reply.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
    assert reply.body["details"]["retryAfterSeconds"] == 1


def test_lease_is_deleted_only_at_the_version_that_was_judged(space):
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{space.name}/leases"
    lease = space.rest.post(leases, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                                     "metadata": {"name": "w1"}, "spec": {"holderIdentity": "w1"}}).body
    renewed = space.rest.merge(f"{leases}/w1", {"spec": {"renewTime": "2026-01-01T00:00:00.000001Z"}}).body
    assert space.rest.delete(f"{leases}/w1", {"preconditions": {"resourceVersion": version_of(lease)}}).code == 409
    assert space.rest.delete(f"{leases}/w1", {"preconditions": {"resourceVersion": version_of(renewed)}}).code == 200
    assert space.rest.merge(f"{leases}/w1", {"spec": {"renewTime": "2026-01-01T00:00:01.000000Z"}}).code == 404


def event_about(space, name, **fields):
    return {"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": name},
            "regarding": {"kind": "JobRun", "name": "run", "namespace": space.name}, "type": "Warning",
            "reason": "HeartbeatTimeout", "action": "Reap", "note": "silent", "eventTime": "2026-01-01T00:00:00.000000Z",
            "reportingController": "jobrun.dev/controller", "reportingInstance": "x", **fields}


def test_notes_of_events_are_limited_in_bytes(space):
    events = f"/apis/events.k8s.io/v1/namespaces/{space.name}/events"
    assert space.rest.post(events, event_about(space, "fits", note="\u20ac" * 341 + "x")).code == 201  # 1024 bytes
    assert space.rest.post(events, event_about(space, "long", note="\u20ac" * 341 + "xx")).code == 422
    assert space.rest.post(events, event_about(space, "reason", reason="R" * 129)).code == 422
    assert space.rest.post(events, event_about(space, "time", eventTime="2026-01-01T00:00:00Z")).code == 400


def test_only_the_series_of_an_event_changes(space):
    events = f"/apis/events.k8s.io/v1/namespaces/{space.name}/events"
    assert space.rest.post(events, event_about(space, "e.1")).code == 201
    assert space.rest.post(events, event_about(space, "e.1")).code == 409
    series = {"count": 2, "lastObservedTime": "2026-01-01T00:01:00.000000Z"}
    assert space.rest.merge(f"{events}/e.1", {"series": {"count": 2}}).code == 422
    assert space.rest.merge(f"{events}/e.1", {"series": {**series, "count": 1}}).code == 422
    assert space.rest.merge(f"{events}/e.1", {"series": series}).code == 200
    assert space.rest.merge(f"{events}/e.1", {"note": "other"}).code == 422
    assert space.rest.merge(f"{events}/gone.1", {"series": series}).code == 404
    assert space.rest.post(events, event_about(space, "e.2", series=series)).code == 201
    assert space.rest.post(events, event_about(space, "e.3", series={**series, "count": 1})).code == 422


# Last, because they make all earlier versions of the shared server useless.


def test_watch_from_a_compacted_version_gets_an_error_event(space):
    old = version_of(space.create("run"))
    space.status("run", CLAIM)
    space.forget_the_past()
    with space.watch(resourceVersion=old) as watch:
        event = next(watch)
        assert watch.code == 200
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert "too old resource version" in event["object"]["message"]


def test_list_continued_from_a_compacted_version_is_gone(space):
    for number in range(3):
        space.create(f"run-{number}")
    token = space.rest.get(space.runs + "?limit=1").body["metadata"]["continue"]
    space.forget_the_past()
    reply = until(lambda: answered(space.rest.get(f"{space.runs}?limit=1&continue={token}")))
    assert (reply.code, reply.body["reason"]) == (410, "Expired")


def test_watch_does_not_survive_a_restart_of_the_server(space):
    if space.server.name == "dev":
        pytest.skip("the dev server keeps nothing over a restart")
    last = version_of(space.create("run", status=CLAIM))
    space.server.restart()
    space.rest.close()
    with space.watch(resourceVersion=last) as watch:
        event = next(watch)
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410), "though nothing was compacted or changed"
    assert until(lambda: space.get("run").get("status"))["phase"] == "Running"
