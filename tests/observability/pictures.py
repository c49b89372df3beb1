#!/usr/bin/python3
"""Draws the dashboard's main panels to docs/pictures, from what a real Prometheus answers about controllers at work.

    JOBRUN_CONTROLLER=… JOBRUN_DEVSERVER=… tests/observability/pictures.py [--seconds 120]

Controllers and workers are those of the tests (scenery.py); panels are found in the dashboard's JSON by their title."""

import argparse
import pathlib
import re
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
for folder in ("kube", "e2e"):
    sys.path.insert(0, str(HERE.parent / folder))

import catalogue  # noqa: E402
import servers  # noqa: E402
from catalogue import JOB, NAMESPACE  # noqa: E402
from svg import Chart  # noqa: E402

PICTURES = catalogue.ROOT / "docs/pictures"
# In the order of docs/dashboard.md. Those about metrics that the binary in use does not have are left out.
TITLES = ("Reaps by reason", "Runs by phase", "Oldest Pending run by lane", "Gaps between heartbeats", "Quietest run",
          "From due to written", "Retries by result", "Suppressed by cause", "Breakers", "Canary round trip")
POINTS_MAX = 60
FIRST_SECONDS = 10  # Until there are rates.


def file_name(title):
    return re.sub(r"\W+", "-", title.lower()) + ".svg"


def name_of(legend, labels):
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend).strip()


def series_of(panel, prometheus, start, end):
    """[(name, [(seconds since the start, value)])], as Grafana would ask for them with a scrape every second."""
    variables = {"$__rate_interval": "10s", "$__range": f"{end - start:.0f}s", "$namespace": NAMESPACE, "$job": JOB,
                 "$lane": ".*"}
    series = []
    for target in panel["targets"]:
        expression = target["expr"]
        for name, value in variables.items():
            expression = expression.replace(name, value)
        for labels, points in prometheus.over(expression, start, end, max(1, round((end - start) / POINTS_MAX))):
            name = re.sub(r" 127\.0\.0\.1:\d+", "", name_of(target["legendFormat"], labels))
            series.append((name, [(at - start, value) for at, value in points]))
    return sorted(series)


def drawn(panel, series):
    defaults = panel["fieldConfig"]["defaults"]
    steps = defaults.get("thresholds", {}).get("steps", [])
    bound = steps[-1]["value"] if "thresholdsStyle" in defaults.get("custom", {}) else None
    chart = Chart(panel["title"], defaults["unit"], series, bound)
    return chart.bands() if panel["type"] == "state-timeline" else chart.lines()


def draw_all(scenery, start):
    end = time.time()
    panels = {panel["title"]: panel for panel in catalogue.panels()}
    PICTURES.mkdir(parents=True, exist_ok=True)
    for title in TITLES:
        series = series_of(panels[title], scenery.prometheus, start, end)
        if not series:
            print(f"{title}: no data, not drawn")
            continue
        (PICTURES / file_name(title)).write_text(drawn(panels[title], series), encoding="utf-8")
        print(f"{title}: {len(series)} series")


def watch_and_draw(directory, seconds):
    from scenery import Scenery  # Needs the Kubernetes client, which the tests of what is drawn do without.
    server = servers.DevServer().start(directory / "server")
    try:
        scenery = Scenery(server, directory / "scenery")
        try:
            start = time.time() + FIRST_SECONDS
            while time.time() < start + seconds:
                scenery.check()
                time.sleep(1)
            draw_all(scenery, start)
        finally:
            scenery.close()
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description="Draws the dashboard's main panels to docs/pictures.")
    parser.add_argument("--seconds", type=int, default=120, help="how long a time they show (default: %(default)s)")
    seconds = parser.parse_args().seconds
    if seconds < 2 * FIRST_SECONDS:
        parser.error(f"--seconds {seconds}: expected at least {2 * FIRST_SECONDS}")
    with tempfile.TemporaryDirectory() as directory:
        try:
            watch_and_draw(pathlib.Path(directory), seconds)
        except servers.Unavailable as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
