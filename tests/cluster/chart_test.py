"""The image and the chart in a cluster of two nodes, with workers that are real pods and die real deaths.

The tests build on each other and run in the order of this file: each leaves the release with two replicas ready.
"""

import json
import time

import pytest
import yaml

import release as releases
from images import ROOT, WORKER_IMAGE
from metrics import Metrics
from wait import until
from worker_pods import NAMESPACE, NEVER_SILENT, seconds_between

EXAMPLE = ROOT / "manifests/examples/worker.yaml"
SHORT = {"intervalSeconds": 3, "timeoutSeconds": 8}
# Past the timeout: two canary periods of run-on, a second to write, and a takeover after an orderly stop.
LATE_SECONDS_MAX = 4 + 1 + 10
# Two looks, and what it takes a kubelet to tell of a death.
VERDICT_SECONDS_MAX = 40
# How long the Lease of a leader that is gone keeps others from leading (docs/safety.md).
LEASE_SECONDS = 20
# A pod that a lost node has left behind is looked at half a minute after its grace, and then twice.
TAKEN_FOR_DEAD_SECONDS = 1 + 30 + 2 * 3 + 5
LIVING = [f"living-{number}" for number in range(4)]

# How a worker dies -> how its run ends: the cause, and what the message says.
DEATHS = {
    "killed-for-its-memory": (lambda crew, run: crew.signal(run, "USR2"), "OOMKilled", "137"),
    "exits-with-three": (lambda crew, run: crew.signal(run, "USR1"), "PodFailed", "3"),
    "exits-with-zero": (lambda crew, run: crew.signal(run, "QUIT"), "PodSucceeded", ""),
    "deleted-by-force": (lambda crew, run: crew.force_delete(run), "PodDeleted", ""),
    "evicted": (lambda crew, run: crew.evict(run), "Evicted", ""),
}


@pytest.fixture(scope="module")
def living(crew):
    """Workers that beat from now to the end of the tests; they must come to no harm."""
    crew.start(*LIVING, heartbeat=SHORT)
    return LIVING


def scrape(crew, worker, pod=None):
    """The metrics of this replica, or of one that the Service's name leads to, as a worker's pod gets them."""
    host = pod["status"]["podIP"] if pod else f"{releases.NAME}-metrics.{releases.NAMESPACE}.svc"
    return Metrics(crew.inside(worker, "curl", "--silent", "--fail", "--max-time", "5", f"http://{host}:8080/metrics"))


# What is there after the installation.


def test_two_replicas_on_two_nodes_and_one_of_them_leads(release):
    pods = release.await_ready()
    assert len({pod["spec"]["nodeName"] for pod in pods.values()}) == 2
    assert release.leader() in pods
    for pod in pods.values():
        container = pod["status"]["containerStatuses"][0]
        assert container["restartCount"] == 0 and container["image"].endswith("jobrun:dev")


def test_a_disruption_budget_keeps_one_of_them(release, rest):
    release.await_ready()
    path = f"/apis/policy/v1/namespaces/{releases.NAMESPACE}/poddisruptionbudgets/{releases.NAME}"
    assert rest.get(path).code == 200
    until("the budget allows one disruption", lambda: rest.get(path).body["status"].get("disruptionsAllowed") == 1, 30)
    leader = release.leader()
    (standby,) = set(release.pods()) - {leader}
    assert [release.evict(pod).code for pod in (leader, standby)] == [201, 429]
    release.await_ready()
    release.await_leader(besides=leader)


def test_every_replica_is_scraped_through_the_service_and_one_leads(release, crew, living):
    found = scrape(crew, living[0])
    assert found.total("jobrun_runs", phase="Running") == len(living)
    leading = {name: scrape(crew, living[0], pod).total("leader_election_master_status")
               for name, pod in release.await_ready().items()}
    assert leading == {name: float(name == release.leader()) for name in leading}


def test_a_worker_may_write_its_own_run_only(crew, living):
    """Its role and the admission policy, with the token that a pod really gets."""
    patch = json.dumps({"status": {"lastHeartbeatAt": "2026-01-01T00:00:00Z"}})
    call = ('curl --silent --output /dev/null --write-out "%{http_code}" --cacert $S/ca.crt '
            '--header "Authorization: Bearer $(cat $S/token)"')
    server = f"https://kubernetes.default.svc/apis/jobrun.dev/v1/namespaces/{NAMESPACE}/jobruns"

    def code(arguments):
        script = f"S=/var/run/secrets/kubernetes.io/serviceaccount; {call} {arguments}"
        return int(crew.inside(living[0], "sh", "-c", script))

    beat = f"--request PATCH --header 'Content-Type: application/merge-patch+json' --data '{patch}' {server}"
    until("the admission policy is in force", lambda: code(f"{beat}/{living[1]}/status") == 422, 30)
    assert code(f"{server}/{living[1]}") == 200
    assert code(f"--request DELETE {server}/{living[1]}") == 403
    assert code(f"{beat}/{living[0]}") == 403


def test_the_published_worker_works_off_a_run(cluster, crew, rest):
    """manifests/examples/worker.yaml as it stands, but for the image, which can't be pulled, and its times."""
    objects = [each for each in yaml.safe_load_all(EXAMPLE.read_text()) if each]
    for each in objects:
        each["metadata"]["namespace"] = each["metadata"].get("namespace", NAMESPACE)
        if each["kind"] == "RoleBinding":
            each["subjects"][0]["namespace"] = NAMESPACE
        if each["kind"] == "Deployment":
            (container,) = each["spec"]["template"]["spec"]["containers"]
            container["image"] = WORKER_IMAGE
            container["env"] = [*(one for one in container["env"] if one["name"] != "INTERVAL"),
                                {"name": "INTERVAL", "value": "2"}, {"name": "WORK_SECONDS", "value": "3"}]
    cluster.apply(*objects)
    run = {"apiVersion": "jobrun.dev/v1", "kind": "JobRun", "metadata": {"name": "for-anyone"},
           "spec": {"lane": "sync", "heartbeat": SHORT}}
    assert rest.post(f"/apis/jobrun.dev/v1/namespaces/{NAMESPACE}/jobruns", run).code == 201
    status = crew.await_end("for-anyone", 60)
    assert (status["phase"], status["exitCode"]) == ("Succeeded", 0), status
    assert status["claimedBy"].startswith("sync-worker-") and status["lastHeartbeatAt"]
    cluster.kubectl("delete", "deployment", "sync-worker", f"--namespace={NAMESPACE}", "--wait=false")


# Deaths.


def test_each_death_of_a_pod_is_told_by_its_cause(release, rest, crew, living):
    crew.start("hangs", heartbeat=SHORT)
    crew.start(*DEATHS, heartbeat=NEVER_SILENT)
    for run, (die, _, _) in DEATHS.items():
        die(crew, run)
    crew.signal("hangs", "HUP")
    ended = {run: crew.await_end(run, VERDICT_SECONDS_MAX) for run in DEATHS}
    told = {run: (status["phase"], status["reason"], status.get("cause")) for run, status in ended.items()}
    assert told == {run: ("Stuck", "ExecutorLost", cause) for run, (_, cause, _) in DEATHS.items()}
    for run, (_, _, said) in DEATHS.items():
        assert said in ended[run]["message"], ended[run]
    # The pod of this one lives on: only its silence tells.
    assert_silent(crew, "hangs")
    assert crew.pod("hangs")["status"]["phase"] == "Running"
    crew.assert_alive(*living)

    replicas = release.await_ready().values()
    counted = [scrape(crew, living[0], pod).by("jobrun_reaps_total", "reason") for pod in replicas]
    assert sorted(counted, key=len) == [{}, {("ExecutorLost",): len(DEATHS), ("HeartbeatTimeout",): 1}]
    until("there is an Event about each", lambda: told_of(rest) == sorted([*DEATHS, "hangs"]), 15)


def told_of(rest):
    """The runs that Events tell of as reaped."""
    reply = rest.get(f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events")
    return sorted(event["regarding"]["name"] for event in reply.body["items"]
                  if event["reason"] in ("ExecutorLost", "HeartbeatTimeout"))


def assert_silent(crew, run, late_seconds_max=LATE_SECONDS_MAX):
    """A run whose worker fell silent is reaped for that: not before its timeout, and not long after."""
    status = crew.await_end(run, SHORT["timeoutSeconds"] + late_seconds_max + 10)
    assert (status["phase"], status["reason"]) == ("Stuck", "HeartbeatTimeout"), status
    lag = seconds_between(status["lastHeartbeatAt"], status["completionTime"]) - SHORT["timeoutSeconds"]
    assert -1 <= lag <= late_seconds_max, (lag, status)  # The times have a resolution of a second.
    assert "lateHeartbeatTime" not in status


# Workers that share their work.


def test_workers_that_share_a_lane_die_and_every_run_ends_once(release, crew, living):
    workers, runs = crew.share("shared", pods=5, runs=30, seconds_each=1)
    until("nothing is worked on", lambda: any("claimedBy" in crew.status(run) for run in runs), 60)
    for number, worker in enumerate(workers[:3]):
        time.sleep(2)
        crew.force_delete(worker) if number else crew.signal(worker, "KILL")
        if number == 1:
            release.crash(release.leader())
    until("not all have succeeded", lambda: all(
        crew.family(run)[-1].get("status", {}).get("phase") == "Succeeded" for run in runs), 120)
    ended = [crew.family(run) for run in runs]
    assert {each["status"]["phase"] for family in ended for each in family[:-1]} <= {"Stuck", "Failed"}
    left = {family[-1]["status"]["claimedBy"] for family in ended}
    assert left & set(workers[3:]), f"who lived did nothing: {left}"
    assert any(len(family) > 1 for family in ended), "nobody died at work"
    for worker in (workers[0], *workers[3:]):
        crew.force_delete(worker)
    release.await_ready()
    release.await_leader()
    crew.assert_alive(*living)


# Changes of the release.


def test_an_upgrade_and_a_rollback_miss_nobody_and_harm_nobody(release, crew, living):
    silenced = [f"silenced-{number}" for number in range(4)]
    crew.start(*silenced, heartbeat=SHORT)
    images = set()
    for change in (lambda: release.upgrade("image.tag=next"), lambda: release.rollback(1)):
        crew.signal(silenced[0], "HUP")  # Due while pods are being replaced.
        change()
        crew.signal(silenced[1], "HUP")  # Due when they have just been.
        pods = release.await_ready()
        images |= {pod["spec"]["containers"][0]["image"] for pod in pods.values()}
        for run in silenced[:2]:
            assert_silent(crew, run)
        del silenced[:2]
        crew.assert_alive(*living, *silenced)
    assert {image.rpartition(":")[2] for image in images} == {"next", "dev"}


@pytest.mark.parametrize("end", ["crash", "delete"])
def test_a_leader_that_ends_without_a_word_keeps_nobody_waiting(release, crew, living, end):
    run = f"outlives-a-{end}"
    crew.start(run, heartbeat=SHORT)
    getattr(release, end)(release.await_leader())
    crew.signal(run, "HUP")
    assert_silent(crew, run, late_seconds_max=LATE_SECONDS_MAX + LEASE_SECONDS)
    release.await_ready()
    crew.assert_alive(*living)


# A node.


def test_a_lost_node_takes_its_leader_and_its_workers(release, crew, cluster, rest, living):
    first, second = cluster.nodes
    lost = lead_from(release, second.name)
    crew.start("on-the-lost-node", heartbeat=NEVER_SILENT, node=second.name)
    crew.start("on-the-other-node", heartbeat=SHORT, node=first.name)
    on_it = [run for run in living if crew.pod(run)["spec"]["nodeName"] == second.name]

    second.stop_service("kubelet")
    until("the pods of the node are given up",
          lambda: "deletionTimestamp" in crew.pod("on-the-lost-node")["metadata"], 60)
    # Nobody can say whether that pod lives; for its deletion it would be taken for dead soon. But its worker beats.
    given_up = time.monotonic()
    until("", lambda: time.monotonic() - given_up > TAKEN_FOR_DEAD_SECONDS, TAKEN_FOR_DEAD_SECONDS + 1)
    crew.assert_alive("on-the-lost-node", *living)

    assert release.holder() == lost  # Its kubelet is gone, it is not.
    second.cut(first)
    crew.signal("on-the-other-node", "HUP")
    until("another leads", lambda: release.holder() not in (None, lost), LEASE_SECONDS + 10)
    for run in ("on-the-other-node", *on_it):
        assert_silent(crew, run, late_seconds_max=LATE_SECONDS_MAX + LEASE_SECONDS)
    status = crew.await_end("on-the-lost-node", 90)
    assert (status["phase"], status["reason"], status.get("cause")) == ("Stuck", "ExecutorLost", "NodeLost"), status
    crew.assert_alive(*(run for run in living if run not in on_it))

    second.mend(first)
    second.start_service("kubelet")
    until("the node is ready", lambda: "True" in [
        each["status"] for each in rest.get(f"/api/v1/nodes/{second.name}").body["status"]["conditions"]
        if each["type"] == "Ready"], 60)
    until("the lost pod is removed", lambda: crew.pod("on-the-lost-node") is None, 60)
    release.await_ready()
    assert crew.status("on-the-lost-node") == status  # Final, whatever came back with the node.


def lead_from(release, node):
    """Has the replica on that node lead: a leader elsewhere is stopped until its Lease is over. Returns its pod's uid."""
    pods, leader = release.await_ready(), release.await_leader()
    if pods[leader]["spec"]["nodeName"] != node:
        release.signal(leader, "SIGSTOP")
        stopped, leader = leader, release.await_leader(besides=leader)
        release.signal(stopped, "SIGCONT")
        pods = release.await_ready()
    assert pods[leader]["spec"]["nodeName"] == node
    return pods[leader]["metadata"]["uid"]


# The end.


def test_uninstalling_keeps_the_resource_and_every_run(release, rest, crew, living):
    crew.start("unwatched", heartbeat=SHORT)

    def runs():
        reply = rest.get(f"/apis/jobrun.dev/v1/namespaces/{NAMESPACE}/jobruns")
        assert reply.code == 200, reply
        return {run["metadata"]["uid"]: run["status"]["phase"] for run in reply.body["items"]}

    before = runs()
    release.uninstall()
    assert runs() == before and len(before) > len(living)
    deployment = f"/apis/apps/v1/namespaces/{releases.NAMESPACE}/deployments/{releases.NAME}"
    assert rest.get(deployment).code == 404 and not release.pods()


def test_another_installation_takes_the_runs_over(release, crew, living):
    still_there = [run for run in living if crew.status(run)["phase"] == "Running"]
    assert still_there and not release.pods()
    crew.signal("unwatched", "HUP")
    release.install()
    release.await_ready()
    # Nobody had released the first one's Lease. And after a time in which nobody looked a run gets two intervals more.
    assert_silent(crew, "unwatched", late_seconds_max=LATE_SECONDS_MAX + LEASE_SECONDS + 2 * SHORT["intervalSeconds"])
    crew.assert_alive(*still_there)
