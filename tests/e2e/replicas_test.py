"""Several controllers, and ones that are stopped, killed and replaced all the time: what no run may notice."""

import datetime
import itertools
import os
import time

import pytest

from canaries import ELECTION_ID
from crew import SCALED, Crew, counted_as_written
from replicas import FAILOVER_SECONDS, LEASE_LOST, ClientGoElector, await_leader, leader_of, leads, replica
from servers import ROOT, Unavailable
from space import LATE_SECONDS, beats, eventually
from stories import story

YEAR = datetime.timedelta(days=365)


@story
def test_two_controllers_without_election_reap_every_dead_run_once_and_no_live_one(space):
    for _ in range(2):
        space.controller(config=SCALED)
    crew = Crew(space, 8)
    crew.lose(4)
    crew.comes_out_right()


@story
def test_a_leader_stopped_beyond_its_lease_is_followed_at_once_and_stands_by(space):
    """Those that died before and while it stood are reaped by the next one; when it goes on it writes nothing."""
    leader, (standby,) = leader_of([replica(space) for _ in range(2)])
    crew = Crew(space, 7)
    crew.lose(1)
    leader.pause()
    crew.lose(2)
    await_leader(standby)
    crew.dead_are_reaped(crew.timeout + LATE_SECONDS)
    leader.resume()
    crew.comes_out_right()
    assert leads(standby) and not leads(leader)
    assert (space.reaped_by(leader), space.reaped_by(standby)) == (0, 4)


@story
def test_a_leader_stopped_between_judging_and_writing_harms_nobody(space):
    """Its verdicts reach the server when another has long led: that on a run which beats again, and that on one which the
    other has reaped meanwhile. Both are refused. It can't know that, and ends."""
    gate = space.gate()
    leader = replica(space, kubeconfig=gate.kubeconfig)
    await_leader(leader)
    standby = replica(space)
    belated = {name: gate.catch("PATCH", f"/{name}/status") for name in ("beats-again", "is-dead")}
    beating_again = space.dead("beats-again", beats(3))
    space.dead("is-dead", beats(3))
    for verdict in belated.values():
        assert verdict.wait().body["status"]["reason"] == "HeartbeatTimeout"
    leader.pause()
    beating_again.beat_every(0.5)
    await_leader(standby)
    ended = space.ends("is-dead", "Stuck", "HeartbeatTimeout", FAILOVER_SECONDS + LATE_SECONDS)
    assert {name: verdict.forward() for name, verdict in belated.items()} == {"beats-again": 409, "is-dead": 409}
    leader.resume()
    assert leader.exit_code(LATE_SECONDS) == LEASE_LOST
    space.stays("beats-again", "Running", 4)
    assert ended.status["verdictID"].startswith(standby.process_id)
    counted_as_written(space)
    beating_again.fall_silent()
    space.silent_until_reaped(beating_again, "beats-again", 3)


@story
def test_a_controller_killed_every_second_harms_nobody(space):
    """Most lives are too short for a verdict; what there was of each is right."""
    crew = Crew(space, 7)
    crew.lose(3)
    for _ in range(12):
        controller = space.controller(config=SCALED, wait=False)
        time.sleep(1)
        controller.kill()
    space.controller(config=SCALED)
    crew.comes_out_right(stop=1)


@story
def test_a_controller_killed_more_often_than_the_timeout_is_long_reaps_nevertheless(space):
    """Each one takes up what was counted before it, from what the server has stamped."""
    life, timeout = 6, 8
    crew = Crew(space, 5, timeout=timeout)
    names = crew.lose(2)
    lives = itertools.count(1)
    while not all(space.verdicts(name) for name in names):
        assert next(lives) <= 6, "the silence begins anew with every controller"
        controller = space.controller(config=SCALED)
        for name in names:
            space.observer.wait(space.name, name, lambda seen: "verdictID" in seen.status, life / len(names))
        controller.kill()
    space.controller(config=SCALED)
    crew.comes_out_right(stop=1)


@story
def test_three_replicas_rolled_every_few_seconds_go_on_reaping(space):
    """None lives as long as the timeout; the Lease is handed on, and each has counted since before it led."""
    living = [replica(space) for _ in range(3)]
    crew = Crew(space, 7, timeout=8)
    dead = crew.lose(3)
    rolls = itertools.count(1)
    while not all(space.verdicts(name) for name in dead):
        assert next(rolls) <= 12, "nobody leads long enough"
        living.append(replica(space))
        oldest = living.pop(0)
        oldest.terminate()
        assert oldest.exit_code(LATE_SECONDS) == 0
        eventually(lambda: any(leads(each) for each in living))
        time.sleep(1)
    crew.comes_out_right()
    assert sum(leads(each) for each in living) == 1


@story
def test_clocks_that_are_a_year_off_move_nothing(space):
    """Those of the workers, and those of the controllers, which elect a leader all the same. (The gate speaks plain HTTP:
    with such a clock no certificate would be good.)"""
    gate = space.gate()
    leader, (standby,) = leader_of([replica_with_clock_off(space, gate, off) for off in (YEAR, -YEAR)])
    crews = [Crew(space, 4, lane=lane, clock_off=off) for lane, off in (("ahead", YEAR), ("behind", -YEAR))]
    for crew in crews:
        crew.lose(1)
        crew.dead_are_reaped(crew.timeout + LATE_SECONDS)
    leader.terminate()
    assert leader.exit_code(LATE_SECONDS) == 0
    await_leader(standby)
    for crew in crews:
        crew.comes_out_right()


def replica_with_clock_off(space, gate, off):
    """A replica whose wall clock is off by a timedelta, and no other clock of it."""
    library = os.environ.get("JOBRUN_WALL_CLOCK") or ROOT / "build/release/bin/libwall_clock.so"
    controller = replica(space, kubeconfig=gate.kubeconfig,
                         environment={"LD_PRELOAD": library, "JOBRUN_TEST_CLOCK_OFF": int(off.total_seconds())})
    begun = datetime.datetime.fromisoformat(controller.log.split()[0].replace("Z", "+00:00"))
    assert abs(begun - datetime.datetime.now(datetime.timezone.utc) - off) < datetime.timedelta(minutes=5)
    return controller


@story
def test_client_go_and_ours_hand_over_to_each_other(space):
    """Both ways by giving the Lease up and by letting it expire; who does not lead writes nothing."""
    try:
        theirs = ClientGoElector(space)
    except Unavailable as missing:
        pytest.skip(str(missing))
    theirs.start()
    theirs.await_leader()
    ours = replica(space)
    space.dead("waits", beats(2))
    space.stays("waits", "Running", 5)
    assert theirs.leads() and not leads(ours)
    theirs.stop()
    space.ends("waits", "Stuck", "HeartbeatTimeout", FAILOVER_SECONDS + LATE_SECONDS)
    assert leads(ours)
    again = ClientGoElector(space, "client-go-again").start()
    ours.terminate()
    assert ours.exit_code(LATE_SECONDS) == 0
    again.await_leader()
    killed = replica(space)
    again.stop()
    await_leader(killed)
    third = ClientGoElector(space, "client-go-at-last").start()
    killed.kill()
    third.await_leader()
    last = replica(space)
    third.kill()
    await_leader(last)
    lease = space.rest.get(f"/apis/coordination.k8s.io/v1/namespaces/{space.name}/leases/{ELECTION_ID}").body
    assert lease["spec"]["leaseTransitions"] >= 5
    counted_as_written(space)
