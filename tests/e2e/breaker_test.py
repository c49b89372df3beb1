"""Many workers fall silent at the same moment, which they seldom do because all of them have died: their runs are held
for a while, so that whoever comes back is spared, and then given up after all."""

from crew import SCALED, Crew, counted_as_written
from space import LATE_SECONDS, eventually
from stories import story

HOLD_SECONDS = 10
JUDGED = {"heartbeat": {"mode": "Auto"}}
CONFIG = {**SCALED, "breaker": {"fraction": 0.55, "minRuns": 6, "holdSeconds": HOLD_SECONDS},
          "lanes": {"left": JUDGED, "right": JUDGED}}


def held(controller):
    """How many verdicts it has held."""
    return controller.metrics().total("jobrun_verdicts_suppressed_total", cause="breaker")


def crew_of(space, size, lane):
    """Two seconds are enough to call what a busy machine does in them `at once`."""
    return Crew(space, size, lane=lane, interval=2)


@story
def test_half_of_a_lane_dying_at_once_is_reaped_at_once(space):
    controller = space.controller(config=CONFIG)
    crew = crew_of(space, 12, "left")
    crew.lose_at_once(6)
    crew.dead_are_reaped(crew.timeout + LATE_SECONDS)
    assert held(controller) == 0
    crew.comes_out_right()


@story
def test_a_whole_lane_dying_at_once_is_held_and_no_other_lane_is(space):
    controller = space.controller(config=CONFIG)
    left, right = crew_of(space, 6, "left"), crew_of(space, 8, "right")
    left.lose_at_once(6)
    right.lose_at_once(1)
    right.dead_are_reaped(right.timeout + LATE_SECONDS)
    eventually(lambda: held(controller) == 6)
    is_open = {lane: controller.metrics().total("jobrun_breaker_open", lane=lane) for lane in CONFIG["lanes"]}
    assert is_open == {"left": 1, "right": 0}
    assert left.silences() == [0] * 6
    left.dead_are_reaped(left.timeout + HOLD_SECONDS + LATE_SECONDS)
    assert min(left.silences()) > left.timeout + HOLD_SECONDS / 2
    left.nobody_living_was_reaped()
    right.comes_out_right()


@story
def test_everything_dying_at_once_is_held_and_whoever_comes_back_is_spared(space):
    """Neither lane is large enough to be held by itself."""
    controller = space.controller(config=CONFIG)
    crews = [crew_of(space, 4, lane) for lane in CONFIG["lanes"]]
    dead = [crew.lose_at_once(4) for crew in crews]
    eventually(lambda: held(controller) == 8, crews[0].timeout + LATE_SECONDS)
    for crew, names in zip(crews, dead):
        crew.come_back(names[:2])
        assert crew.silences() == [0, 0]
    for crew in crews:
        crew.dead_are_reaped(crew.timeout + HOLD_SECONDS + LATE_SECONDS)
        crew.nobody_living_was_reaped()
    counted_as_written(space)
    for crew in crews:
        crew.comes_out_right()
