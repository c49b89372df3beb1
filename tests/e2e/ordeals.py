#!/usr/bin/env python3
"""What takes long, once for real: a thousand workers, three replicas with the timings of production, a real API server, runs
with a timeout of a minute. The simulation does the same in virtual time in each run of the tests
(tests/simulation/ordeals.h).

    ordeals.py outage [--minutes 15]   the API server is away; some have died just before it, some die meanwhile
    ordeals.py rolled [--minutes 10]   every 20 seconds one replica is replaced by a new one, and two workers die

Nobody living may be reaped, every dead run must be, in time, and what was counted must be what the objects say. The last
line says how long the dead were silent; exit 1 and the controllers' logs when something was wrong, 77 when there is no
real API server here.
"""

import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "kube"))
import servers  # noqa: E402
from crew import Crew, counted_as_written  # noqa: E402
from observer import Observer  # noqa: E402
from soak import real_server  # noqa: E402
from space import LATE_SECONDS, Space  # noqa: E402

REPLICAS = 3
INTERVAL, TIMEOUT, EVERY = 20, 60, 20
# How much later than its timeout a dead run may be reaped after the controllers could not see: the grace, and until a
# canary's beat, which comes every ten seconds, has been seen again.
AFTER_STOP_SECONDS = 2 * INTERVAL + 2 * 10
# The same while the leader is replaced every minute: until the next one leads and has seen the runs.
AFTER_START_SECONDS = 2 * INTERVAL + 20


class Ordeal:
    def __init__(self, server, directory, workers):
        self.server = server
        self.space = Space(server, Observer(server), "ordeal", directory)
        self.replicas = [self.replica() for _ in range(REPLICAS)]
        print(f"ordeal: {workers} workers claim their runs", flush=True)
        self.crew = Crew(self.space, workers, timeout=TIMEOUT, interval=INTERVAL)
        time.sleep(2 * INTERVAL)  # All have beaten, and are spread over the interval as they came.

    def replica(self):
        return self.space.controller("--leader-elect")

    def replace_the_oldest(self):
        self.replicas.append(self.replica())
        oldest = self.replicas.pop(0)
        oldest.terminate()
        assert oldest.exit_code(LATE_SECONDS) == 0

    def ends_well(self, late):
        """Nobody is missed or reaped for nothing; returns the longest that one was silent until it was reaped."""
        self.crew.dead_are_reaped(TIMEOUT + late + LATE_SECONDS)
        self.crew.nobody_living_was_reaped()
        counted_as_written(self.space)
        return max(self.crew.silences())


def outage(ordeal, seconds):
    die = ordeal.crew.size // 40  # Each time; of more at once it would be asked whether it is not the controller's sight.
    ordeal.crew.lose(die)
    time.sleep(INTERVAL)
    print(f"ordeal: the API server is away for {seconds:.0f} s", flush=True)
    ordeal.server.kill()
    time.sleep(seconds / 2)
    ordeal.crew.lose(die)
    time.sleep(seconds / 2)
    ordeal.server.restart()
    ordeal.space.rest.close()
    back = time.monotonic()
    ordeal.crew.lose(die)
    ordeal.ends_well(AFTER_STOP_SECONDS)
    return f"an outage of {seconds:.0f} s; {time.monotonic() - back:.0f} s after it the {3 * die} dead were reaped, and nobody else"


def rolled(ordeal, seconds):
    began, rounds = time.monotonic(), 0
    while (past := time.monotonic() - began) < seconds:
        rounds += 1
        print(f"ordeal: round {rounds}", flush=True)
        if past < seconds - 2 * TIMEOUT:
            ordeal.crew.lose(2)
        ordeal.replace_the_oldest()
        time.sleep(max(0.0, began + rounds * EVERY - time.monotonic()))
    silent = ordeal.ends_well(0)
    assert silent <= TIMEOUT + AFTER_START_SECONDS, f"one was reaped after {silent:.1f} s"
    return f"{rounds} replicas replaced; the dead were silent for at most {silent:.1f} s of {TIMEOUT}, and nobody else was reaped"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = {"outage": (outage, 15), "rolled": (rolled, 10)}
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("--minutes", type=float, help="how long (default: 15 of an outage, 10 of rolling)")
    parser.add_argument("--workers", type=int, default=1000, help="how many (default 1000)")
    options = parser.parse_args()
    play, minutes = kinds[options.kind]
    seconds = 60 * (minutes if options.minutes is None else options.minutes)
    with tempfile.TemporaryDirectory(prefix="ordeal-") as directory, \
            real_server(pathlib.Path(directory, "server")) as server:
        ordeal = None
        try:
            ordeal = Ordeal(server, pathlib.Path(directory, "space"), options.workers)
            said = play(ordeal, seconds)
        except BaseException:
            print(ordeal.space.logs() if ordeal else "")
            print("ordeal: FAILED")
            raise
        finally:
            if ordeal:
                ordeal.space.close()
    print(f"ordeal: {said}")


if __name__ == "__main__":
    main()
