"""A namespace with everything that a scenario needs in it."""

import itertools
import json
import os
import pathlib
import time

import canaries
from controller import Controller
from gate import Gate
from observer import Seen
from rest import Rest
from servers import create_namespace, jobrun
from workers import Worker

# How much later than its limit a run may end. The published bound is a second; the rest is for machines that are busy
# with other things. Nobody waits for it unless something is wrong.
LATE_SECONDS = 15
# How much later still when the controller could not see for a while (an outage, a pause, a restart): it leaves each run
# as long again as that took, two of its intervals at most, from the next beat of a canary, which comes every two seconds.
AFTER_STOP_SECONDS = 2 * 1 + 2
# With canaries that beat so seldom nothing is a stop for a minute: what is shown does not depend on them then.
NO_STOP = {"canary": {"periodSeconds": 30}}
TERMINAL = ("Succeeded", "Failed", "Stuck")
# Whether the controllers watch only what is active, which is the default: then they know of no other runs.
SELECTS = not os.environ.get("JOBRUN_TEST_WATCHES_ALL")


def beats(timeout, interval=1, **more):
    """The part of a spec that says how long a run may be silent."""
    return {"heartbeat": {"intervalSeconds": interval, "timeoutSeconds": timeout, **more}}


def scaled(config):
    """The same configuration, but for the interval of runs that say nothing of it: after its start a controller leaves
    each run two of its intervals, for which these tests have no time."""
    defaults = config.get("defaults", {})
    if not SELECTS:
        config = {"watch": {"finished": True}, **config}
    return {**config, "defaults": {**defaults, "heartbeat": {"intervalSeconds": 1, **defaults.get("heartbeat", {})}}}


def known(counts):
    """Of numbers of runs, by keys that end with their phase, those that a controller has."""
    return {key: count for key, count in counts.items() if not (SELECTS and key[-1] in TERMINAL)}


def eventually(condition, seconds=LATE_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


class Space:
    """One scenario's view of a namespace. For one thread; close() ends whatever was started in it."""

    def __init__(self, server, observer, name, directory, shared_controller=None):
        self.server, self.observer, self.name = server, observer, name
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.rest = Rest(server.kubeconfig)
        self.runs = f"/apis/jobrun.dev/v1/namespaces/{name}/jobruns"
        self.shared_controller = shared_controller
        self.controllers, self._gates, self._workers, self._neighbours = [], [], [], []
        self._numbers = itertools.count(1)
        create_namespace(self.rest, name)

    def neighbour(self, word):
        """Another namespace, for the same story."""
        neighbour = Space(self.server, self.observer, f"{self.name}-{word}", self.dir / word)
        self._neighbours.append(neighbour)
        return neighbour

    def close(self):
        for worker in self._workers:
            worker.stop_beating()
        for worker in self._workers:
            worker.fall_silent()
        for neighbour in self._neighbours:
            neighbour.close()
        for controller in self.controllers:
            controller.kill()
        for gate in self._gates:
            gate.close()
        self.rest.close()

    def logs(self):
        """The logs of the controllers that had a part in this, each with its file's name."""
        shared = [self.shared_controller] if self.shared_controller else []
        return "\n".join(f"--- {controller.log_path}\n{controller.log}" for controller in shared + self.controllers)

    # Processes.

    def controller(self, *flags, kubeconfig=None, config=None, wait=True, environment=None, canaries_in=None,
                   lease=canaries.ELECTION_ID):
        """A controller of this namespace, with its canary there or elsewhere: started, and ready unless `wait` is False.
        `config` is put in a file. Without `lease` it names its Lease itself."""
        number = next(self._numbers)
        path = self.dir / f"config-{number}.yaml"
        path.write_text(json.dumps(scaled(config or {})))
        controller = Controller(self.dir / f"controller-{number}.log", kubeconfig or self.server.kubeconfig,
                                "--namespace", self.name, "--leader-election-namespace", canaries_in or self.name,
                                *(["--leader-election-id", lease] if lease else []), "--config", path, *flags,
                                environment=environment)
        self.controllers.append(controller)
        controller.start(wait)
        return controller.await_ready() if wait else controller

    def gate(self, **options):
        gate = Gate(self.server.kubeconfig, self.dir, **options)
        self._gates.append(gate)
        return gate

    def worker(self, run, **options):
        worker = Worker(self.server.kubeconfig, self.name, run, **options)
        self._workers.append(worker)
        return worker

    # Runs.

    def create(self, name, *spec, **metadata):
        """A new run; its spec is put together from the parts."""
        merged = {}
        for part in spec:
            merged.update(part)
        reply = self.rest.post(self.runs, jobrun(name, merged, **metadata))
        assert reply.code == 201, reply
        return reply.body

    def claimed(self, name, *spec, at=None, labels=None, **worker):
        """A new run and the worker that has just claimed it."""
        self.create(name, *spec, labels=labels or {})
        return self.worker(name, **worker).claim(at=at)

    def dead(self, name, *spec, **worker):
        """A new run whose worker claimed it, beat once and died; returns that worker. (A heartbeat less than a second
        from claimedAt counts as a part of the claim.)"""
        worker = self.claimed(name, *spec, **worker)
        assert worker.beat(at="2001-01-01T00:00:00Z") == 200
        return worker

    def alive(self, name, *spec, **worker):
        """A new run whose worker beats twice a second, until it falls silent; returns that worker."""
        return self.dead(name, *spec, **worker).beat_every(0.5)

    def status(self, name, **status):
        """A status patch by somebody who is no worker."""
        return self.rest.merge(f"{self.runs}/{name}/status", {"status": status})

    def get(self, name):
        reply = self.rest.get(f"{self.runs}/{name}")
        assert reply.code == 200, reply
        return Seen(reply.body)

    def list(self):
        """All runs of the namespace but the canaries."""
        reply = self.rest.get(self.runs)
        assert reply.code == 200, reply
        return [Seen(run) for run in reply.body["items"] if not canaries.is_canary(run)]

    # What becomes of them.

    def ends(self, name, phase, reason, seconds):
        """The version in which the run has ended, which must come within `seconds`, in that phase, for that reason,
        by a whole verdict of a controller, once."""
        ended = self.observer.wait(self.name, name, lambda seen: seen.phase in TERMINAL, seconds)
        assert ended, f"{name} has not ended within {seconds:.1f} s: {self.get(name).status}"
        assert (ended.phase, ended.status.get("reason")) == (phase, reason), ended.status
        assert ended.status["verdictID"] and ended.status["completionTime"] and ended.status["message"]
        kind = "Stuck" if phase == "Stuck" else "Succeeded"
        truth = "False" if phase == "Failed" else "True"
        written = [condition for condition in ended.status["conditions"] if condition["type"] == kind]
        assert [(condition["status"], condition["reason"]) for condition in written] == [(truth, reason)]
        return ended

    def stays(self, name, phase, seconds):
        """The run is in that phase for so long from now."""
        other = self.observer.wait(self.name, name, lambda seen: seen.phase in TERMINAL and seen.phase != phase, seconds)
        assert other is None, f"{name} was to stay {phase}: {other.status}"
        assert self.get(name).phase == phase

    def silent_until_reaped(self, worker, name, timeout, late=LATE_SECONDS):
        """The run ends for silence: not before its timeout since the last heartbeat, nor much later."""
        left = worker.accepted_at + timeout + late - time.monotonic()
        ended = self.ends(name, "Stuck", "HeartbeatTimeout", left)
        assert ended.at - worker.sent_at >= timeout, "reaped within its timeout of a heartbeat"
        return ended

    def settled(self, name, state, seconds=LATE_SECONDS):
        """The version in which the run's retry has come to its end, which must be that one."""
        seen = self.observer.wait(self.name, name, lambda seen: seen.retry.get("state") not in (None, "Pending"), seconds)
        assert seen, f"the retry of {name} was not settled within {seconds} s: {self.get(name).status}"
        assert seen.retry["state"] == state, seen.status
        return seen

    def successors(self, name):
        """The runs that retry this one."""
        return [seen for seen in self.list() if seen.run["spec"].get("retryOf", {}).get("name") == name]

    def successor(self, name, seconds=LATE_SECONDS):
        """The only one, once it is recorded."""
        parent = self.settled(name, "Created", seconds)
        (successor,) = self.successors(name)
        uids = [one.run["metadata"]["uid"] for one in (successor, self.get(name))]
        assert parent.retry["successorUID"] == uids[0] and successor.run["spec"]["retryOf"]["uid"] == uids[1]
        assert successor.name == parent.retry["successorName"]
        return successor

    def verdicts(self, name):
        """The distinct ends that were ever seen of a run; one that was reaped once has one."""
        return {(seen.phase, seen.status.get("reason"), seen.status.get("verdictID"), seen.status.get("completionTime"))
                for seen in self.observer.versions(self.name, name) if seen.phase in TERMINAL}

    def reaped_by(self, controller):
        """How many of the runs that are there carry a verdict of that process."""
        return sum(seen.status.get("verdictID", "").startswith(controller.process_id + "-") for seen in self.list())

    def counted(self, controller, reaps):
        """The process has counted so many verdicts as soon as it has the last answer, and the runs carry as many."""
        eventually(lambda: controller.reaps() >= reaps)
        assert controller.reaps() == self.reaped_by(controller) == reaps
