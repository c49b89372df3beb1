"""The parts of the comparison that need no server: shortening, and what two servers may say differently."""

import itertools

from conformance import paths, shortened
from plans import Generator, STEPS_OF_A_CASE
from session import Memory, merged


def test_a_seed_makes_the_same_steps_and_another_one_others():
    steps = Generator("1/0").case()
    assert steps == Generator("1/0").case() and len(steps) == STEPS_OF_A_CASE
    assert steps != Generator("1/1").case()


def test_shortening_keeps_what_the_difference_needs():
    def needs_both(steps):
        return "create" in steps and "claim" in steps and steps[-1] == "beat"
    steps = ["a", "create", "b", "c", "claim", "d", "beat", "after"]
    assert shortened(steps, 6, needs_both) == ["create", "claim", "beat"]


def test_shortening_ends_when_the_time_is_up():
    minutes = itertools.count(0, 31)
    assert len(shortened(list(range(99)), 98, lambda steps: True, lambda: next(minutes))) > 1


def test_versions_are_named_in_their_order_and_others_by_their_place():
    memory = Memory("100")
    for version in ("105", "230"):
        memory.learn({"metadata": {"name": "a", "uid": "11111111-0000", "resourceVersion": version}})
    assert memory.named("judged 230, found 105; 7 of 17") == "judged version 2, found version 1; 7 of 17"
    assert (memory.place_of("229"), memory.place_of("230")) == ("after version 1", "after version 2")
    assert (memory.version("a", 0), memory.version("a", 1), memory.version("a", 2)) == ("230", "105", "100")


def test_what_differs_is_named_by_its_path():
    assert list(paths({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]})) == [".a[1].b: 2 instead of 3"]


def test_a_merge_patch_removes_and_replaces():
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": None}, "d": [4]}) == {"a": {"c": 2}, "d": [4]}
