"""Makes docs/benchmarks.md of the kept results."""

import json
import sys

import report
import scenarios

_TEXT = """# Benchmarks

This page is made by `tests/bench/bench.py --docs` of the raw results in `tests/bench/results/`; nothing in it is
written by hand.

## How it is measured

`./dev bench` builds everything and plays the scenarios below (about five minutes; `--full` adds those that take longer,
`--scenario NAME` plays one, `--list` shows them, `--save NAME` keeps the results, `--compare OLD.json` prints ratios).

The other side is `jobrun-loadserver`: an API server over TLS 1.3 that plays the runs from templates of {object_bytes}
bytes (managedFields included), as a WatchList and as pages. After the controller is in step it sends heartbeats every
millisecond as they fall due, each an HTTP chunk and a TLS record of its own, for runs in an order unrelated to that of
the list; lets runs fall silent at random and some of them beat again; checks the `resourceVersion` of every status
write; and knows to the microsecond when each run was last heard of. So every measurement is also a test: a run that is
reaped within its timeout, or not within a second after it, makes the scenario wrong, and so does a second verdict on a
run, or more writes under way together than the configuration allows (32).

CPU is user and system time of the whole controller process, from its CPU clock, over a window in the steady state,
divided by the heartbeats sent in it. Machines differ, and the same machine differs from hour to hour. So the same
heartbeats are sent to `jobrun-floor` too, in the same run: a program that decrypts, searches each event for two fields
and stores them in a hash map, and does nothing else (no JSON, timers, policies or writes). The ratio is what can be
compared. Memory is what the kernel calls resident: program and libraries included. Lag is the time from the moment a
run became due (its last heartbeat left the load server, plus its timeout) to the arrival of its verdict at the load
server. Load server and controller share the machine's cores.

**Storms**: the runs beat one last time, 40,000 a second, and come due as fast; the limit on verdicts a second and the
breaker are off, so that verdicts queue. One of fifty beats again before it is due or while it queues, and must not be
reaped before it has been silent for its timeout anew; others go on beating all the time. The storm is wrong when a run
is left over, and when more than five seconds pass between two renewals of the election's Lease or two beats of the
canary (both are due every two seconds). CPU per reap is all that the process uses from before the first is due until
the last is written, the verdicts' way back on the watch, their log lines and the Events about them included (at most a
thousand wait, so that a fast storm writes fewer than it reaps), less what the living cost in the quiet before. "Times
the server" is how long the storm takes, compared with the server answering 32 writes at a time without a pause: at 1
the controller is never what is waited for.

**Churn**: events are objects that are added, modified or deleted. It is wrong when resident memory grows by more than
4 MiB within the window, which begins when the first runs have long been deleted.

**Idle**: with the election, as in storms and churn. What the Lease and the canary cost is measured without a run, and
taken off.

## Results

{date}{commit}; {machine}.{remark}

{results}

{stories}

## Goals

{goals}

## For comparison

The same job written by hand with care on two other frameworks, each measured as a whole process on a machine with 2
cores with a synthetic API server of the same kind. They were measured once and are not repeated by `./dev bench`: take
them for the order of magnitude.

{reference}

## Microbenchmarks

`jobrun_microbench`: nanoseconds of CPU per heartbeat, page item, timer or decision. `HeartbeatFromBytes` is the whole
way from decrypted bytes to the engine's answer, with this many runs in the store; `StepHeartbeats` the engine's part
of it; `LookAgain` what a run's timer costs when it fires once a timeout and finds the run alive.

{micro}
"""


def newest(folder):
    kept = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return max(kept, key=lambda results: results["date"], default=None)


def _goals(results):
    lines = [["goal", "measured", "holds"]]
    for goal in scenarios.GOALS:
        measured = results["scenarios"].get(goal.scenario, {}).get(goal.figure)
        holds = "not measured" if measured is None else "yes" if measured <= goal.most else "no"
        lines.append([goal.words, "" if measured is None else str(measured), holds])
    return report.markdown(lines)


def _remark(results):
    loads = [figures["load_before"] for figures in results["scenarios"].values() if "load_before" in figures]
    remark = ""
    if loads and max(loads) > results["machine"]["cores"] / 2 + 1:
        remark = (f" **The machine was busy with other work** (load average up to {max(loads):.1f}): CPU figures are"
                  " too high, times and lags mean little.")
    return remark + (" Short windows (`--quick`)." if results["quick"] else "")


def render(results):
    machine = results["machine"]
    bytes_of = [(figures["object_bytes_min"], figures["object_bytes_max"])
                for figures in results["scenarios"].values() if "object_bytes_min" in figures]
    stories = {scenario.name: scenario for scenario in scenarios.SCENARIOS}
    told = [f"- `{name}`: {stories[name].story}." for name in results["scenarios"] if name in stories]
    micro = [["microbenchmark", "CPU"]] + [[f"`{name}`", f"{value:,.0f} ns"]
                                           for name, value in results.get("micro", {}).items()]
    return _TEXT.format(
        object_bytes="{:,} to {:,}".format(*(bytes_of[0] if bytes_of else (0, 0))),
        date=results["date"], commit=f", commit {results['commit']}" if results["commit"] else "",
        machine=f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']} GiB, Linux {machine['kernel']}",
        remark=_remark(results), results="\n\n".join(map(report.markdown, report.tables(results))), stories="\n".join(told),
        goals=_goals(results),
        reference=report.markdown([list(scenarios.REFERENCE_HEAD), *map(list, scenarios.REFERENCE)]),
        micro=report.markdown(micro) if len(micro) > 1 else "Not measured.")


def write(folder, page, check):
    """0, or 1 when there is nothing to make it of, or (`check`) when it is out of date."""
    results = newest(folder)
    if results is None:
        print(f"bench: no results in {folder}: run ./dev bench --save NAME first", file=sys.stderr)
        return 1
    text = render(results)
    if check:
        same = page.is_file() and page.read_text(encoding="utf-8") == text
        print("docs/benchmarks.md is up to date" if same else "docs/benchmarks.md is out of date: bench.py --docs")
        return 0 if same else 1
    page.write_text(text, encoding="utf-8")
    return 0
