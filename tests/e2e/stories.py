"""Scenarios that take place at the same time, because nearly all of their time is waiting.

    @story
    def test_something(space): ...      in a namespace of its own

    @world_story
    def test_other(space): ...          in a namespace that these share, with one controller

    @lone_story
    def test_third(space): ...          on a real server that it has for itself and may cripple, if it heals it again

All of the selected ones begin with the session's first test, of the lone ones two at a time; the test of each waits for
its end, and fails where it failed, with the logs of its controllers.
"""

import concurrent.futures
import itertools
import threading

import servers
from observer import Observer
from space import Space

STORIES_MAX = 48
LONE_STORIES_MAX = 2
STORY_SECONDS_MAX = 120
WORLD = "world"
# What the world's controller is configured with. A run of no lane named here has the defaults.
WORLD_CONFIG = {
    # Its stories begin at once, and most of its runs are left to die.
    "breaker": {"enabled": False},
    "defaults": {"heartbeat": {"intervalSeconds": 1, "timeoutSeconds": 6}},
    "lanes": {
        "quick": {"heartbeat": {"intervalSeconds": 1, "timeoutSeconds": 3}},
        "silent": {"heartbeat": {"mode": "Ignored"}, "claimTTLSeconds": 3},
        "dry": {"reaping": "DryRun"},
        "off": {"reaping": "Disabled"},
    },
}


def story(tell):
    tell.shared = False
    return _test_of(tell, lambda request, stories: stories.outcome(tell, request.node))


def world_story(tell):
    tell.shared = True
    return _test_of(tell, lambda request, stories: stories.outcome(tell, request.node))


def lone_story(tell):
    return _test_of(tell, lambda request, lone_stories: lone_stories.outcome(tell, request.node))


def _test_of(tell, test):
    test.__name__, test.__qualname__, test.__module__, test.__doc__ = (
        tell.__name__, tell.__qualname__, tell.__module__, tell.__doc__)
    test.story = tell
    return test


class _Told:
    """What stories that go on have in common. A subclass has the pool in whose threads they are told."""

    def __init__(self, directory):
        self._dir = directory
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._spaces, self._futures = {}, {}

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

    def space_on(self, server, observer, name):
        with self._lock:
            full_name = f"{name.removeprefix('test_').replace('_', '-')[:40].strip('-')}-{next(self._numbers)}"
        return Space(server, observer, full_name, self._dir / full_name)

    def tell(self, tell, space):
        self._spaces[tell] = space
        try:
            tell(space)
        finally:
            space.close()


class Stories(_Told):
    """All stories of a session against one server, begun at once."""

    def __init__(self, server, directory, told):
        super().__init__(directory)
        self._server, self._observer = server, Observer(server)
        self.world = Space(server, self._observer, WORLD, directory / WORLD)
        self.world_controller = self.world.controller(config=WORLD_CONFIG)
        # The kernel ends a controller with the thread that started it, so the threads stay until close().
        self._pool = concurrent.futures.ThreadPoolExecutor(STORIES_MAX)
        self._futures.update({tell: self._pool.submit(self._begin, tell) for tell in told})

    def space(self, name):
        """A namespace of its own for a test that is no story."""
        return self.space_on(self._server, self._observer, name)

    def close(self):
        self.wait()
        self.world.close()
        self._pool.shutdown()

    def _begin(self, tell):
        if tell.shared:
            space = Space(self._server, self._observer, WORLD, self._dir / tell.__name__, self.world_controller)
        else:
            space = self.space(tell.__name__)
        self.tell(tell, space)


class LoneStories(_Told):
    """Each on a real server that no other story has at the same time. One that failed leaves it to nobody."""

    def __init__(self, directory, told):
        super().__init__(directory)
        self._own = threading.local()  # server and observer of a thread of the pool, until close().
        self._started = []
        self._pool = concurrent.futures.ThreadPoolExecutor(LONE_STORIES_MAX)
        self._futures.update({tell: self._pool.submit(self._begin, tell) for tell in told})

    def close(self):
        self.wait()
        for server in self._started:
            server.kill()  # Asked to stop, it would wait for the watches that are open.
            server.stop()
        self._pool.shutdown()

    def _begin(self, tell):
        server, observer = getattr(self._own, "server", None) or self._start()
        self._own.server = None
        self.tell(tell, self.space_on(server, observer, tell.__name__))
        self._own.server = (server, observer)

    def _start(self):
        with self._lock:
            directory = self._dir / f"server-{next(self._numbers)}"
        server = servers.start("kube", directory)
        self._started.append(server)
        return server, Observer(server)
