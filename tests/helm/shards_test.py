"""The example of docs/sizing.md: three releases on one API server that divide the runs by their label `team`."""

import collections

import pytest
import yaml

from cluster import eventually
from replica import Replicas
from servers import ROOT
from tenants import LONG_AGO, Tenant

EXAMPLES = ROOT / "manifests/examples/shards"
RELEASES = ("jobrun", "jobrun-a", "jobrun-b")
FAST = {"config": {"defaults": {"heartbeat": {"intervalSeconds": 1, "timeoutSeconds": 3}}, "canary": {"periodSeconds": 1},
                   "leaderElection": {"leaseSeconds": 6, "renewDeadlineSeconds": 4, "retrySeconds": 1}}}


class Shards:
    """The three releases, each with two replicas at work, and the worker of a team."""

    def __init__(self, cluster, directory):
        self.cluster = cluster
        self.replicas = {}
        for release in RELEASES:
            values = yaml.safe_load((EXAMPLES / f"{release}.yaml").read_text())
            self.replicas[release] = Replicas(cluster, directory, {**values, **FAST}, release)
        for each in (each for each in self.replicas.values() for _ in range(2)):
            each.start()
        self.worker = Tenant(cluster, cluster.namespace("work"))

    def objects(self, kind):
        """Names of the objects of a kind that the releases have brought."""
        names = self.cluster.kubectl("get", kind, "-A", "-o", "name", "-l", "app.kubernetes.io/part-of=jobrun")
        return sorted(name.rpartition("/")[2] for name in names.split())

    def silent(self, name, labels):
        self.worker.create(name, {"retry": {"maxAttempts": 2, "backoffSeconds": 1}}, labels=labels)
        for reply in (self.worker.claim(name), self.worker.beat(name, LONG_AGO)):
            assert reply.code == 200, reply

    def judge_of(self, name):
        """The release whose replica has written the verdict on that run."""
        status = eventually(lambda: (found := self.worker.get(name)["status"])["phase"] == "Stuck" and found, f"{name} ends")
        process = status["verdictID"].rpartition("-")[0]
        (judge,) = [release for release, each in self.replicas.items()
                    if process in [replica.process_id for replica in each.running]]
        return judge


@pytest.fixture(scope="module")
def shards(cluster, tmp_path_factory):
    begun = Shards(cluster, tmp_path_factory.mktemp("shards"))
    yield begun
    for each in begun.replicas.values():
        print(each.logs())
        each.close()


def test_each_has_a_leader(shards):
    def leaders():
        return collections.Counter(release for release, each in shards.replicas.items() for replica in each.running
                                   if replica.metrics().total("leader_election_master_status") == 1)
    eventually(lambda: leaders() == dict.fromkeys(RELEASES, 1), "three lead")
    leases = shards.cluster.rest.get("/apis/coordination.k8s.io/v1/namespaces/jobrun-system/leases").body["items"]
    assert sorted(each["metadata"]["name"] for each in leases) == sorted(RELEASES)


def test_each_run_is_judged_by_its_shard_and_what_none_asks_for_by_the_rest(shards):
    wanted = {"of-a": "jobrun-a", "of-b": "jobrun-b", "of-c": "jobrun", "of-nobody": "jobrun"}
    for name in wanted:
        shards.silent(name, {} if name == "of-nobody" else {"team": name[-1]})
    assert {name: shards.judge_of(name) for name in wanted} == wanted


def test_a_successor_is_of_the_same_shard(shards):
    parent = eventually(lambda: (run := shards.worker.get("of-a"))["status"]["retry"]["state"] == "Created" and run, "a retry")
    successor = shards.worker.get(parent["status"]["retry"]["successorName"])
    assert successor["metadata"]["labels"]["team"] == "a"


def test_what_the_cluster_needs_once_is_there_once(shards):
    assert shards.objects("validatingadmissionpolicies") == ["jobrun"]
    assert shards.objects("prioritylevelconfigurations") == ["jobrun-heartbeats"]
    assert [name for name in shards.objects("flowschemas") if name.endswith("heartbeats")] == ["jobrun-heartbeats"]
    assert "jobrun-worker" in shards.objects("clusterroles") and "jobrun-a-worker" not in shards.objects("clusterroles")
    shards.worker.create("forged", labels={"team": "b"})
    reply = shards.worker.patch("forged", verdictID="mine")
    assert reply.code == 422 and "only the controller" in reply.message, reply


def test_their_canaries_are_in_one_place_and_stay(shards):
    uids = {replica.pod["metadata"]["uid"] for each in shards.replicas.values() for replica in each.running}
    runs = shards.cluster.rest.get("/apis/jobrun.dev/v1/namespaces/jobrun-system/jobruns").body["items"]
    assert {each["metadata"]["name"].removeprefix("jobrun-canary-") for each in runs} == uids
    for each in shards.replicas.values():
        for replica in each.running:
            lanes = replica.metrics().by("jobrun_runs", "lane")
            assert ("other",) not in lanes, "it takes a canary for a run"


def test_nothing_was_refused_to_them(shards):
    for each in shards.replicas.values():
        for replica in each.running:
            codes = replica.metrics().by("rest_client_requests_total", "code")
            assert codes[("200",)] and ("403",) not in codes and ("401",) not in codes, codes
