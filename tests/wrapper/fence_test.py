"""When a run is lost, its work stops; and nothing else stops it."""

import re
import signal
import time

import pytest

from tcp_gate import TcpGate
from wrapper import await_true, is_alive

TIMEOUT = 4


@pytest.fixture
def gate(bench):
    gate = TcpGate(bench.server.url)
    yield gate
    gate.close()


def test_a_run_that_was_given_up_stops_its_work_and_all_it_has_started(bench):
    bench.create()
    script = "trap '' TERM; sh -c \"trap '' TERM; echo inner \\$\\$; while :; do sleep 0.1; done\" & while :; do sleep 0.1; done"
    wrapper = bench.begun("--grace", "1", script=script)
    wrapper.said("inner")
    pids = [int(pid) for pid in re.findall(r"(?:begun|inner) (\d+)", wrapper.out)]
    bench.patch(phase="Stuck", reason="HeartbeatTimeout", completionTime="2026-01-01T00:00:00Z")
    version = bench.run()["metadata"]["resourceVersion"]
    assert wrapper.wait() == 65
    assert "Stuck (HeartbeatTimeout) since 2026-01-01T00:00:00Z" in wrapper.err
    await_true(lambda: not any(map(is_alive, pids)))
    assert bench.run()["metadata"]["resourceVersion"] == version, "it wrote after the fence"


def test_a_run_that_is_gone_stops_its_work(bench):
    bench.create()
    wrapper = bench.begun()
    bench.rest.delete(f"{bench.runs}/r")
    assert wrapper.wait() == 65
    assert "is gone" in wrapper.err


def test_a_new_run_of_the_same_name_is_another(bench):
    bench.create()
    wrapper = bench.begun("--worker", "same")
    bench.rest.delete(f"{bench.runs}/r")
    bench.create()
    bench.patch(phase="Running", claimedAt="2026-01-01T00:00:00Z", claimedBy="same")
    version = bench.run()["metadata"]["resourceVersion"]
    assert wrapper.wait() == 65
    assert bench.run()["metadata"]["resourceVersion"] == version


def test_a_wrapper_that_was_stopped_too_long_finds_its_run_given_up(bench):
    """SIGSTOP of the wrapper alone: its work runs on, unwatched, until the wrapper wakes up."""
    bench.controller()
    bench.create(timeout=TIMEOUT)
    wrapper = bench.begun("--grace", "1")
    child = int(re.search(r"begun (\d+)", wrapper.out).group(1))
    await_true(lambda: "lastHeartbeatAt" in bench.status())
    wrapper.signal(signal.SIGSTOP)
    assert bench.await_phase("Stuck")["reason"] == "HeartbeatTimeout"
    assert is_alive(child)
    wrapper.signal(signal.SIGCONT)
    assert wrapper.wait() == 65
    await_true(lambda: not is_alive(child))


def test_half_open_connections_are_replaced_well_within_the_timeout(bench, gate):
    bench.controller()
    bench.create(timeout=TIMEOUT)
    wrapper = bench.begun(kubeconfig=bench.kubeconfig_through(gate.address))
    await_true(lambda: "lastHeartbeatAt" in bench.status())
    for _ in range(3):
        gate.hang()
        beat = bench.status()["lastHeartbeatAt"]
        await_true(lambda: bench.status()["lastHeartbeatAt"] != beat, TIMEOUT)
    assert bench.phase() == "Running"
    assert wrapper.process.poll() is None


def test_a_cut_that_is_shorter_than_the_timeout_harms_nobody(bench, gate):
    bench.controller()
    bench.create(timeout=8)
    wrapper = bench.begun(kubeconfig=bench.kubeconfig_through(gate.address))
    await_true(lambda: "lastHeartbeatAt" in bench.status())
    gate.cut()
    time.sleep(4)
    gate.mend()
    beat = bench.status()["lastHeartbeatAt"]
    await_true(lambda: bench.status()["lastHeartbeatAt"] != beat)
    assert bench.phase() == "Running" and wrapper.process.poll() is None
    assert "the work goes on" in wrapper.err


def test_work_that_is_cut_off_for_the_whole_timeout_stops_itself(bench, gate):
    bench.create(timeout=TIMEOUT)
    wrapper = bench.begun("--report-timeout", "1", kubeconfig=bench.kubeconfig_through(gate.address))
    child = int(re.search(r"begun (\d+)", wrapper.out).group(1))
    await_true(lambda: "lastHeartbeatAt" in bench.status())
    began = time.monotonic()
    gate.cut()
    await_true(lambda: not is_alive(child))
    assert time.monotonic() - began < TIMEOUT + 2
    assert wrapper.wait() == 143
    assert f"no heartbeat was accepted for {TIMEOUT} s" in wrapper.err
    assert "could not be reported" in wrapper.err


def test_work_may_go_on_when_it_is_cut_off(bench, gate):
    bench.create(timeout=TIMEOUT)
    wrapper = bench.begun("--when-cut-off", "continue", kubeconfig=bench.kubeconfig_through(gate.address))
    await_true(lambda: "lastHeartbeatAt" in bench.status())
    gate.cut()
    time.sleep(TIMEOUT + 1)
    assert wrapper.process.poll() is None
    gate.mend()
    beat = bench.status()["lastHeartbeatAt"]
    await_true(lambda: bench.status()["lastHeartbeatAt"] != beat)


def test_an_end_waits_for_the_server(bench, gate):
    bench.create(timeout=60, interval=30)
    wrapper = bench.begun(script="sleep 1; exit 6", kubeconfig=bench.kubeconfig_through(gate.address))
    gate.cut()
    time.sleep(2)
    assert wrapper.process.poll() is None
    gate.mend()
    assert wrapper.wait() == 6
    assert (bench.phase(), bench.status()["exitCode"]) == ("Failed", 6)


def test_one_lease_beats_in_place_of_the_status(bench):
    bench.create(heartbeat={"intervalSeconds": 1, "timeoutSeconds": TIMEOUT, "source": "Lease"})
    bench.controller()
    wrapper = bench.begun("--worker", "leaser", script="sleep 8")
    lease = await_true(lambda: bench.rest.get(f"{bench.leases}/leaser").body.get("spec"))
    await_true(lambda: bench.rest.get(f"{bench.leases}/leaser").body["spec"]["renewTime"] != lease["renewTime"])
    version = bench.run()["metadata"]["resourceVersion"]
    time.sleep(3)
    assert bench.run()["metadata"]["resourceVersion"] == version, "the Lease beats in place of the status"
    bench.rest.delete(f"{bench.leases}/leaser")
    await_true(lambda: bench.rest.get(f"{bench.leases}/leaser").code == 200)
    assert bench.run()["metadata"]["resourceVersion"] != version, "who makes the Lease beats in the status first"
    assert wrapper.wait() == 0, wrapper.err
    assert bench.phase() == "Succeeded"
    assert bench.rest.get(f"{bench.leases}/leaser").code == 404, "the Lease goes with its worker"


def test_a_stopped_worker_with_a_lease_is_fenced_like_any_other(bench):
    bench.create(heartbeat={"intervalSeconds": 1, "timeoutSeconds": TIMEOUT, "source": "Lease"})
    bench.controller()
    wrapper = bench.begun("--worker", "leaser", "--grace", "1")
    await_true(lambda: bench.rest.get(f"{bench.leases}/leaser").code == 200)
    wrapper.signal(signal.SIGSTOP)
    assert bench.await_phase("Stuck")["reason"] == "HeartbeatTimeout"
    wrapper.signal(signal.SIGCONT)
    assert wrapper.wait() == 65
