#!/usr/bin/env python3
"""Sends the same random requests to the API model (behind jobrun-devserver) and to a real kube-apiserver, and compares
what they answer and what their watches show. Exit codes: 0 equal, 1 different, 77 no real server on this machine.

    conformance.py [--requests N] [--seed S] [--case K]

A difference is printed with its seed and case, after leaving out all steps that it does without. What the model leaves out
on purpose (README.md of tests/api_model) is either not sent (plans.py) or not looked at (session.py).
"""

import argparse
import itertools
import json
import os
import pathlib
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "kube"))

import servers  # noqa: E402
from plans import Generator, STEPS_OF_A_CASE  # noqa: E402
from rest import Rest  # noqa: E402
from session import Session  # noqa: E402

REQUESTS, SEED = 3000, 1
SHORTENING_SECONDS_MAX = 60
SKIPPED = 77
# Enough for a case: nothing becomes too old while it runs, on either server.
COMPACT_AFTER = 100_000


class Pair:
    """Both servers, which are given the same."""

    def __init__(self, model, real):
        self._rests = [Rest(model.kubeconfig), Rest(real.kubeconfig)]
        self._namespaces = (f"case-{number}" for number in itertools.count(1))

    def difference(self, steps):
        """(index of the step, answer of the model, answer of the real server) of the first difference, or None."""
        namespace = next(self._namespaces)
        model, real = (Session(rest, namespace) for rest in self._rests)
        for index, step in enumerate(steps):
            ours, theirs = model.take(step), real.take(step)
            if ours != theirs:
                return index, ours, theirs
        return None


def shortened(steps, index, is_different, now=time.monotonic):
    """The steps up to `index` without those that the difference does without, until none can go or the time is up."""
    steps, until = steps[:index + 1], now() + SHORTENING_SECONDS_MAX
    size = max(1, (len(steps) - 1) // 2)
    while now() < until:
        at, removed = 0, False
        while at < len(steps) - 1 and now() < until:
            end = min(at + size, len(steps) - 1)  # The last step is the one that shows it.
            fewer = steps[:at] + steps[end:]
            if is_different(fewer):
                steps, removed = fewer, True
            else:
                at = end
        if size == 1 and not removed:
            break
        size = max(1, size // 2)
    return steps


def report(pair, seed, case, steps, index):
    last = steps[index]

    def is_different(fewer):
        found = pair.difference(fewer)
        return found is not None and found[0] == len(fewer) - 1 and fewer[-1] is last

    steps = shortened(steps, index, is_different)
    print(f"different: --seed {seed} --case {case}; after leaving out what it does without:")
    for step in steps:
        print("  " + json.dumps(step, ensure_ascii=False))
    found = pair.difference(steps)
    if found is None:
        print("not the second time: it depends on something else than the requests")
        return
    _, ours, theirs = found
    print(f"--- the model\n{ours.text()}\n--- the real server\n{theirs.text()}")
    print("--- what differs\n" + "\n".join(paths(ours.body, theirs.body)) + f"\n{ours.warnings} {theirs.warnings}")


def paths(ours, theirs, at=""):
    """Each place where two JSON values differ, one line each."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            yield from paths(ours.get(key), theirs.get(key), f"{at}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (our, their) in enumerate(zip(ours, theirs)):
            yield from paths(our, their, f"{at}[{number}]")
    elif ours != theirs:
        yield f"{at}: {json.dumps(ours)} instead of {json.dumps(theirs)}"


def compare(pair, seed, cases, differences_max):
    differences = 0
    for case in cases:
        steps = Generator(f"{seed}/{case}").case()
        found = pair.difference(steps)
        if found is None:
            continue
        differences += 1
        report(pair, seed, case, steps, found[0])
        if differences == differences_max:
            break
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=REQUESTS, help=f"how many in all (default {REQUESTS})")
    parser.add_argument("--seed", type=int, default=SEED, help=f"the same seed, the same requests (default {SEED})")
    parser.add_argument("--case", type=int, help="only this one of the cases that the seed makes")
    parser.add_argument("--differences", type=int, default=1, metavar="N", help="end after the Nth (default 1)")
    chosen = parser.parse_args()
    count = -(-chosen.requests // STEPS_OF_A_CASE)
    cases = range(count) if chosen.case is None else [chosen.case]
    model, real = servers.DevServer(compact_after=COMPACT_AFTER), servers.KubeServer()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="jobrun-conformance-") as folder:
        try:
            model.start(f"{folder}/model")
            real.start(f"{folder}/real")
            differences = compare(Pair(model, real), chosen.seed, cases, chosen.differences)
        except servers.Unavailable as error:
            print(f"SKIPPED: {error}", file=sys.stderr)
            return 1 if os.environ.get("CI") == "true" else SKIPPED
        finally:
            model.stop()
            real.stop()
    print(f"conformance: {len(cases) * STEPS_OF_A_CASE} requests, seed {chosen.seed}, {differences} differences, "
          f"{time.monotonic() - started:.0f} s")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
