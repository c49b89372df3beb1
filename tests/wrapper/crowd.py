#!/usr/bin/env python3
"""Many workers on one lane, killed at random, and so is the controller: every run ends once, nobody's work is done twice.

    crowd.py [--workers 200] [--runs 5000] [--seconds 60] [--server kube|dev] [--seed S]

For so many seconds workers (and now and then the controller) are killed and started again; then all runs must come to
their end. Prints what it took: conflicts, and requests for each run. Exits 1 when something is wrong.
"""

import argparse
import collections
import os
import pathlib
import random
import re
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TESTS / "kube"), str(TESTS / "e2e")]

import servers  # noqa: E402
from wrapper import Bench  # noqa: E402

LANE = "crowd"
CONFIG = """
lanes:
  crowd: {heartbeat: {intervalSeconds: 1, timeoutSeconds: 6, mode: Required}, retry: {maxAttempts: 50, backoffSeconds: 1, maxBackoffSeconds: 1}}
breaker: {enabled: false}
rateLimit: {reapsPerSecond: 0}
"""
END_SECONDS_MAX = 600


class Crowd:
    def __init__(self, bench, options):
        self.bench, self.options = bench, options
        self.random = random.Random(options.seed)
        self.marks = bench.dir / "marks"
        self.script = f'echo "begin $JOBRUN_NAME" >>{self.marks}; sleep 0.2; echo "end $JOBRUN_NAME" >>{self.marks}'
        self.workers, self.killed, self.controllers_killed = [], 0, 0
        self.requests_before = self.requests()
        self.controller = bench.controller(CONFIG)

    def requests(self):
        """Requests for runs that the API server has answered, by verb and code; empty where it does not say."""
        counts = collections.Counter()
        answer = self.bench.rest.get("/metrics")
        if answer.code == 200:
            for line in str(answer.body).splitlines():
                if line.startswith("apiserver_request_total{") and 'resource="jobruns"' in line:
                    labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
                    counts[labels["verb"], labels["code"]] += float(line.rsplit(" ", 1)[1])
        return counts

    def worker(self):
        return self.bench.jobrun("work", "-n", self.bench.namespace, "--lane", LANE, "--interval", "1", "--timeout", "6", "--",
                                 "sh", "-c", self.script)

    def create(self):
        for number in range(self.options.runs):
            made = self.bench.rest.post(self.bench.runs, servers.jobrun(f"r{number}", {"lane": LANE}))
            assert made.code == 201, made

    def trouble(self):
        end = time.monotonic() + self.options.seconds
        while time.monotonic() < end:
            time.sleep(self.options.seconds / 40)
            at = self.random.randrange(len(self.workers))
            self.workers[at].process.kill()
            self.workers[at].process.wait()
            self.workers[at] = self.worker()
            self.killed += 1
            if self.killed % 13 == 0:
                self.controller.kill()
                self.controller.start()
                self.controllers_killed += 1

    def items(self):
        runs, token = [], ""
        while True:
            answer = self.bench.rest.get(f"{self.bench.runs}?limit=500&continue={token}")
            if answer.code != 200:  # Too many of us, or the list took too long: from the start.
                time.sleep(1)
                runs, token = [], ""
                continue
            page = answer.body
            runs += [run for run in page["items"] if run["spec"]["lane"] == LANE]
            token = page["metadata"].get("continue", "")
            if not token:
                return runs

    def await_the_end(self):
        deadline = time.monotonic() + END_SECONDS_MAX
        while True:
            runs = self.items()
            states = collections.Counter(state_of(run) for run in runs)
            if set(states) <= {"Succeeded", "Created"}:
                return runs
            assert time.monotonic() < deadline, f"not all have ended: {states}"
            time.sleep(1)

    def judge(self, runs):
        wrong = []
        begun = collections.Counter(line.split()[1] for line in self.marks.read_text().splitlines() if line.startswith("begin"))
        ended = collections.Counter(line.split()[1] for line in self.marks.read_text().splitlines() if line.startswith("end"))
        wrong += [f"{name} was done {times} times" for name, times in begun.items() if times > 1]
        by_name = {run["metadata"]["name"]: run for run in runs}
        succeeded = [run for run in runs if run["status"]["phase"] == "Succeeded"]
        wrong += [f"{name} Succeeded and was not done" for name in
                  (run["metadata"]["name"] for run in succeeded) if ended[name] != 1]
        for number in range(self.options.runs):
            name, links = f"r{number}", 0
            while by_name[name]["status"]["phase"] != "Succeeded":
                name, links = by_name[name]["status"]["retry"]["successorName"], links + 1
                if name not in by_name or links > len(runs):
                    wrong.append(f"the retries of r{number} lead nowhere")
                    break
        if len(succeeded) != self.options.runs:
            wrong.append(f"{len(succeeded)} succeeded, {self.options.runs} were asked for")
        return wrong, begun

    def report(self, runs, begun, seconds):
        made = self.requests()
        made.subtract(self.requests_before)
        lost = sum(int(match.group(1)) for worker in self.workers
                   if (match := re.search(r"stopped runs=\d+ lost=(\d+)", worker.err)))
        print(f"{len(self.workers)} workers, {self.options.runs} runs, {len(runs) - self.options.runs} retries, "
              f"{sum(begun.values())} begun, {self.killed} workers and {self.controllers_killed} controllers killed, "
              f"{seconds:.0f} s, lost claims of the workers that lived to tell: {lost}")
        writes = {key: count for key, count in made.items() if count and key[0] in ("PATCH", "POST", "GET", "PUT", "DELETE")}
        if writes:
            conflicts = sum(count for (verb, code), count in writes.items() if code == "409")
            print(f"requests: {sum(writes.values()) / len(runs):.2f} for each run (creation and controller included), "
                  f"conflicts (409): {conflicts / len(runs):.3f}")
            for (verb, code), count in sorted(writes.items()):
                print(f"  {verb:6} {code}  {count:.0f}")

    def run(self):
        began = time.monotonic()
        self.create()
        self.workers = [self.worker() for _ in range(self.options.workers)]
        self.trouble()
        runs = self.await_the_end()
        seconds = time.monotonic() - began
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.wait()
        wrong, begun = self.judge(runs)
        self.report(runs, begun, seconds)
        return wrong


def state_of(run):
    """Succeeded; Created: its retry was; everything else is not over yet."""
    status = run.get("status", {})
    return status.get("retry", {}).get("state") or status.get("phase", "Pending")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--server", default="kube", choices=("kube", "dev"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        try:
            server = {"kube": servers.KubeServer, "dev": servers.DevServer}[options.server]().start(f"{directory}/server")
        except servers.Unavailable as missing:
            print(missing, file=sys.stderr)
            return 1 if os.environ.get("CI") == "true" else servers.SKIPPED_EXIT_CODE
        (home := pathlib.Path(directory) / "bench").mkdir()
        bench = Bench(server, home, "crowd")
        try:
            wrong = Crowd(bench, options).run()
        finally:
            bench.close()
            server.kill()
            server.stop()
    print("\n".join(wrong) or "crowd: every run ended once")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
