"""What the admission policy lets workers, editors and the controller write."""

import pytest

from cluster import eventually
from rest import Rest
from servers import jobrun
from tenants import LONG_AGO, Tenant, now

GUARDED = {"admissionPolicy": {"matchWorkerPod": True}}
TERMINAL = {"phase": "Failed", "reason": "Reported"}


@pytest.fixture(scope="module")
def space(cluster):
    """A namespace `work`, the chart with its policy, which is in force, and those who work there."""
    cluster.install("jobrun", "jobrun-system")
    cluster.await_runs()
    cluster.namespace("work")
    return Space(cluster)


class Space:
    def __init__(self, cluster):
        self.cluster = cluster
        self.worker = Tenant(cluster, "work")
        self.editor = Tenant(cluster, "work", "jobrun-editor", "editor")
        self.controller = Rest(cluster.kubeconfig("jobrun-system", "jobrun"))
        self.runs = self.worker.runs
        self._await_policy()

    def _await_policy(self):
        """A policy is in force some time after it was stored."""
        self.worker.create("probe")
        eventually(lambda: self.worker.patch("probe", phase="Stuck").code == 422, "the policy is in force")

    def as_controller(self, run, **status):
        return self.controller.merge(f"{self.runs}/{run}/status", {"status": status})


def refused(reply, message):
    """By the policy, with this message, and not by the resource's own rules or RBAC."""
    assert reply.code == 422, reply
    assert "ValidatingAdmissionPolicy 'jobrun'" in reply.message and message in reply.message, reply.message


def taken(reply):
    assert reply.code in (200, 201), reply


def test_a_worker_s_whole_way_is_free(space):
    space.worker.create("healthy", {"completionGates": [{"conditionType": "Copied"}], "payload": {"a": 1}})
    taken(space.worker.claim("healthy"))
    taken(space.worker.beat("healthy", progress="10 %"))
    taken(space.worker.patch("healthy", executor={"podName": "p"}))
    taken(space.worker.patch("healthy", conditions=[{"type": "Copied", "status": "True"}]))
    taken(space.worker.patch("healthy", exitCode=0, exitTime=now()))
    taken(space.worker.patch("healthy", phase="Succeeded", completionTime=now(), reason="Completed", message="done"))


@pytest.mark.parametrize("reason", ["Reported", "HandedBack", "Cancelled"])
def test_a_worker_may_fail(space, reason):
    name = f"fails-{reason.lower()}"
    space.worker.silent(name)
    taken(space.worker.patch(name, phase="Failed", reason=reason))


@pytest.mark.parametrize("field, status", [
    ("phase Stuck", {"phase": "Stuck"}),
    ("startTime", {"startTime": LONG_AGO}),
    ("verdictID", {"verdictID": "mine"}),
    ("retry", {**TERMINAL, "retry": {"state": "NotDue"}}),
    ("lateHeartbeatTime", {**TERMINAL, "lateHeartbeatTime": LONG_AGO}),
], ids=["phase", "startTime", "verdictID", "retry", "lateHeartbeatTime"])
def test_only_the_controller_writes(space, field, status):
    name = f"forged-{field.replace(' ', '-').lower()}"
    space.worker.silent(name)
    refused(space.worker.patch(name, **status), f"status.{field}")
    taken(space.as_controller(name, **status))
    if "phase" not in status:  # It goes on beating where such a field stands.
        taken(space.worker.beat(name))
        assert space.worker.patch(name, **{key: None for key in status}).code == 422


def test_a_worker_does_not_change_a_recorded_retry(space):
    space.worker.silent("retried")
    pending = {"state": "Pending", "successorName": "next", "notBeforeTime": LONG_AGO}
    taken(space.as_controller("retried", phase="Stuck", retry=pending))
    refused(space.worker.patch("retried", retry={"state": "Blocked"}), "status.retry")
    taken(space.as_controller("retried", retry={"state": "Blocked"}))


def create(rest, space, name, spec):
    return rest.post(space.runs, jobrun(name, spec))


@pytest.mark.parametrize("spec, message", [
    ({"retryOf": {"name": "a", "uid": "b"}}, "spec.retryOf"), ({"lane": "jobrun-canary"}, "lane jobrun-canary")],
    ids=["a successor", "a canary"])
def test_only_the_controller_creates(space, spec, message):
    taken(create(space.editor.rest, space, f"plain-{len(message)}", {}))
    refused(create(space.editor.rest, space, f"forged-{len(message)}", spec), message)
    taken(create(space.controller, space, f"own-{len(message)}", spec))


def test_only_the_controller_beats_for_a_canary(space):
    taken(create(space.controller, space, "jobrun-canary-x", {"lane": "jobrun-canary", "reaping": "Disabled"}))
    refused(space.worker.claim("jobrun-canary-x"), "status of a canary")
    taken(space.as_controller("jobrun-canary-x", phase="Running", claimedBy="x", claimedAt=now()))
    refused(space.worker.beat("jobrun-canary-x"), "status of a canary")
    taken(space.as_controller("jobrun-canary-x", lastHeartbeatAt=now()))


@pytest.mark.parametrize("payload", [{"b": 1}, {"a": 2}, {"a": 1, "b": 2}, None], ids=str)
def test_payload_is_immutable(space, payload):
    """A renamed key is what the resource's own rules don't see."""
    name = f"payload-{len(str(payload))}-{str(payload)[2:3]}".rstrip("-").lower()
    space.worker.create(name, {"payload": {"a": 1}})
    run = space.worker.get(name)
    run["spec"]["payload"] = payload
    if payload is None:
        del run["spec"]["payload"]
    for rest in (space.editor.rest, space.controller, space.cluster.rest):
        reply = rest.put(f"{space.runs}/{name}", run)
        assert reply.code in (403, 422) and (reply.code == 403) == (rest is space.controller), reply
        assert rest is space.controller or "payload is immutable" in reply.message


def test_an_editor_edits_cancels_and_deletes(space):
    space.worker.create("edited", {"payload": {"a": 1}})
    path = f"{space.runs}/edited"
    taken(space.editor.rest.merge(path, {"spec": {"deadlineSeconds": 60}, "metadata": {"labels": {"a": "b"}}}))
    taken(space.editor.rest.merge(path, {"spec": {"cancelled": True}}))
    assert space.editor.claim("edited").code == 403
    taken(space.editor.rest.delete(path))


def test_a_worker_edits_nothing_but_the_status(space):
    space.worker.create("hands-off")
    path = f"{space.runs}/hands-off"
    assert space.worker.rest.merge(path, {"metadata": {"managedFields": []}}).code == 403
    assert space.worker.rest.delete(path).code == 403
    assert create(space.worker.rest, space, "own", {}).code == 403


class TestMatchWorkerPod:
    """admissionPolicy.matchWorkerPod: a worker is a pod that claims under its own name."""

    @pytest.fixture(scope="class")
    def pods(self, space):
        """Two pods with one service account."""
        space.cluster.install("jobrun", "jobrun-system", GUARDED)
        first, second = (Tenant(space.cluster, "work", pod=name) for name in ("worker-1", "worker-2"))
        second.create("probe-pods")
        eventually(lambda: space.worker.patch("probe-pods", progress=now()).code == 422, "the policy is in force")
        yield first, second
        space.cluster.install("jobrun", "jobrun-system")

    MESSAGE = "only the pod that status.claimedBy names writes the status of this run"

    def test_a_pod_works_on_its_own_run(self, pods):
        first, _ = pods
        first.create("mine")
        taken(first.claim("mine", "worker-1"))
        taken(first.beat("mine"))
        taken(first.patch("mine", phase="Succeeded", exitCode=0))

    def test_nobody_claims_for_another(self, pods):
        first, second = pods
        first.create("not-yours")
        refused(second.claim("not-yours", "worker-1"), self.MESSAGE)
        refused(first.patch("not-yours", phase="Failed"), "nobody has claimed it")

    def test_nobody_writes_for_another(self, pods, space):
        first, second = pods
        first.create("kept")
        taken(first.claim("kept", "worker-1"))
        for each in (second, space.worker):  # Another pod, and a token that is bound to none.
            refused(each.beat("kept"), self.MESSAGE + ": worker-1")
            for status in ({"progress": "x"}, {"exitCode": 0}, {"phase": "Succeeded"}, {"executor": {"podName": "x"}},
                           {"message": "x"}, {"reason": "x"}, {"cause": "x"}, {"exitTime": now()},
                           {"completionTime": now()}):
                refused(each.patch("kept", **status), self.MESSAGE)
        taken(first.beat("kept"))

    def test_others_set_conditions(self, pods):
        first, second = pods
        first.create("gated")
        taken(first.claim("gated", "worker-1"))
        taken(second.patch("gated", conditions=[{"type": "Copied", "status": "True"}]))

    def test_the_controller_is_not_held_to_it(self, pods, space):
        first, _ = pods
        first.create("reaped")
        taken(first.claim("reaped", "worker-1"))
        taken(space.as_controller("reaped", phase="Stuck", verdictID="v", reason="HeartbeatTimeout"))


def test_without_the_policy_a_worker_could_do_all_that(space):
    """Shows that it is the policy that refuses. The last test: it turns the policy off."""
    space.cluster.install("jobrun", "jobrun-system", {"admissionPolicy": {"enabled": False}})
    space.worker.create("unguarded")
    eventually(lambda: space.worker.claim("unguarded", verdictID="mine").code == 200, "the policy is gone")
    taken(space.worker.patch("unguarded", startTime=LONG_AGO))
    taken(space.worker.patch("unguarded", phase="Stuck", retry={"state": "NotDue"}))
    taken(create(space.editor.rest, space, "unguarded-canary", {"lane": "jobrun-canary"}))
