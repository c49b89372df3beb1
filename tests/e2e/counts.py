#!/usr/bin/env python3
"""counts.py RESULTS.xml…: checks that the scenarios ended alike on every server, from one junit file for each.

Ends with 0 when they did; with 1 when the same tests were not run on all, when one failed, or when one was skipped
and CI=true; with 77 when one was skipped elsewhere.
"""

import os
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

SKIPPED_EXIT_CODE = 77


class Results:
    """The tests of one file by name, without the server's in brackets."""

    def __init__(self, path):
        self.path, self.server, self.tests = path, "no server", {}
        if not pathlib.Path(path).exists():
            return
        suite = xml.parse(path).getroot().find("testsuite")
        for told in suite.iterfind("properties/property"):
            self.server = f"{told.get('name')} {told.get('value')}"
        for case in suite.iterfind("testcase"):
            name = case.get("classname") + "::" + re.sub(r"\[(dev|kube)\]$", "", case.get("name"))
            ends = [end for end in ("error", "failure", "skipped") if case.find(end) is not None]
            self.tests[name] = ends[0] if ends else "passed"

    def summary(self):
        ends = list(self.tests.values())
        told = ", ".join(f"{ends.count(end)} {end}" for end in sorted(set(ends))) or "no results"
        return f"{self.server}: {told} ({self.path})"


def main(paths):
    every = [Results(path) for path in paths]
    for results in every:
        print(results.summary())
    names = set().union(*(results.tests for results in every))
    for results in every:
        missing = sorted(names - set(results.tests))
        for name in missing if results.tests else ["all of them"]:
            print(f"NOT RUN on {results.server}: {name}")
        for name, end in results.tests.items():
            if end != "passed":
                print(f"{end.upper()} on {results.server}: {name}")
    skipped = any(end == "skipped" for results in every for end in results.tests.values())
    same = bool(names) and all(set(results.tests) == names for results in every)
    ends = {end for results in every for end in results.tests.values()}
    if not same or ends - {"passed", "skipped"}:
        return 1
    if skipped:
        return 1 if os.environ.get("CI") == "true" else SKIPPED_EXIT_CODE
    print(f"{len(names)} scenarios, the same on {len(every)} servers")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
