"""The chart's rights are enough for the controller's whole job, and no more than docs/configuration.md says."""

import json
import re

import pytest

from cluster import eventually
from controller import START_SECONDS_MAX
from replica import Replicas
from rest import Rest
from servers import ROOT
from tenants import Tenant, now

FAST = {
    "defaults": {"heartbeat": {"intervalSeconds": 1, "timeoutSeconds": 3}},
    "canary": {"periodSeconds": 1},
    "executors": {"enabled": True, "deadChecks": 2, "checkSeconds": 1},
    "leaderElection": {"leaseSeconds": 6, "renewDeadlineSeconds": 4, "retrySeconds": 1},
}
RETRY = {"retry": {"maxAttempts": 2, "backoffSeconds": 1}}
MODES = {
    "cluster": {"config": FAST},
    "namespaced": {"config": FAST, "watch": {"namespaces": ["work"]}},
}


class Mode:
    """An installed release with two replicas at work, and a worker."""

    def __init__(self, cluster, directory, name):
        self.cluster, self.name = cluster, name
        for namespace in ("work", "elsewhere"):
            cluster.namespace(namespace)
        self.replicas = Replicas(cluster, directory, MODES[name])
        self.first, self.second = self.replicas.start(), self.replicas.start()
        self.worker = Tenant(cluster, "work")

    def ends(self, run, phase, reason, worker=None):
        """The run's status once it has ended, which must be so."""
        worker = worker or self.worker
        status = eventually(lambda: (found := worker.get(run)["status"])["phase"] != "Running" and found, f"{run} ends")
        assert (status["phase"], status["reason"]) == (phase, reason), status
        assert status["verdictID"]
        return status

    def events(self, reason, namespace="work"):
        """Events of that reason, as soon as there is one."""
        path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events?fieldSelector=reason%3D{reason}"
        return eventually(lambda: self.cluster.rest.get(path).body["items"], f"an Event {reason} in {namespace}")


@pytest.fixture(scope="module", params=MODES)
def mode(request, cluster, tmp_path_factory):
    begun = Mode(cluster, tmp_path_factory.mktemp(request.param), request.param)
    yield begun
    print(begun.replicas.logs())
    begun.replicas.close()
    cluster.uninstall("jobrun", "jobrun-system")
    for namespace in ("work", "elsewhere", "jobrun-system"):
        empty(cluster, namespace)


def empty(cluster, namespace):
    """Deletes a namespace and what a controller of the cluster, which does not run here, would delete with it."""
    kinds = "jobruns,pods,leases,events,rolebindings,serviceaccounts,secrets"
    cluster.kubectl("delete", kinds, "--all", "-n", namespace, "--force", "--grace-period=0")
    cluster.rest.delete(f"/api/v1/namespaces/{namespace}")
    final = {"metadata": {"name": namespace}, "spec": {"finalizers": []}}
    cluster.rest.put(f"/api/v1/namespaces/{namespace}/finalize", final)
    eventually(lambda: cluster.rest.get(f"/api/v1/namespaces/{namespace}").code == 404, f"{namespace} is gone")


def leaders(mode):
    return [each for each in mode.replicas.running if each.metrics().total("leader_election_master_status") == 1]


def test_one_leads_and_both_are_ready(mode):
    eventually(lambda: len(leaders(mode)) == 1, "one leads")
    assert mode.first.ready() and mode.second.ready()
    lease = mode.cluster.rest.get("/apis/coordination.k8s.io/v1/namespaces/jobrun-system/leases/jobrun").body
    assert lease["spec"]["holderIdentity"]


def test_each_replica_has_its_canary(mode):
    def canaries():
        runs = mode.cluster.rest.get("/apis/jobrun.dev/v1/namespaces/jobrun-system/jobruns").body["items"]
        return {each["metadata"]["name"].removeprefix("jobrun-canary-") for each in runs}
    uids = {each.pod["metadata"]["uid"] for each in mode.replicas.running}
    eventually(lambda: canaries() == uids, "two canaries")


def test_a_silent_run_is_stuck_and_tried_again(mode):
    mode.worker.silent("silent", RETRY)
    mode.ends("silent", "Stuck", "HeartbeatTimeout")
    parent = eventually(lambda: (run := mode.worker.get("silent"))["status"]["retry"]["state"] == "Created" and run,
                        "a retry")
    successor = mode.worker.get(parent["status"]["retry"]["successorName"])
    assert successor["spec"]["retryOf"]["uid"] == parent["metadata"]["uid"]
    (event, *_) = mode.events("HeartbeatTimeout")
    assert event["regarding"]["name"] == "silent"


def test_a_run_is_stamped_and_fails_at_its_deadline(mode):
    mode.worker.create("late", {"deadlineSeconds": 3})
    assert mode.worker.claim("late").code == 200
    assert mode.ends("late", "Failed", "DeadlineExceeded")["startTime"]


def test_a_finished_run_is_deleted(mode):
    mode.worker.create("done", {"ttlSecondsAfterFinished": 1})
    assert mode.worker.claim("done").code == 200
    assert mode.worker.patch("done", phase="Succeeded", exitCode=0, completionTime=now()).code == 200
    eventually(lambda: mode.cluster.rest.get(f"{mode.worker.runs}/done").code == 404, "the run is deleted")


def test_a_silent_lease_is_deleted(mode):
    lease = "/apis/coordination.k8s.io/v1/namespaces/work/leases"
    mode.worker.create("by-lease", {"heartbeat": {"source": "Lease"}})
    assert mode.worker.claim("by-lease", "lessee").code == 200
    assert mode.worker.beat("by-lease").code == 200
    mode.cluster.create(lease, {"metadata": {"name": "lessee"}, "spec": {"renewTime": now()}})
    mode.ends("by-lease", "Stuck", "HeartbeatTimeout")
    assert mode.cluster.rest.get(f"{lease}/lessee").code == 404


def test_a_lost_executor_is_noticed(mode):
    executor = Tenant(mode.cluster, "work", pod=f"executor-{mode.name}")
    pod = f"/api/v1/namespaces/work/pods/{executor.pod['metadata']['name']}"
    assert mode.cluster.rest.merge(pod + "/status", {"status": {"phase": "Running"}}).code == 200
    mode.worker.create("executed", {"heartbeat": {"mode": "Ignored"}})
    metadata = executor.pod["metadata"]
    assert mode.worker.claim("executed", executor={"podName": metadata["name"], "podUID": metadata["uid"]}).code == 200
    eventually(lambda: '"ExecutorFound"' in json.dumps(mode.worker.get("executed")["status"]), "the pod is seen alive")
    mode.cluster.kubectl("delete", "pod", metadata["name"], "-n", "work", "--force", "--grace-period=0")
    mode.ends("executed", "Stuck", "ExecutorLost")


def test_a_mistake_in_the_configuration_is_told_about_its_own_pod(mode):
    path = mode.replicas.config_path(mode.first.pod["metadata"]["name"])
    good = path.read_text()
    path.write_text("reapings: Enabled\n")
    try:
        (event, *_) = mode.events("InvalidConfiguration", "jobrun-system")
        assert event["regarding"]["uid"] == mode.first.pod["metadata"]["uid"]
    finally:
        path.write_text(good)


def test_runs_elsewhere(mode):
    """All namespaces are watched, or those that were named."""
    elsewhere = Tenant(mode.cluster, "elsewhere").silent("silent")
    mode.worker.silent("beside")
    mode.ends("beside", "Stuck", "HeartbeatTimeout")
    if mode.name == "cluster":
        mode.ends("silent", "Stuck", "HeartbeatTimeout", elsewhere)
    else:
        assert elsewhere.get("silent")["status"]["phase"] == "Running"


def test_the_policy_holds_where_runs_are_watched(mode):
    for tenant, guarded in ((mode.worker, True), (Tenant(mode.cluster, "elsewhere"), mode.name == "cluster")):
        tenant.create("forged")
        reply = tenant.patch("forged", verdictID="mine")
        assert (reply.code, "only the controller" in reply.message) == ((422, True) if guarded else (200, False)), reply


def test_it_fails_over(mode):
    (leader,) = eventually(lambda: leaders(mode), "one leads")
    (follower,) = [each for each in mode.replicas.running if each is not leader]
    leader.terminate()
    assert leader.exit_code(START_SECONDS_MAX) == 0
    mode.replicas.running.remove(leader)
    eventually(lambda: leaders(mode) == [follower], "the other leads")
    mode.worker.silent("after")
    mode.ends("after", "Stuck", "HeartbeatTimeout")


def test_nothing_was_refused_to_it(mode):
    """The last test: by now it has done all that it does."""
    for each in mode.replicas.running:
        codes = each.metrics().by("rest_client_requests_total", "code")
        assert codes[("200",)] and ("403",) not in codes and ("401",) not in codes, codes


# What it may do.

DOCUMENTED = (ROOT / "docs/configuration.md").read_text()
GROUPS = {"jobruns": "jobrun.dev", "jobruns/status": "jobrun.dev", "pods": "", "leases": "coordination.k8s.io",
          "events": "events.k8s.io"}


def documented(number):
    """{(group, resource, verb)} of a table of the section Rights: 0 for watched namespaces, 1 for its own."""
    section = DOCUMENTED.split("## Rights")[1].split("\n## ")[0]
    rows = section.split("| resource | verbs | for |\n|---|---|---|\n")[1 + number].split("\n\n")[0].splitlines()
    found = set()
    for resource, verbs in (row.split("|")[1:3] for row in rows):
        name = re.search(r"`([a-z/]+)`", resource)[1]
        found |= {(GROUPS[name], name, verb) for verb in re.findall(r"`([a-z]+)`", verbs)}
    assert found
    return found


def rights(rest, namespace):
    """{(group, resource, verb)} and {(path, verb)} that the caller has there."""
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    status = rest.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body).body["status"]
    assert not status["incomplete"]
    return {(group, resource, verb) for rule in status["resourceRules"] for group in rule["apiGroups"]
            for resource in rule["resources"] for verb in rule["verbs"]} | {
                (path, verb) for rule in status["nonResourceRules"] for path in rule["nonResourceURLs"]
                for verb in rule["verbs"]}


def rights_of(mode, namespace, account=None):
    """What a service account may do beyond what every other may; without `account`, the controller's."""
    Tenant(mode.cluster, "work", role=None, account="nobody")
    rest = Rest(mode.cluster.kubeconfig("work", account) if account else
                mode.cluster.kubeconfig("jobrun-system", mode.replicas.account))
    return rights(rest, namespace) - rights(Rest(mode.cluster.kubeconfig("work", "nobody")), namespace)


def test_it_may_do_what_is_documented_and_nothing_else(mode):
    watched, own = documented(0), documented(1)
    in_cluster = watched if mode.name == "cluster" else set()
    assert rights_of(mode, "work") == watched
    assert rights_of(mode, "elsewhere") == in_cluster
    assert rights_of(mode, "jobrun-system") == in_cluster | own


def test_a_worker_may_do_what_is_documented_and_nothing_else(mode):
    assert rights_of(mode, "work", "worker") == {
        *(("jobrun.dev", "jobruns", verb) for verb in ("get", "list", "watch")),
        *(("jobrun.dev", "jobruns/status", verb) for verb in ("get", "patch"))}
    assert rights_of(mode, "elsewhere", "worker") == set()


def test_secure_metrics_need_two_rights_more(mode):
    values = {**MODES[mode.name], "metrics": {"secure": True}}
    before = rights_of(mode, "elsewhere")
    mode.cluster.install("jobrun", "jobrun-system", values)
    try:
        assert rights_of(mode, "elsewhere") - before == {("authentication.k8s.io", "tokenreviews", "create"),
                                                         ("authorization.k8s.io", "subjectaccessreviews", "create")}
    finally:
        mode.cluster.install("jobrun", "jobrun-system", MODES[mode.name])


def flow_of(mode, reply):
    """The name of the FlowSchema that a request went by."""
    flows = mode.cluster.rest.get("/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas").body["items"]
    return next(each["metadata"]["name"] for each in flows
                if each["metadata"]["uid"] == reply.headers["X-Kubernetes-PF-FlowSchema-UID"])


def test_requests_go_by_their_flow_schemas(mode):
    controller = Rest(mode.cluster.kubeconfig("jobrun-system", mode.replicas.account))
    lease = "/apis/coordination.k8s.io/v1/namespaces/jobrun-system/leases/jobrun"
    uid = mode.second.pod["metadata"]["uid"]
    canary = f"/apis/jobrun.dev/v1/namespaces/jobrun-system/jobruns/jobrun-canary-{uid}/status"
    mode.worker.create("counted")
    for wanted, asked in [
            ("jobrun-leader", lambda: controller.get(lease)),
            ("jobrun-leader", lambda: controller.merge(canary, {})),
            ("jobrun-controller", lambda: controller.get(mode.worker.runs)),
            ("jobrun-controller", lambda: controller.merge(f"{mode.worker.runs}/counted/status", {})),
            ("jobrun-heartbeats", lambda: mode.worker.claim("counted")),
            ("service-accounts", lambda: mode.worker.rest.get(mode.worker.runs))]:
        eventually(lambda: flow_of(mode, asked()) == wanted, f"a request by {wanted}")
