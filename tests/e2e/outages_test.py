"""The server goes away, forgets, or refuses; and what the probes say meanwhile."""

import contextlib
import itertools
import time

import pytest

from afflictions import (bad_token, canary_home, no_right_to_read, no_right_to_write, resource_missing, writes_refused,
                         wrong_ca)
from crew import SCALED, Crew, counted_as_written
from space import AFTER_STOP_SECONDS, LATE_SECONDS, NO_STOP, beats, eventually, known
from stories import story

MENDED_SECONDS_MAX = 30


def way_in(space):
    """(kubeconfig, gate or None) for a controller. The dev server would lose its data, so it is only cut off."""
    if space.server.name == "kube":
        return space.server.kubeconfig, None
    gate = space.gate()
    return gate.kubeconfig, gate


@contextlib.contextmanager
def outage(space, gate):
    """Nobody gets through; after it every earlier resourceVersion is too old, as mostly after a restart of a real
    server."""
    if gate is None:
        space.server.kill()
        yield
        space.server.compact()
        return
    gate.cut()
    space.server.pause()
    yield
    space.server.resume()
    space.server.compact()
    gate.heal()


def lists(controller):
    return controller.metrics().total("jobrun_lists_total", result="complete")


def test_api_server_restarted_in_the_middle(space):
    """The live stay Running, and the dead are reaped afterwards, also one that died meanwhile."""
    kubeconfig, gate = way_in(space)
    controller = space.controller(kubeconfig=kubeconfig)
    alive, dying = space.alive("alive", beats(120)), space.alive("dying", beats(8))
    finishing = space.dead("finishing", beats(120))
    before = lists(controller)
    with outage(space, gate):
        eventually(lambda: not controller.ready())
        assert controller.page("/livez")[0] == 200
        dying.fall_silent()
        time.sleep(1)
    space.rest.close()
    controller.await_ready()
    eventually(lambda: lists(controller) > before)  # A watch that is taken up again is refused from within.
    assert finishing.finish() == 200
    dead = space.dead("dead-later", beats(3))
    space.silent_until_reaped(dead, "dead-later", 3, LATE_SECONDS + AFTER_STOP_SECONDS)
    space.ends("dying", "Stuck", "HeartbeatTimeout", 8 + AFTER_STOP_SECONDS + LATE_SECONDS)
    space.stays("alive", "Running", 1)
    space.counted(controller, 2)
    runs = {("Running",): 1, ("Stuck",): 2, ("Succeeded",): 1}
    assert controller.metrics().by("jobrun_runs", "phase") == known(runs)
    alive.fall_silent()


def test_compaction_makes_it_list_again_and_keeps_its_timers(space):
    kubeconfig, gate = way_in(space)
    controller = space.controller(kubeconfig=kubeconfig, config=NO_STOP)
    dead = space.dead("dead", beats(15))
    before = lists(controller)
    time.sleep(5)
    if gate:  # A watch that is open would notice nothing, and a bookmark could save it.
        gate.flowing.clear()
    space.server.compact()
    if gate:
        gate.end_connections()
        gate.flowing.set()
    space.rest.close()
    eventually(lambda: lists(controller) > before, 2 * LATE_SECONDS)
    listed_at = time.monotonic()
    ended = space.silent_until_reaped(dead, "dead", 15)
    assert ended.at < listed_at + 15 - 2, "its silence began anew with the list"
    if gate:  # The real server is away for so long that a slow machine's controller lists of its own accord.
        assert controller.metrics().total("jobrun_watch_ends_total", cause="expired") >= 1


@story
def test_probes_tell_the_truth(space):
    gate = space.gate(listening=False)
    controller = space.controller(kubeconfig=gate.kubeconfig, wait=False)
    for page, code in (("/healthz", 200), ("/livez", 200), ("/readyz", 503)):
        assert controller.page(page)[0] == code, page
    eventually(lambda: gate.url in controller.page("/readyz")[1])  # Which server, and that it does not answer.
    listing = gate.catch("GET", "/jobruns")
    gate.listen()
    listing.wait()
    assert controller.page("/readyz")[0] == 503, "before the first complete list"
    listing.forward()
    controller.await_ready()
    gate.cut()
    eventually(lambda: not controller.ready())
    assert controller.page("/livez")[0] == 200
    gate.heal()
    controller.await_ready()
    assert controller.page("/readyz?verbose")[1].splitlines()[-1] == "passed"


@story
def test_unreachable_server_is_named_and_waited_for(space):
    gate = space.gate(listening=False)
    says_so_and_recovers(space, gate.kubeconfig, gate.listen, (gate.url, "refused"))


@story
def test_server_that_asks_for_patience_is_left_in_peace(space):
    """429 slows the controller down and ends nothing."""
    gate = space.gate()
    patched = []

    def refused(method, path, headers):
        if method == "PATCH":
            patched.append(time.monotonic())
        return method == "PATCH"

    controller = space.controller(kubeconfig=gate.kubeconfig)
    lift = gate.refuse(429, "later", refused)
    controller.await_ready()
    space.dead("patient", beats(2))
    eventually(lambda: patched, 2 + LATE_SECONDS)
    time.sleep(3)
    assert len(patched) <= 6
    lift()
    space.ends("patient", "Stuck", "HeartbeatTimeout", LATE_SECONDS)
    space.counted(controller, 1)


@story
def test_bad_token_is_named_and_the_next_one_is_taken(space):
    says_so_and_recovers(space, *bad_token(space))


@story
def test_missing_right_to_read_is_named_and_waited_for(space):
    says_so_and_recovers(space, *no_right_to_read(space))


@story
def test_wrong_ca_is_named_and_the_next_one_is_taken(space):
    says_so_and_recovers(space, *wrong_ca(space))


@story
def test_missing_right_to_write_is_named_and_waited_for(space):
    """Where the runs are; it has all rights where its canary is."""
    kubeconfig, mend, said = no_right_to_write(space)
    controller = space.controller(kubeconfig=kubeconfig, canaries_in=canary_home(space))
    space.dead("unwritable", beats(2))
    one_line(controller, *said, seconds=2 + LATE_SECONDS)
    space.stays("unwritable", "Running", 1)
    mend()
    space.ends("unwritable", "Stuck", "HeartbeatTimeout", MENDED_SECONDS_MAX)
    eventually(controller.ready)


@story
def test_namespaces_whose_writes_are_refused_hold_up_no_other(space):
    """A policy forbids them in one and a webhook fails them in another, whatever they say. When both are gone, the runs
    there are given up too."""
    refused = [space.neighbour("policy"), space.neighbour("webhook")]
    for each in refused:
        each.dead("dead", beats(4))
    kubeconfig, mend = writes_refused(space, *refused)
    watched = itertools.chain(*(("--namespace", each.name) for each in refused))
    controller = space.controller(*watched, kubeconfig=kubeconfig, config=SCALED)
    crew = Crew(space, 6)
    crew.lose(2)
    crew.dead_are_reaped(crew.timeout + LATE_SECONDS)
    for each in refused:
        each.stays("dead", "Running", 1)
    assert controller.reaps() == 2
    mend()
    for each in refused:
        each.ends("dead", "Stuck", "HeartbeatTimeout", MENDED_SECONDS_MAX)
    crew.nobody_living_was_reaped()
    counted_as_written(space, *refused)


@pytest.mark.last
def test_resource_missing_at_start_is_waited_for(space):
    says_so_and_recovers(space, *resource_missing(space))


def says_so_and_recovers(space, kubeconfig, mend, said):
    controller = space.controller(kubeconfig=kubeconfig, wait=False)
    one_line(controller, *said)
    mend()
    works(space, controller)


def one_line(controller, *parts, seconds=LATE_SECONDS):
    """Says what is the matter, once, stays alive and is not ready; returns that line."""
    eventually(lambda: controller.lines("error", *parts), seconds)
    time.sleep(1.5)
    assert controller.running
    assert not controller.ready()
    line, = controller.lines(" error ")
    return line


def works(space, controller):
    """It becomes ready by itself, and reaps."""
    controller.await_ready(MENDED_SECONDS_MAX)
    worker = space.dead("after-all", beats(2))
    space.silent_until_reaped(worker, "after-all", 2, LATE_SECONDS + AFTER_STOP_SECONDS)
