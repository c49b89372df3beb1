"""Two controllers, lanes of every kind, workers that live and workers that die all the time, and a Prometheus that
scrapes the controllers every second: what the dashboard is shown by."""

import datetime
import itertools
import threading

import catalogue
from catalogue import JOB, NAMESPACE
from crew import SCALED
from prometheus import Prometheus
from space import Space, beats, eventually

ACT_SECONDS = 1
HERD = 8
TIMEOUT = 3
CONFIG = {
    **SCALED,
    "watch": {"relistSeconds": 10},
    "breaker": {"fraction": 0.55, "minRuns": 6, "holdSeconds": 6},
    "lanes": {
        "sync": {"heartbeat": {"timeoutSeconds": TIMEOUT}},
        "etl": {"deadlineSeconds": 4},
        "queue": {},
        "patient": {"heartbeat": {"timeoutSeconds": 3600}},
        "rehearsal": {"reaping": "DryRun", "heartbeat": {"timeoutSeconds": TIMEOUT}},
        "herd": {"heartbeat": {"timeoutSeconds": TIMEOUT}},
        "mistaken": {"deadlineSeconds": -1},
    },
}
RETRIED_ONCE = {"retry": {"maxAttempts": 2, "backoffSeconds": 1}}


class Scenery:
    """Goes on from its making to close(), in a thread of its own."""

    def __init__(self, server, directory):
        self._space = Space(server, None, NAMESPACE, directory)
        self._numbers = itertools.count(1)
        self._over = threading.Event()
        self._disputed = set()
        self._trouble = None
        self._actor = None
        self.prometheus = None
        try:
            self.leader = self._space.controller("--leader-elect", config=CONFIG)
            eventually(lambda: self.leader.metrics().total("leader_election_master_status") == 1)
            self.standby = self._space.controller("--leader-elect", config=CONFIG)
            self.prometheus = Prometheus(directory, {
                controller.metrics_address: {"namespace": NAMESPACE, "job": JOB, "pod": f"jobrun-controller-{number}"}
                for number, controller in enumerate((self.leader, self.standby))}, [catalogue.RULES])
            self._actor = threading.Thread(target=self._act_on, daemon=True)
            self._actor.start()
        except BaseException:
            self.close()
            raise

    def close(self):
        self._over.set()
        if self._actor:
            self._actor.join()
        if self.prometheus:
            self.prometheus.stop()
        self._space.close()

    def check(self):
        """Raises what has gone wrong behind the scenes."""
        if self._trouble:
            raise self._trouble

    def _act_on(self):
        try:
            self._begin()
            while not self._over.wait(ACT_SECONDS):
                self._act()
        except BaseException as trouble:
            self._trouble = trouble

    def _begin(self):
        self._space.create("unclaimed", {"lane": "queue"})
        # Enough that live, so that only the herd opens a breaker: these beat, those have beaten and have an hour left.
        for number in range(12):
            self._space.dead(f"living-{number}", {"lane": "sync"}, beats(TIMEOUT)).beat_every(1)
        for number in range(24):
            self._space.dead(f"patient-{number}", {"lane": "patient"})
        fast = datetime.timedelta(seconds=90)
        self._space.claimed("fast", {"lane": "sync"}, beats(TIMEOUT), clock_off=fast).beat_every(1)

    def _act(self):
        """One more of everything that dies; what was created to be tried again dies, too."""
        number = next(self._numbers)
        for each in range(1 + number // 20 % 2):  # Times are bad and good by turns.
            self._space.dead(f"crash-{number}-{each}", {"lane": "sync"}, beats(TIMEOUT), RETRIED_ONCE)
        self._space.claimed(f"hung-{number}", {"lane": "etl"}).beat()
        self._space.claimed(f"exit-{number}", {"lane": "etl", "finalizeGraceSeconds": 1}).patch(exitCode=0)
        for run in self._space.list():
            self._take_up(run)
        if number % 3 == 0:
            self._space.claimed(f"error-{number}", {"lane": "etl", "finalizeGraceSeconds": 1}).patch(exitCode=1)
            self._space.claimed(f"lost-{number}", {"lane": "sync", "claimTTLSeconds": 2})
        if number % 5 == 1:
            self._space.dead(f"rehearsed-{number}", {"lane": "rehearsal"}, beats(TIMEOUT))
            self._space.claimed(f"mistaken-{number}", {"lane": "mistaken", "claimTTLSeconds": 1})
        if number % 20 == 1:
            self._herd_dies(number)
        elif number % 20 == 11:
            self._dispute()

    def _take_up(self, run):
        if run.phase == "Pending" and "retryOf" in run.run["spec"]:
            worker = self._space.worker(run.name).claim()
            assert worker.beat(at="2001-01-01T00:00:00Z") == 200

    def _herd_dies(self, number):
        """Runs that beat once and then no more, all of them."""
        for member in range(HERD):
            self._space.dead(f"herd-{number}-{member}", {"lane": "herd"}, beats(TIMEOUT))

    def _dispute(self):
        """A worker that was given up reports that it lives."""
        stuck = [run for run in self._space.list() if run.phase == "Stuck" and run.name not in self._disputed]
        if stuck:
            self._disputed.add(stuck[0].name)
            reply = self._space.status(stuck[0].name, lateHeartbeatTime="2001-01-01T00:00:00Z")
            assert reply.code == 200, reply
