#!/usr/bin/env python3
"""Disturbs replicas, a real API server and its store for as long as is asked for, in an order that a seed decides, while
workers live and die. After each disturbance every dead run must have been reaped in time, no living one, and what was
counted must be what the objects say. One more controller, which only looks on, lives from the beginning to the end and
must need no more memory at the end than it soon did.

    soak.py [--minutes M] [--seed S]

The last line says how many disturbances there were; exit 1 and the controllers' logs when something was wrong, 77 when
there is no real API server here (with CI=true: 1).
"""

import argparse
import contextlib
import os
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "kube"))
import servers  # noqa: E402
from crew import SCALED, TIMEOUT, Crew  # noqa: E402
from observer import Observer  # noqa: E402
from replicas import leader_of, replica  # noqa: E402
from space import LATE_SECONDS, Space  # noqa: E402

REPLICAS = 3
CREW_SIZE = 8
# Shorter than a pause that would be noticed, and longer than three timeouts.
SECONDS_MIN, SECONDS_MAX = 1, 3 * TIMEOUT + 1
# What it may need more than after the first rounds: for the runs that came since, and what the allocator keeps. It would
# be more within the hour if a hundred bytes were kept for each heartbeat.
GROWTH_BYTES_MAX = 4 << 20
ROUNDS_BEFORE_MEASURING = 3


class Field:
    """The server, its replicas, and what a disturbance may do to them."""

    def __init__(self, server, directory, rng):
        self.server, self.rng = server, rng
        self.space = Space(server, Observer(server), "soak", directory)
        self.replicas = []
        home = f"{self.space.name}-onlooker"
        servers.create_namespace(self.space.rest, home)
        self.onlooker = self.space.controller(config={**SCALED, "reaping": "Disabled"}, canaries_in=home)
        self.keep_up()

    def keep_up(self):
        """As many replicas as there should be; those that ended are replaced."""
        self.replicas = [each for each in self.replicas if each.running]
        while len(self.replicas) < REPLICAS:
            self.replicas.append(replica(self.space))

    def leader(self):
        return leader_of(self.replicas)[0]

    def standby(self):
        return self.rng.choice(leader_of(self.replicas)[1])


# Each takes the field and how long it is to last, and returns how many seconds the controllers could see nothing. What it
# breaks is whole again when it returns.

def nothing(field, seconds):
    time.sleep(seconds)
    return 0


def api_server_killed(field, seconds):
    return _blind(field.server.kill, field.server.restart, seconds)


def api_server_stopped(field, seconds):
    return _blind(field.server.pause, field.server.resume, seconds)


def store_killed(field, seconds):
    return _blind(field.server.kill_etcd, field.server.restart_etcd, seconds)


def store_stopped(field, seconds):
    return _blind(field.server.pause_etcd, field.server.resume_etcd, seconds)


def store_takes_no_writes(field, seconds):
    return _blind(field.server.refuse_writes, field.server.take_writes, seconds)


def leader_killed(field, seconds):
    field.leader().kill()
    time.sleep(seconds)
    return 0


def leader_stopped(field, seconds):
    leader = field.leader()
    leader.pause()
    time.sleep(seconds)
    leader.resume()
    return 0


def standby_killed(field, seconds):
    field.standby().kill()
    time.sleep(seconds)
    return 0


def all_killed(field, seconds):
    return _blind(lambda: [each.kill() for each in field.replicas], field.keep_up, seconds)


def all_stopped(field, seconds):
    return _blind(lambda: [each.pause() for each in field.replicas],
                  lambda: [each.resume() for each in field.replicas], seconds)


def rolled(field, seconds):
    for old in list(field.replicas):
        field.replicas.append(replica(field.space))
        field.replicas.remove(old)
        old.terminate()
        assert old.exit_code(LATE_SECONDS) == 0
        time.sleep(seconds / REPLICAS)
    return 0


def one_that_asks_nobody(field, seconds):
    """A controller without election writes beside the leader."""
    intruder = field.space.controller(config=SCALED)
    time.sleep(seconds)
    intruder.terminate()
    assert intruder.exit_code(LATE_SECONDS) == 0
    return 0


DISTURBANCES = (nothing, api_server_killed, api_server_stopped, store_killed, store_stopped, store_takes_no_writes,
                leader_killed, leader_stopped, standby_killed, all_killed, all_stopped, rolled, one_that_asks_nobody)


def _blind(begin, end, seconds):
    began = time.monotonic()
    begin()
    time.sleep(seconds)
    end()
    return time.monotonic() - began


def disturb(field, number, disturbance):
    """One round, with workers of its own."""
    seconds = field.rng.uniform(SECONDS_MIN, SECONDS_MAX)
    lost = field.rng.randrange(1, CREW_SIZE // 2)
    print(f"soak: {number:3} {disturbance.__name__:22} {seconds:4.1f} s, {lost} die", flush=True)
    crew = Crew(field.space, CREW_SIZE, lane=f"round-{number}", interval=2)
    crew.lose(lost)
    stop = disturbance(field, seconds)
    crew.comes_out_right(stop)
    field.keep_up()
    leader_of(field.replicas)


def soak(field, seconds):
    """Rounds for so long, each disturbance as often as any other; returns how many."""
    deadline = time.monotonic() + seconds
    number, at_first, waiting = 0, None, []
    while time.monotonic() < deadline:
        if not waiting:
            waiting = field.rng.sample(DISTURBANCES, len(DISTURBANCES))
        number += 1
        disturb(field, number, waiting.pop())
        if number < ROUNDS_BEFORE_MEASURING:
            continue
        needed = field.onlooker.metrics().total("process_resident_memory_bytes")
        at_first = at_first or needed
        assert needed - at_first <= GROWTH_BYTES_MAX, f"{at_first} bytes have become {needed}"
    return number


@contextlib.contextmanager
def real_server(directory):
    try:
        server = servers.KubeServer().start(directory)
    except servers.Unavailable as missing:
        print(missing, file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else servers.SKIPPED_EXIT_CODE)
    try:
        yield server
    finally:
        server.kill()  # Asked to stop, it would wait for the watches that are open.
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="how long (default 10)")
    parser.add_argument("--seed", type=int, default=None, help="of the order; without it another one each time")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"soak: seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as directory, \
            real_server(pathlib.Path(directory, "server")) as server:
        field = Field(server, pathlib.Path(directory, "field"), random.Random(seed))
        try:
            rounds = soak(field, options.minutes * 60)
        except BaseException:
            print(field.space.logs())
            print(f"soak: FAILED; again with --seed {seed}")
            raise
        finally:
            field.space.close()
    print(f"soak: {rounds} disturbances, every dead run reaped in time, no living one; seed {seed}")


if __name__ == "__main__":
    main()
