"""Runs the microbenchmarks."""

import json
import subprocess

_SECONDS_MAX = 300


def run(program):
    """{name: nanoseconds of CPU per item}, or per iteration where a benchmark has no items."""
    done = subprocess.run([str(program), "--benchmark_format=json", "--benchmark_min_time=0.1"], timeout=_SECONDS_MAX,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    figures = {}
    for entry in json.loads(done.stdout)["benchmarks"]:
        per_item = 1e9 / entry["items_per_second"] if "items_per_second" in entry else None
        scale = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[entry["time_unit"]]
        figures[entry["name"].replace("/iterations:5", "")] = round(per_item or entry["cpu_time"] * scale, 1)
    return figures
