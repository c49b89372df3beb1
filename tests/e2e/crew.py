"""Workers of several runs in one namespace, of which some beat through every disturbance and some die; and what must
hold of their runs and of their controllers afterwards."""

import datetime
import time

from space import LATE_SECONDS, TERMINAL, beats, eventually

# The scale of these tests: everything that waits is many times faster than by default.
INTERVAL, TIMEOUT = 1, 5
CANARY_SECONDS = 1
SCALED = {"canary": {"periodSeconds": CANARY_SECONDS},
          "leaderElection": {"leaseSeconds": 4, "renewDeadlineSeconds": 3, "retrySeconds": 1}}
STAMP_SECONDS = 1  # The resolution of what the server stamps.


class Crew:
    """`size` runs of one lane, each with a worker that beats every `interval` seconds until it dies."""

    def __init__(self, space, size, lane="default", timeout=TIMEOUT, interval=INTERVAL, **worker):
        self.size, self.timeout = size, timeout
        self._space, self._interval = space, interval
        self._living, self._dead = {}, {}
        for number in range(1, size + 1):
            name = f"{lane}-{number}"
            # Claimed long ago, so that no heartbeat counts as a part of the claim.
            claimed = space.claimed(name, beats(timeout, interval), {"lane": lane}, at="2001-01-01T00:00:00Z", **worker)
            self._living[name] = claimed.beat_every(interval)

    def lose(self, number):
        """So many die; returns the names of their runs."""
        names = list(self._living)[-number:]
        for name in names:
            self._dead[name] = self._living.pop(name)
            self._dead[name].stop_beating()
        for name in names:
            self._dead[name].fall_silent()
        return names

    def lose_at_once(self, number):
        """So many die, all just after a beat."""
        names = self.lose(number)
        for name in names:
            assert self._dead[name].beat() == 200
        return names

    def come_back(self, names):
        """These were not dead after all."""
        for name in names:
            self._living[name] = self._dead.pop(name).beat_every(self._interval)

    def silences(self):
        """Of each dead one, the seconds from its last heartbeat until it was seen to be reaped; 0 while it is not."""
        ends = {name: [seen.at for seen in self._versions(name) if seen.phase == "Stuck"] for name in self._dead}
        return [at[0] - self._dead[name].sent_at if at else 0 for name, at in ends.items()]

    def dead_are_reaped(self, seconds):
        """Each of them, for its silence, within so many seconds from now."""
        deadline = time.monotonic() + seconds
        for name in self._dead:
            self._space.ends(name, "Stuck", "HeartbeatTimeout", deadline - time.monotonic())

    def nobody_living_was_reaped(self):
        """None within its timeout of a heartbeat that the server accepted, also of those that died later; and the living
        not at all."""
        for name, worker in (self._living | self._dead).items():
            for seen in self._versions(name):
                if seen.phase in TERMINAL:
                    assert seen.at - worker.sent_at >= self.timeout, f"{name}: {seen.status}"
                    assert stamped_silence(seen) >= self.timeout - STAMP_SECONDS, f"{name}: {seen.run}"
        for name in self._living:
            self._space.stays(name, "Running", 0)

    def comes_out_right(self, stop=0):
        """Now that a disturbance is over, by which the controllers could not see for `stop` seconds: every dead one is
        reaped in time, also one that dies only now; no living one was; and what was counted is what the objects say."""
        self._space.rest.close()  # It may be a connection to a server that is gone.
        self.lose(1)
        self.dead_are_reaped(self.timeout + self._after(stop) + LATE_SECONDS)
        self.nobody_living_was_reaped()
        counted_as_written(self._space)
        for worker in self._living.values():
            worker.fall_silent()
            assert worker.finish() == 200

    def _after(self, stop):
        """How much longer a run is left when the controller could not see for so many seconds: the grace, and until it is
        known again that it can see."""
        return min(stop, 2 * self._interval) + 2 * CANARY_SECONDS if stop else 0

    def _versions(self, name):
        return self._space.observer.versions(self._space.name, name)


def stamped_silence(seen):
    """Seconds from the last heartbeat that the server accepted to the verdict, both as it stamped them itself."""
    stamps = {}
    for entry in seen.run["metadata"]["managedFields"]:
        for field in entry["fieldsV1"].get("f:status", {}):
            at = datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))
            stamps[field] = max(at, stamps.get(field, at))
    return (stamps["f:verdictID"] - stamps["f:lastHeartbeatAt"]).total_seconds()


def counted_as_written(space, *neighbours):
    """The verdicts on the objects of these namespaces are those that the controllers of the first one counted. One that
    did not end well may have had no time to."""
    ends = [seen.status for each in (space, *neighbours) for seen in each.list()]
    carried = [status["verdictID"] for status in ends if "verdictID" in status]
    assert len(carried) == len(set(carried))
    of_all = 0
    for controller in space.controllers:
        begun = controller.lines(" starting ")  # One that was killed at once wrote nothing.
        written = sum(verdict.startswith(controller.process_id + "-") for verdict in carried) if begun else 0
        of_all += written
        if controller.running:
            eventually(lambda controller=controller, written=written: controller.reaps() >= written)
            assert controller.reaps() == written, controller.log_path
        else:
            told = len(controller.lines(" reaped "))
            assert told == written if controller.exit_code(0) == 0 else told <= written, controller.log_path
    assert of_all == len(carried), "a verdict by nobody"
