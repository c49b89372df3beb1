"""A network that is cut between a worker and its API server: what the kernel drops, neither end hears of."""

import re
import time

import pytest

import network as networks
import servers
from wrapper import await_true, is_alive


@pytest.fixture(scope="module")
def network():
    try:
        made = networks.Network()
    except networks.Unavailable as error:
        return servers.give_up(f"NO NETWORK NAMESPACE: {error}")
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(network, tmp_path_factory):
    """The dev server, at this machine's end of the cable."""
    yield from servers.running("dev", tmp_path_factory.mktemp("dev"), host=network.address)


def next_beat(bench, name="r"):
    beat = bench.status(name).get("lastHeartbeatAt")
    await_true(lambda: bench.status(name).get("lastHeartbeatAt") != beat)


def test_cuts_that_are_shorter_than_the_timeout_harm_nobody(bench, network):
    bench.controller()
    bench.create(timeout=8)
    wrapper = bench.begun(under=network.under)
    for _ in range(2):
        next_beat(bench)
        network.cut()
        time.sleep(5.5)
        network.mend()
    next_beat(bench)
    assert bench.phase() == "Running" and wrapper.process.poll() is None
    assert "the work goes on" in wrapper.err


def test_a_cut_that_is_longer_fences_the_worker(bench, network):
    """One whose work stops by itself, and one whose work goes on until it is told that its run is lost."""
    bench.controller()
    wrappers, children = {}, {}
    for name, flags in (("stops", ()), ("goes-on", ("--when-cut-off", "continue"))):
        bench.create(name, timeout=4)
        wrappers[name] = bench.begun("--grace", "1", *flags, name=name, under=network.under)
        children[name] = int(re.search(r"begun (\d+)", wrappers[name].out).group(1))
        next_beat(bench, name)
    network.cut()
    for name in wrappers:
        assert bench.await_phase("Stuck", name)["reason"] == "HeartbeatTimeout"
    await_true(lambda: not is_alive(children["stops"]))
    assert is_alive(children["goes-on"])
    versions = {name: bench.run(name)["metadata"]["resourceVersion"] for name in wrappers}
    network.mend()
    for name, wrapper in wrappers.items():
        assert wrapper.wait() == 65
        assert "Stuck (HeartbeatTimeout)" in wrapper.err
        assert not is_alive(children[name])
        assert bench.run(name)["metadata"]["resourceVersion"] == versions[name], "it wrote after the fence"
