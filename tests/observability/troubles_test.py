"""A real controller in each kind of trouble: the real rule fires about it, and no other page goes out."""

import contextlib

import pytest

import catalogue
from prometheus import eventually
from rest import Rest
from space import beats
from watched import SECONDS_MAX, Watched

CRITICAL = {alert["alert"] for alert in catalogue.alerts() if alert["labels"]["severity"] == "critical"}


@pytest.fixture
def watch(programs, server, tmp_path):
    """Makes the Watched of a test and ends it."""
    with contextlib.ExitStack() as stack:
        yield lambda *flags: stack.enter_context(Watched(server, tmp_path, *flags))


def only_page(watched, name):
    watched.await_firing(name)
    assert watched.firing() & CRITICAL == {name}


def test_a_controller_that_is_well_fires_nothing(watch):
    watched = watch()
    watched.space.dead("silent", beats(2))
    eventually(lambda: watched.prometheus.now("jobrun_reaps_total > 0"), SECONDS_MAX, "a reap")
    eventually(lambda: watched.prometheus.now("count_over_time(jobrun_build_info[60s]) > 8"), SECONDS_MAX, "eight scrapes")
    assert watched.firing() == set()


def test_runs_that_may_not_be_listed(watch):
    watched = watch()
    watched.gate.refuse(403, "not yours", lambda method, path, headers: method == "GET" and "/jobruns?" in path)
    only_page(watched, "JobRunWatchFailing")


def test_verdicts_that_are_refused(watch):
    watched = watch()
    watched.gate.refuse(403, "not yours", lambda method, path, headers: method == "PATCH" and path.endswith("/status"))
    for number in range(6):
        watched.space.dead(f"refused-{number}", beats(2))
    only_page(watched, "JobRunVerdictsRefused")


def test_a_lease_that_another_holds(watch):
    watched = watch("--leader-elect")
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{watched.space.name}/leases/jobrun-controller"
    rest = Rest(watched.space.server.kubeconfig)
    taken = {"holderIdentity": "somebody-else", "leaseDurationSeconds": 600}
    assert rest.merge(lease, {"spec": taken}).code == 200
    only_page(watched, "JobRunNoLeader")
    rest.delete(lease)


def test_an_api_server_that_is_gone_pages_once(watch):
    watched = watch("--leader-elect")
    watched.gate.cut()
    only_page(watched, "JobRunControllerBlind")
    eventually(lambda: watched.prometheus.now("leader_election_master_status == 0"), SECONDS_MAX, "it leads no more")
    eventually(lambda: watched.prometheus.now("count_over_time((leader_election_master_status == 0)[60s:1s]) > 8"),
               SECONDS_MAX, "and has not for eight seconds")
    assert watched.firing() & CRITICAL == {"JobRunControllerBlind"}


def test_a_configuration_with_a_mistake(watch):
    watched = watch()
    watched.spoil_configuration()
    watched.await_firing("JobRunConfigRejected")
    assert not watched.firing() & CRITICAL


def test_a_run_that_fails_for_good_and_one_that_was_alive(watch):
    watched = watch()
    watched.space.dead("last", beats(2), {"retry": {"maxAttempts": 2, "backoffSeconds": 1}, "attempt": 2})
    watched.await_firing("JobRunRetriesExhausted")
    assert watched.space.status("last", lateHeartbeatTime="2001-01-01T00:00:00Z").code == 200
    watched.await_firing("JobRunDisputedReaps")
    assert not watched.firing() & CRITICAL
