#!/usr/bin/env python3
"""What a wrapper costs while its command works: memory of `jobrun exec` and its CPU between two beats.

    footprint.py [--wrappers 10] [--seconds 20] [--server dev|kube]

Private memory is what would be freed if one of them ended; shared is what libraries and the program have in common with
every other process that runs them. Figures are medians. Nothing is judged: docs/jobrun.md has them.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TESTS / "kube"), str(TESTS / "e2e")]

import servers  # noqa: E402
from wrapper import Bench  # noqa: E402

SETTLE_SECONDS = 5
INTERVAL = 60  # None beats while it is measured.


def memory(pid):
    """Private and shared resident memory, in bytes."""
    kib = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        key, value = line.split()[:2]
        kib[key.rstrip(":")] = int(value)
    private = kib["Private_Clean"] + kib["Private_Dirty"]
    return private << 10, (kib["Rss"] - private) << 10


def cpu_ns(pid):
    """Of all its threads, so far."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wrappers", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--server", default="dev", choices=("kube", "dev"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        server = {"kube": servers.KubeServer, "dev": servers.DevServer}[options.server]().start(f"{directory}/server")
        (home := pathlib.Path(directory) / "bench").mkdir()
        bench = Bench(server, home, "footprint")
        try:
            names = [f"r{number}" for number in range(options.wrappers)]
            for name in names:
                bench.create(name, interval=INTERVAL, timeout=3 * INTERVAL)
            pids = [bench.exec(name=name, script="exec sleep 600").process.pid for name in names]
            for name in names:
                bench.await_phase("Running", name)
            time.sleep(SETTLE_SECONDS)
            before = [cpu_ns(pid) for pid in pids]
            time.sleep(options.seconds)
            spent = [now - earlier for now, earlier in zip(map(cpu_ns, pids), before)]
            private, shared = zip(*map(memory, pids))
            print(f"{options.wrappers} wrappers: {statistics.median(private) / 2**20:.1f} MiB private and "
                  f"{statistics.median(shared) / 2**20:.1f} MiB shared resident each; "
                  f"{statistics.median(spent) / 1e6 / options.seconds:.3f} ms of CPU per second between beats")
        finally:
            bench.close()
            server.stop()


if __name__ == "__main__":
    main()
