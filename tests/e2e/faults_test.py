"""Everything that may be wrong with the connection between a controller and its API server, one at a time and for longer
than a timeout. Workers have connections of their own: of each crew some live, and some die before it, during it and after.
"""

import collections
import time

from crew import INTERVAL, SCALED, TIMEOUT, Crew
from faults import (CutInTheMiddle, CuttingShort, Doubled, Dripping, ExpiredAtOnce, Expiring, FailingAfterwards, Farewell,
                    HalfOpen, Hidden, Lagging, Losing, Overtaken, Refusing, Replayed, of_canaries, of_runs)
from space import LATE_SECONDS, eventually, known
from stories import story

BEAT_SECONDS = 2 * INTERVAL  # Many crews beat at the same time.
# How long an open watch may bring nothing before it is given up (engine/canaries.cc, watch/reflector.h).
CANARY_IDLE_SECONDS, IDLE_SECONDS = 15, 90
TEXT = "läuft – 走れ 🏃"  # Characters of two, three and four bytes.
REQUESTS_A_SECOND_MAX = 20  # Of a controller with so few runs, whatever is wrong.
GROWTH_BYTES_MAX, GROWTH_FDS_MAX = 16 << 20, 8
TOO_LARGE = {"details": {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}}


class Scene:
    """A controller behind a gate with a fault, a crew of which one is dead already, and one that joins when it begins."""

    def __init__(self, space, fault):
        self.space, self.fault = space, fault
        self._gate = space.gate(fault=fault)
        self.controller = space.controller(kubeconfig=self._gate.kubeconfig, config=SCALED)
        self.crew, self.joined = self._crew(5, "old"), None
        self.crew.lose(1)
        self._before = self.controller.metrics()
        self._began = self.lasted = None

    def begin(self):
        """It begins; then another one of the crew dies, and one of those who join."""
        self._began = time.monotonic()
        self.fault.begin()
        if self.fault.ends_connections:
            self._gate.end_connections()
        time.sleep(1)
        self.crew.lose(1)
        self.joined = self._crew(2, "new")
        self.joined.lose(1)

    def end(self, seconds=0):
        """It ends, when it has lasted so long."""
        time.sleep(max(0.0, self._began + seconds - time.monotonic()))
        self.fault.end()
        self.lasted = time.monotonic() - self._began
        assert self.fault.struck > 0, "nothing was wrong"

    def dead_are_reaped(self, seconds):
        until = time.monotonic() + seconds
        for crew in (self.crew, self.joined):
            crew.dead_are_reaped(until - time.monotonic())

    def is_seen_again(self, late=0):
        """It has ended, and at most so much later the controller sees that; then all ends well, with grace."""
        eventually(lambda: not self.clock_stands() and self.controller.ready(), late + LATE_SECONDS)
        stop = time.monotonic() - self._began
        self.dead_are_reaped(TIMEOUT + min(stop, 2 * BEAT_SECONDS) + LATE_SECONDS)
        self.ends_well(stop)

    def ends_well(self, stop=0):
        self.joined.nobody_living_was_reaped()
        self.crew.comes_out_right(stop)
        phases = known(collections.Counter((seen.phase,) for seen in self.space.list()))
        eventually(lambda: self.controller.metrics().by("jobrun_runs", "phase") == phases)
        assert self.controller.ready()
        assert self._more("process_resident_memory_bytes") <= GROWTH_BYTES_MAX
        assert self._more("process_open_fds") <= GROWTH_FDS_MAX
        assert self._more("rest_client_requests_total") <= REQUESTS_A_SECOND_MAX * (time.monotonic() - self._began)
        assert self._more("jobrun_invalid_objects_total") == 0

    def clock_stands(self):
        return self.controller.metrics().total("jobrun_silence_clock_stopped") == 1

    def _more(self, metric):
        return self.controller.metrics().total(metric) - self._before.total(metric)

    def _crew(self, size, lane):
        crew = Crew(self.space, size, lane=lane, interval=BEAT_SECONDS)
        for number in range(1, size + 1):
            assert self.space.status(f"{lane}-{number}", message=TEXT).code == 200
        return crew


def lives_with(space, fault, late=0):
    """While it lasts those who are dead are reaped, at most so much later than without it."""
    scene = Scene(space, fault)
    scene.begin()
    scene.dead_are_reaped(TIMEOUT + late + LATE_SECONDS)
    scene.end(2 * TIMEOUT)
    scene.ends_well()


def outlasts(space, fault):
    """While it lasts nothing can be seen and nothing is written; once it is over all goes on. Returns how long it was."""
    scene = Scene(space, fault)
    scene.begin()
    eventually(scene.clock_stands)
    scene.end(2 * TIMEOUT)
    assert scene.clock_stands() and scene.controller.reaps() == 0
    scene.is_seen_again()
    return scene.lasted


def comes_and_goes(space, fault):
    """While it lasts the controller can see at times, and may take its time; once it is over all goes on."""
    scene = Scene(space, fault)
    scene.begin()
    scene.end(2 * TIMEOUT)
    scene.is_seen_again()


@story
def test_a_watch_of_canaries_that_stays_open_and_brings_nothing(space):
    scene = Scene(space, HalfOpen(of_canaries))
    scene.begin()
    eventually(scene.clock_stands)
    scene.end()
    scene.is_seen_again(CANARY_IDLE_SECONDS)


@story
def test_watches_that_end_in_the_middle_of_a_line(space):
    comes_and_goes(space, CutInTheMiddle())


@story
def test_watches_that_end_in_the_middle_of_a_character(space):
    lives_with(space, CutInTheMiddle(in_a_character=True))


@story
def test_watches_that_lag_by_more_than_a_timeout(space):
    lives_with(space, Lagging(TIMEOUT + 1), late=TIMEOUT + 1)


@story
def test_events_that_come_twice(space):
    lives_with(space, Doubled())


@story
def test_events_that_come_again_after_later_ones(space):
    lives_with(space, Replayed())


@story
def test_events_that_overtake_each_other(space):
    lives_with(space, Overtaken())


@story
def test_events_that_are_lost(space):
    lives_with(space, Hidden())


@story
def test_watches_that_come_a_few_bytes_at_a_time(space):
    lives_with(space, Dripping())


@story
def test_watches_that_expire_while_they_are_open(space):
    comes_and_goes(space, Expiring())


@story
def test_watches_that_can_not_be_taken_up_again(space):
    lives_with(space, ExpiredAtOnce())


@story
def test_versions_that_the_server_does_not_know_yet(space):
    outlasts(space, Refusing(504, reads_only=True, **TOO_LARGE))


@story
def test_connections_that_end_after_each_answer(space):
    lives_with(space, Farewell())


@story
def test_requests_that_are_to_come_later(space):
    """Each of the two watches and the canary asks about once in the time that it is told to wait."""
    fault = Refusing(429, headers={"Retry-After": "2"})
    lasted = outlasts(space, fault)
    assert fault.struck <= 4 * (1 + lasted / 2)


@story
def test_requests_that_fail(space):
    outlasts(space, Refusing(500, 502, 503))


@story
def test_requests_that_are_forbidden_for_a_while(space):
    outlasts(space, Refusing(403))


@story
def test_writes_that_fail_when_they_are_done(space):
    lives_with(space, FailingAfterwards())


@story
def test_requests_that_are_lost(space):
    lives_with(space, Losing(requests=0.3))


@story
def test_answers_that_are_lost(space):
    lives_with(space, Losing(answers=0.3))


@story
def test_answers_that_are_cut_short(space):
    lives_with(space, CuttingShort(0.3))


@story
def test_a_watch_of_runs_that_stays_open_and_brings_nothing(space):
    """Runs that are known are read before they are given up; those that came since are seen when the watch is given up. It is
    the last one because it lasts longest."""
    scene = Scene(space, HalfOpen(of_runs))
    scene.begin()
    begun = time.monotonic()
    scene.crew.dead_are_reaped(2 * TIMEOUT + LATE_SECONDS)
    scene.end()
    assert scene.controller.metrics().total("jobrun_reap_conflicts_total") > 0
    assert not space.verdicts("new-1") | space.verdicts("new-2")
    scene.dead_are_reaped(begun + IDLE_SECONDS + TIMEOUT + LATE_SECONDS - time.monotonic())
    scene.ends_well()
