#!/usr/bin/python3
"""Measures what a heartbeat costs a real kube-apiserver and its etcd, for several ways to beat, and what the lists of a
controller cost. Prints tables and writes build/bench/server-cost.json. Started by ./dev cost.

Every round plays all ways one after the other, so that what else the machine does befalls all of them; told is the median
of the rounds. What the idle server uses is taken off."""

import argparse
import datetime
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/kube"))

import server_page  # noqa: E402
from bench import commit, machine  # noqa: E402
from rest import Rest  # noqa: E402
from servers import SKIPPED_EXIT_CODE, Unavailable  # noqa: E402
from server_load import GUARDED, LARGE, PLAIN, CostError, Meter, Watcher, Way, Workers, guard, listed, start  # noqa: E402

RESULTS = ROOT / "tests/bench/results/server"
_LATEST = ROOT / "build/bench/server-cost.json"
_PAGE = ROOT / "docs/sizing.md"
_IDLE_SECONDS = 4
_SETTLE_SECONDS = 0.5  # etcd tells its size after its next commit, which comes every tenth of a second.
_ARRIVE_SECONDS_MAX = 30
_LISTS = 8  # In a round, of each kind.
REFERENCE = "status"
# Name: the way, and how many watch.
WAYS = {
    REFERENCE: (Way(), 1),
    "status, nobody watches": (Way(), 0),
    "status, two watch": (Way(), 2),
    "status, JSON patch with tests": (Way(kind="json"), 1),
    "status with progress": (Way(progress=True), 1),
    "status, with the admission policy": (Way(GUARDED), 1),
    "status of a run with a large payload": (Way(LARGE), 1),
    "Lease": (Way(lease=True), 1),
}
REFERENCE_LIST = f"{PLAIN}, pages of 500"
LISTS = {f"{namespace}, {how}{', gzip' if zipped else ''}": (namespace, how, zipped)
         for namespace in (PLAIN, LARGE) for how in ("pages of 500", "whole", "WatchList") for zipped in (False, True)}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=20, help="connections that beat (default 20)")
    parser.add_argument("--runs-each", type=int, default=50, help="runs of each of them (default 50)")
    parser.add_argument("--rate", type=int, default=150, help="beats a second, of all workers (default 150)")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is played (default 5)")
    parser.add_argument("--payload", type=int, default=16384, metavar="BYTES", help="of the large runs (default 16384)")
    parser.add_argument("--save", metavar="NAME", help="keep the results as tests/bench/results/server/NAME.json")
    parser.add_argument("--docs", action="store_true", help="write the tables of docs/sizing.md from the kept results and exit")
    parser.add_argument("--check", action="store_true", help="with --docs: only say whether they are up to date")
    return parser.parse_args()


def spent(before, after, idle):
    """What was used between two readings, without what the idle server would have used."""
    seconds = after["seconds"] - before["seconds"]
    return {name: after[name] - before[name] - idle.get(name, 0) * seconds for name in before}


def idle_rates(meter):
    """CPU a second of the server with nothing to do."""
    before = meter.read()
    time.sleep(_IDLE_SECONDS)
    after = meter.read()
    return {name: (after[name] - before[name]) / _IDLE_SECONDS for name in before if name.startswith("cpu_")}


def await_events(watchers, number):
    deadline = time.monotonic() + _ARRIVE_SECONDS_MAX
    while any(watcher.events < number for watcher in watchers):
        if time.monotonic() > deadline:
            raise CostError(f"{[watcher.events for watcher in watchers]} events for {number} writes")
        time.sleep(0.02)


def play_way(workers, meter, idle, name, rate):
    """One beat of every run: what each of the writes cost."""
    way, watching = WAYS[name]
    watchers = [Watcher(workers.kubeconfig, way.watched) for _ in range(watching)]
    try:
        before = meter.read()
        writes, answered = workers.beat(way, rate)
        await_events(watchers, writes)
        time.sleep(_SETTLE_SECONDS)
        used = spent(before, meter.read(), idle)
        seen = sum(watcher.bytes for watcher in watchers)
    finally:
        for watcher in watchers:
            watcher.stop()
    if used["puts"] < 0.99 * writes:
        raise CostError(f"{name}: {used['puts']:.0f} writes of etcd for {writes} beats")
    return {"api_us": used["cpu_kube-apiserver"] / writes * 1e6, "etcd_us": used["cpu_etcd"] / writes * 1e6,
            "wal_bytes": used["wal"] / writes, "db_bytes": used["db"] / writes, "etcd_out_bytes": used["etcd_out"] / writes,
            "puts": used["puts"] / writes, "fsyncs": used["fsyncs"] / writes, "answer_bytes": answered / writes,
            "watch_bytes": seen / writes / watching if watching else 0}


def play_list(rest, meter, idle, name):
    """One list of all runs of a namespace."""
    before = meter.read()
    for _ in range(_LISTS):
        answers = listed(rest, *LISTS[name])
    used = spent(before, meter.read(), idle)
    begun = time.process_time()
    whole = sum(len(zlib.decompress(data, 47)) if data.startswith(b"\x1f\x8b") else len(data) for data in answers)
    inflate = time.process_time() - begun
    return {"api_ms": used["cpu_kube-apiserver"] / _LISTS * 1e3, "etcd_ms": used["cpu_etcd"] / _LISTS * 1e3,
            "bytes": sum(map(len, answers)), "bytes_inflated": whole, "inflate_ms": inflate * 1e3}


def medians(rounds, reference, cpu):
    """{name: figures} of several rounds, with `times`: CPU as a multiple of the reference's in the same round."""
    told = {}
    for name in rounds[0]:
        figures = {key: round(statistics.median(each[name][key] for each in rounds), 2) for key in rounds[0][name]}
        ratios = [sum(each[name][key] for key in cpu) / sum(each[reference][key] for key in cpu) for each in rounds]
        told[name] = {**figures, "times": round(statistics.median(ratios), 2),
                      "times_min": round(min(ratios), 2), "times_max": round(max(ratios), 2)}
    return told


def rotated(names, by):
    names = list(names)
    return names[by % len(names):] + names[:by % len(names)]


def measure(options, directory):
    server = start(directory)
    workers = Workers(server, options.workers, options.runs_each, options.payload)
    try:
        workers.begin()
        rest, meter = Rest(server.kubeconfig), Meter(server)
        guard(rest)
        workers.beat(WAYS[REFERENCE][0], options.rate)  # Warm.
        ways, lists, idles = [], [], []
        for number in range(options.rounds):
            print(f"== round {number + 1} of {options.rounds}", flush=True)
            idle = idle_rates(meter)
            idles.append(idle)
            played = {name: play_way(workers, meter, idle, name, options.rate) for name in rotated(WAYS, number)}
            ways.append({name: played[name] for name in WAYS})
            rest.close()  # Its server has ended a connection that was not used for so long.
            played = {name: play_list(rest, meter, idle, name) for name in rotated(LISTS, number)}
            lists.append({name: played[name] for name in LISTS})
        return {"server": server.version, "runs": workers.size,
                "idle_cores": {name: round(statistics.median(each[name] for each in idles), 4) for name in idles[0]},
                "ways": medians(ways, REFERENCE, ("api_us", "etcd_us")),
                "lists": medians(lists, REFERENCE_LIST, ("api_ms", "etcd_ms"))}
    finally:
        workers.close()
        server.kill()
        server.stop()


def main():
    options = arguments()
    if options.docs:
        return server_page.write(RESULTS, _PAGE, options.check)
    results = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "commit": commit(),
               "machine": machine(), "command": "./dev cost " + " ".join(sys.argv[1:]), "workers": options.workers,
               "rate": options.rate, "rounds": options.rounds, "payload": options.payload}
    with tempfile.TemporaryDirectory(prefix="jobrun-cost-") as directory:
        try:
            results |= measure(options, directory)
        except CostError as error:
            print(f"server_cost: {error}", file=sys.stderr)
            return 1
        except Unavailable as missing:
            print(f"server_cost: {missing}", file=sys.stderr)
            return 1 if os.environ.get("CI") == "true" else SKIPPED_EXIT_CODE
    for path in [_LATEST, *([RESULTS / f"{options.save}.json"] if options.save else [])]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1) + "\n")
    print(server_page.text(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
