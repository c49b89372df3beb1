"""Scenarios that take place at the same time, because nearly all of their time is waiting.

    @story
    def test_something(space): ...      in a namespace of its own

    @world_story
    def test_other(space): ...          in a namespace that these share, with one controller

All of the selected ones begin with the session's first test; the test of each waits for its end, and fails where it
failed, with the logs of its controllers.
"""

import concurrent.futures
import itertools
import threading

from observer import Observer
from space import Space

STORIES_MAX = 48
STORY_SECONDS_MAX = 120
WORLD = "world"
# What the world's controller is configured with. A run of no lane named here has the defaults.
WORLD_CONFIG = {
    "defaults": {"heartbeat": {"intervalSeconds": 1, "timeoutSeconds": 6}},
    "lanes": {
        "quick": {"heartbeat": {"intervalSeconds": 1, "timeoutSeconds": 3}},
        "silent": {"heartbeat": {"mode": "Ignored"}, "claimTTLSeconds": 3},
        "dry": {"reaping": "DryRun"},
        "off": {"reaping": "Disabled"},
    },
}


def story(tell):
    return _test_of(tell, shared=False)


def world_story(tell):
    return _test_of(tell, shared=True)


def _test_of(tell, shared):
    def test(request, stories):
        stories.outcome(tell, request.node)

    test.__name__, test.__qualname__, test.__module__, test.__doc__ = (
        tell.__name__, tell.__qualname__, tell.__module__, tell.__doc__)
    test.story = tell
    tell.shared = shared
    return test


class Stories:
    """All stories of a session against one server, begun at once."""

    def __init__(self, server, directory, told):
        self._server, self._dir = server, directory
        self._observer = Observer(server)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._spaces = {}
        self.world = Space(server, self._observer, WORLD, directory / WORLD)
        self.world_controller = self.world.controller(config=WORLD_CONFIG)
        # The kernel ends a controller with the thread that started it, so the threads stay until close().
        self._pool = concurrent.futures.ThreadPoolExecutor(STORIES_MAX)
        self._futures = {tell: self._pool.submit(self._tell, tell) for tell in told}

    def outcome(self, tell, node):
        """Waits for a story; raises what it raised."""
        try:
            self._futures[tell].result(STORY_SECONDS_MAX)
        except BaseException:
            node.add_report_section("call", "controllers", self._spaces[tell].logs() if tell in self._spaces else "")
            raise

    def wait(self):
        """Returns when all have ended, well or not."""
        concurrent.futures.wait(self._futures.values(), STORY_SECONDS_MAX)

    def space(self, name):
        """A namespace of its own for a test that is no story."""
        with self._lock:
            full_name = f"{name.replace('_', '-')[:40].strip('-')}-{next(self._numbers)}"
        return Space(self._server, self._observer, full_name, self._dir / full_name)

    def close(self):
        self.wait()
        self.world.close()
        self._pool.shutdown()

    def _tell(self, tell):
        if tell.shared:
            space = Space(self._server, self._observer, WORLD, self._dir / tell.__name__, self.world_controller)
        else:
            space = self.space(tell.__name__.removeprefix("test_"))
        self._spaces[tell] = space
        try:
            tell(space)
        finally:
            space.close()
