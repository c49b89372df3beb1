"""Controllers that stand by for each other, and others that know the same Lease."""

import pathlib
import signal

from canaries import ELECTION_ID
from controller import START_SECONDS_MAX
from crew import SCALED
from kubeserver import bin_dir
from processes import spawn, stop_process
from servers import Unavailable
from space import LATE_SECONDS, eventually

LEASE_LOST = 3  # The exit code of a controller that leads no more, and does not know what became of its last writes.
TIMINGS = SCALED["leaderElection"]
# From the last renewal: the Lease ends, and whoever waits for that looks every `retrySeconds`.
FAILOVER_SECONDS = TIMINGS["leaseSeconds"] + 2 * TIMINGS["retrySeconds"]


def replica(space, **options):
    """A controller that writes only while it leads."""
    return space.controller("--leader-elect", config=SCALED, **options)


def leads(controller):
    return controller.metrics().total("leader_election_master_status") == 1


def leader_of(replicas):
    """The one of them that leads, and the others, as soon as there is exactly one."""
    def leading():
        return [each for each in replicas if leads(each)]
    eventually(lambda: len(leading()) == 1, FAILOVER_SECONDS + LATE_SECONDS)
    (leader,) = leading()
    return leader, [each for each in replicas if each is not leader]


def await_leader(controller):
    eventually(lambda: leads(controller), FAILOVER_SECONDS + LATE_SECONDS)


class ClientGoElector:
    """A program that takes part in the election with client-go's own code, and does nothing else (tests/kube/elector)."""

    def __init__(self, space, name="client-go"):
        self._log = pathlib.Path(space.dir) / f"{name}.log"
        program = bin_dir() / "elector"
        if not program.exists():
            raise Unavailable(f"NO CLIENT-GO ELECTOR: {program} is missing; run tests/kube/build.sh")
        self._command = [str(program), "--kubeconfig", space.server.kubeconfig, "--namespace", space.name,
                         "--name", ELECTION_ID, "--identity", name,
                         "--lease-duration", f"{TIMINGS['leaseSeconds']}s",
                         "--renew-deadline", f"{TIMINGS['renewDeadlineSeconds']}s",
                         "--retry-period", f"{TIMINGS['retrySeconds']}s"]
        self._process = None

    def start(self):
        self._log.write_bytes(b"")
        self._process = spawn(self._command, self._log)
        return self

    def leads(self):
        told = [line for line in self._log.read_text().splitlines() if line in ("leading", "lost")]
        return told[-1:] == ["leading"]

    def await_leader(self):
        eventually(self.leads, FAILOVER_SECONDS + START_SECONDS_MAX)

    def stop(self):
        """Asked to stop, it gives the Lease up."""
        stop_process(self._process)

    def kill(self):
        stop_process(self._process, signal.SIGKILL)
