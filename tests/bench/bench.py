#!/usr/bin/python3
"""Measures the controller's speed and size against a load server that also judges every verdict. Prints a table and
writes build/bench/results.json. Exit code 1 when a verdict was wrong, whatever the figures are. Started by ./dev bench,
which builds the programs."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

import docs
import micro
import report
import scenarios
from measure import compare_idle, play
from profiler import Profiler
from subjects import BenchError

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tests/bench/results"
_LATEST = ROOT / "build/bench/results.json"
_MICRO = "micro"


def machine():
    """What the figures depend on, and nothing that tells whose machine it is."""
    model = re.search(r"^model name\s*: (.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+) kB", pathlib.Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {"cpu": model[1] if model else platform.machine(), "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(int(memory[1]) / 2**20), "kernel": ".".join(platform.release().split(".")[:2])}


def commit():
    """The commit measured, with a + when files differ from it; nothing outside a repository with commits."""
    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    head = git("rev-parse", "--short=12", "HEAD")
    if head.returncode != 0:
        return ""
    changed = git("status", "--porcelain", "--untracked-files=no").stdout.strip()
    return head.stdout.strip() + ("+" if changed else "")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin", help="folder of the programs")
    parser.add_argument("--scenario", action="append", metavar="NAME", help="only this one; may be given several times")
    parser.add_argument("--full", action="store_true", help="also the scenarios that take long")
    parser.add_argument("--profile", action="store_true",
                        help="also say in which parts of the program the CPU goes (needs perf; figures are higher with it)")
    parser.add_argument("--quick", action="store_true", help="short windows: a look, not a measurement")
    parser.add_argument("--list", action="store_true", help="print the scenarios and exit")
    parser.add_argument("--compare", type=pathlib.Path, metavar="OLD.json", help="print ratios to older results")
    parser.add_argument("--save", metavar="NAME", help="keep the results as tests/bench/results/NAME.json")
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md from the kept results and exit")
    parser.add_argument("--check", action="store_true", help="with --docs: only say whether it is up to date")
    return parser.parse_args()


def play_all(wanted, options):
    played = {}
    for scenario in wanted:
        print(f"== {scenario.name}: {scenario.story}", flush=True)
        try:
            profiler = Profiler() if options.profile else None
            played[scenario.name] = play(scenario, options.bin, profiler)
            if profiler and profiler.shares:
                print("   CPU: " + ", ".join(f"{part} {share} %" for part, share in profiler.shares.items()), flush=True)
        except BenchError as error:
            played[scenario.name] = {"runs": scenario.all_runs, "faults": [str(error)]}
        for fault in played[scenario.name]["faults"]:
            print(f"   wrong: {fault}", flush=True)
    compare_idle(played)
    return played


def main():
    options = arguments()
    if options.list:
        for scenario in [*scenarios.SCENARIOS, *scenarios.SMOKES]:
            print(f"{scenario.name:16} {scenario.story}{' (--full)' if scenario.full_only else ''}")
        print(f"{_MICRO:16} microbenchmarks: decoding, store, timers, decisions")
        return 0
    if options.docs:
        return docs.write(RESULTS, ROOT / "docs/benchmarks.md", options.check)
    names = [name for name in options.scenario or [] if name != _MICRO]
    try:
        wanted = scenarios.selected(names, options.full, options.quick) if names or not options.scenario else []
    except KeyError as unknown:
        print(f"bench: no scenario {unknown}; --list shows them", file=sys.stderr)
        return 2
    results = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
               "commit": commit(), "quick": options.quick, "machine": machine()}
    results["scenarios"] = play_all(wanted, options)
    if not options.scenario or _MICRO in options.scenario:
        print("== micro: decoding, store, timers, decisions", flush=True)
        results["micro"] = micro.run(options.bin / "jobrun_microbench")
    for path in [_LATEST, *([RESULTS / f"{options.save}.json"] if options.save else [])]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1) + "\n")
    print()
    print(report.table(results))
    if options.compare:
        print(report.comparison(json.loads(options.compare.read_text()), results))
    wrong = [name for name, figures in results["scenarios"].items() if figures["faults"]]
    print(f"bench: wrong in {', '.join(wrong)}" if wrong else "bench: every verdict was right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
