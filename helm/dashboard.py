#!/usr/bin/python3
"""Writes helm/jobrun/dashboards/jobrun.json, the Grafana dashboard, from the description in this file.

Run it after a change and commit both; a test fails when they differ. docs/dashboard.md tells what the panels show.
Words that stand for more: $JOB (the labels chosen at the top), $LANE (those and the lanes), $EACH (the labels that tell
one installation from another). What every replica exports is taken once per installation, never summed over replicas.
"""

import itertools
import json
import pathlib

TARGET = pathlib.Path(__file__).resolve().parent / "jobrun/dashboards/jobrun.json"
UID = "jobrun-controller"
WIDTH = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
SHORTHANDS = {
    "$LANE": '$JOB, lane=~"$lane"',
    "$JOB": 'namespace=~"$namespace", job=~"$job"',
    "$EACH": "cluster, namespace, job",
}
GOOD, ODD, BAD = "green", "orange", "red"


def expand(expression):
    for short, long in SHORTHANDS.items():
        expression = expression.replace(short, long)
    return expression


def quantile(q, metric, selector, *by):
    """That quantile; nothing where nothing was observed."""
    labels = ", ".join([*by, "le"])
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{{{selector}}}[$__rate_interval]))) >= 0"


def per_minute(metric, selector, *by):
    return f"sum by ({', '.join(by)}) (rate({metric}{{{selector}}}[$__rate_interval])) * 60"


def each_per_second(metric, selector, *by):
    """The rate of something that every replica counts for itself; $EACH so that replicas don't add up."""
    rates = f"rate({metric}{{{selector}}}[$__rate_interval])"
    if by:
        return f"sum by ({', '.join(by)}) (max by ($EACH, {', '.join(by)}) ({rates}))"
    return f"sum (max by ($EACH) ({rates}))"


def panel(kind, title, description, unit, targets, **more):
    """One panel; targets are (expression, legend). `more`: width, defaults (of the field), options, instant."""
    instant = more.get("instant", False)
    return {"type": kind, "title": title, "description": description, "width": more.get("width", 8),
            "height": more.get("height", 8), "datasource": DATASOURCE,
            "fieldConfig": {"defaults": {"unit": unit, **more.get("defaults", {})}, "overrides": []},
            "options": more.get("options", {}),
            "targets": [{"refId": chr(ord("A") + number), "datasource": DATASOURCE, "expr": expand(expression),
                         "legendFormat": legend, "editorMode": "code", "instant": instant, "range": not instant}
                        for number, (expression, legend) in enumerate(targets)]}


def thresholds(*steps):
    """(colour, from) pairs; the first counts from the bottom."""
    return {"mode": "absolute",
            "steps": [{"color": color, "value": None if number == 0 else since}
                      for number, (color, since) in enumerate(steps)]}


def stat(title, description, unit, expression, steps, words=None):
    """One number in a colour. `words`: {value: text} shown instead of it."""
    defaults = {"thresholds": thresholds(*steps), "color": {"mode": "thresholds"}, "noValue": "none"}
    if words:
        defaults["mappings"] = [{"type": "value", "options": {str(value): {"text": text, "index": index}
                                                              for index, (value, text) in enumerate(words.items())}}]
    options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "background",
               "graphMode": "none", "textMode": "value", "justifyMode": "center"}
    return panel("stat", title, description, unit, [(expression, "")], width=4, height=4, defaults=defaults,
                 options=options, instant=True)


def lines(title, description, unit, *targets, stacked=False, bound=None, **more):
    """Lines over time. `bound`: a red line at that value."""
    custom = {"lineWidth": 1, "fillOpacity": 30 if stacked else 0, "showPoints": "never",
              "stacking": {"mode": "normal" if stacked else "none", "group": "A"}}
    defaults = {"custom": custom, "min": 0}
    if bound is not None:
        custom["thresholdsStyle"] = {"mode": "dashed"}
        defaults["thresholds"] = thresholds(("transparent", None), (BAD, bound))
    options = {"legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel("timeseries", title, description, unit, targets, defaults=defaults, options=options, **more)


def states(title, description, words, *targets, **more):
    """Bars over time that change their colour with the state. `words`: {value: (text, colour)}."""
    mappings = [{"type": "value", "options": {str(value): {"text": text, "color": color, "index": index}
                                              for index, (value, (text, color)) in enumerate(words.items())}}]
    defaults = {"mappings": mappings, "custom": {"fillOpacity": 70, "lineWidth": 0}}
    return panel("state-timeline", title, description, "none", targets, defaults=defaults,
                 options={"showValue": "never", "mergeValues": True, "legend": {"displayMode": "list",
                                                                                "placement": "bottom"}}, **more)


def bars(title, description, unit, expression, legend, **more):
    """What came together in the time shown, longest first."""
    return panel("bargauge", title, description, unit, [(f"sort_desc({expression})", legend)], instant=True,
                 defaults={"min": 0, "thresholds": thresholds(("blue", None)), "color": {"mode": "thresholds"}},
                 options={"orientation": "horizontal", "displayMode": "basic", "showUnfilled": True,
                          "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}, **more)


ZERO_IS_GOOD = ((GOOD, None), (BAD, 1))
ZERO_IS_BETTER = ((GOOD, None), (ODD, 1))
REPLICA = "{{pod}} {{instance}}"
RUNS = "max by ($EACH, lane, phase) (jobrun_runs{$LANE})"
RUNNING = RUNS.replace("}", ', phase="Running"}')
PENDING = RUNS.replace("}", ', phase="Pending"}')
LEADS = "leader_election_master_status{$JOB}"

WRONG_NOW = ("Is anything wrong now", [
    stat("Alerts firing", "JobRun alerts that Prometheus fires now. Each has a runbook in docs/runbooks.", "none",
         'count(ALERTS{alertname=~"JobRun.*", alertstate="firing"}) or vector(0)', ZERO_IS_GOOD),
    stat("Leaders", "Replicas that may write, in the installation that has the fewest. None: nothing is reaped. Two at once "
         "are safe and wasteful.", "none", f"min(sum by ($EACH) ({LEADS}))", ((BAD, None), (GOOD, 1), (ODD, 2))),
    stat("Silence clock", "Stopped where a controller that leads sees no canary's beat come back: nothing is reaped until it "
         "does.", "none", f"max(jobrun_silence_clock_stopped{{$JOB}} and on ($EACH, instance) {LEADS} == 1)"
         " or max(jobrun_silence_clock_stopped{$JOB})", ZERO_IS_GOOD, {0: "running", 1: "stopped"}),
    stat("Breakers open", "Lanes whose verdicts on silence are held because most of their runs fell silent together.", "none",
         'sum(max by ($EACH, lane) (jobrun_breaker_open{$JOB, lane=~"$lane|[*]"}))', ZERO_IS_GOOD),
    stat("Lanes held", "Lanes whose configuration holds a mistake: their runs get no verdict.", "none",
         "sum(max by ($EACH, lane) (jobrun_lane_held{$LANE}))", ZERO_IS_GOOD),
    stat("Configuration", "Rejected: the file holds a mistake, and the one before it stays in force.", "none",
         "min(jobrun_config_last_reload_successful{$JOB})", ((BAD, None), (GOOD, 1)), {0: "rejected", 1: "in force"}),
    stat("Reaps in an hour", "Runs moved to Stuck or Failed by a verdict.", "short",
         "sum(increase(jobrun_reaps_total{$LANE}[1h]))", (("blue", None),)),
    stat("Failed for good in an hour", "Runs that used up their attempts.", "short",
         'sum(increase(jobrun_retries_total{$LANE, result="exhausted"}[1h]))', ZERO_IS_BETTER),
    stat("Disputed reaps in an hour", "Runs of which a sign of life came after their verdict.", "short",
         "sum(increase(jobrun_disputed_reaps_total{$LANE}[1h]))", ZERO_IS_BETTER),
    stat("Oldest Pending run", "How long the oldest run that nobody has claimed has waited.", "s",
         "time() - min(max by ($EACH, lane) (jobrun_oldest_pending_timestamp_seconds{$LANE}))", ((GOOD, None), (ODD, 1800))),
    stat("Last sweep", "How long ago nothing that was due was left unhandled, in the replica for which it is longest; ten "
         "seconds and a scrape at most.", "s", "time() - min(jobrun_last_successful_sweep_timestamp_seconds{$JOB} > 0)",
         ((GOOD, None), (ODD, 90), (BAD, 180))),
    stat("Replicas", "Controllers that Prometheus can scrape.", "none", "sum(jobrun_build_info{$JOB})",
         ((BAD, None), (GOOD, 1))),
])

REAPS = ("Reaps", [
    lines("Reaps by reason", "Runs moved to Stuck or Failed, by the rule that was due (docs/verdicts.md).", "opm",
          (per_minute("jobrun_reaps_total", "$LANE", "reason") + " > 0", "{{reason}}"), stacked=True),
    lines("Reaps by lane", "The same by lane. One lane alone points at its workers, all of them at what they share.", "opm",
          (per_minute("jobrun_reaps_total", "$LANE", "lane"), "{{lane}}"), stacked=True),
    bars("Reaps in the time shown", "By lane and reason, most frequent first.", "short",
         "sum by (lane, reason) (increase(jobrun_reaps_total{$LANE}[$__range])) > 0", "{{lane}} {{reason}}"),
    lines("Finished in the worker's place", "Runs with exit code 0 that the controller moved to Succeeded, because their "
          "worker did not report its end.", "opm", (per_minute("jobrun_finalized_total", "$LANE", "lane"), "{{lane}}")),
    lines("Disputed reaps", "Runs of which a sign of life came after their verdict: silent for longer than their timeout, "
          "but not dead.", "opm", (per_minute("jobrun_disputed_reaps_total", "$LANE", "lane"), "{{lane}}")),
    lines("Verdicts that another write forestalled", "Conflicts: a heartbeat or an end came first, and the run was judged "
          "again. This is the guard at work.", "opm", (per_minute("jobrun_reap_conflicts_total", "$JOB", "job"), "{{job}}")),
])

RUNS_BY_PHASE = ("Runs", [
    lines("Runs by phase", "Runs that are active; with config.watch.finished also those that are over, until they are deleted.",
          "short",
          (f"sum by (phase) ({RUNS})", "{{phase}}")),
    lines("Running by lane", "Runs that a worker has claimed.", "short",
          (f"sum by (lane) ({RUNNING})", "{{lane}}"), stacked=True),
    lines("Pending by lane", "Runs that wait for a worker.", "short",
          (f"sum by (lane) ({PENDING})", "{{lane}}"), stacked=True),
    lines("Oldest Pending run by lane", "How long the oldest run that nobody has claimed has waited.", "s",
          ("time() - min by (lane) (max by ($EACH, lane) (jobrun_oldest_pending_timestamp_seconds{$LANE}))", "{{lane}}")),
    lines("Objects that can't be decoded", "JobRuns left alone, for each replica as often as it saw them. Their Events name "
          "them.", "opm", (per_minute("jobrun_invalid_objects_total", "$JOB", "pod", "instance"), REPLICA)),
])

GAP = "jobrun_heartbeat_gap_seconds"
SKEW = "jobrun_worker_clock_skew_seconds"
HEARTBEATS = ("Heartbeats", [
    lines("Gaps between heartbeats", "Between two heartbeats of a run as the controller sees them: half of them are shorter "
          "than the lower line, 99 in 100 shorter than the upper. Near the timeout, runs will be lost.", "s",
          (quantile(0.99, GAP, "$LANE", "lane"), "{{lane}} 99 %"), (quantile(0.5, GAP, "$LANE", "lane"), "{{lane}} 50 %")),
    lines("Quietest run", "How long ago the run that has been silent for longest was last seen to beat, by lane. It can't rise "
          "above the lane's timeout by more than the bound.", "s",
          ("time() - min by (lane) (max by ($EACH, lane) (jobrun_oldest_heartbeat_timestamp_seconds{$LANE}))", "{{lane}}")),
    lines("Heartbeats per second", "As the controller sees them, by lane.", "ops", (each_per_second(f"{GAP}_count", "$LANE", "lane"), "{{lane}}"),
          stacked=True),
    lines("Workers' clocks", "How far the timestamps of heartbeats are from the API server's clock, with the way they took. No "
          "verdict depends on it.", "s", (quantile(0.99, SKEW, "$JOB"), "99 %"), (quantile(0.5, SKEW, "$JOB"), "50 %")),
    lines("Canary round trip", "From the send of a canary's beat until the watch showed it, by replica: how far behind it "
          "sees.", "s", (quantile(0.99, "jobrun_canary_round_trip_seconds", "$JOB", "pod", "instance"), REPLICA)),
    lines("Time that does not count as silence", "Stops of the silence clock, by replica and cause (docs/safety.md).", "opm",
          (per_minute("jobrun_silence_stops_total", "$JOB", "pod", "instance", "cause"), REPLICA + " {{cause}}")),
])

LAG = "jobrun_detection_lag_seconds"
DETECTION = ("Detection lag", [
    lines("From due to written", "How long after it was due a verdict was committed. The red line is the published bound; a "
          "breaker, a stop and the rate limit add to it (docs/safety.md).", "s", (quantile(0.99, LAG, "$JOB"), "99 %"),
          (quantile(0.9, LAG, "$JOB"), "90 %"), (quantile(0.5, LAG, "$JOB"), "50 %"), bound=1, width=12),
    lines("Verdicts within the bound", "The share that was committed within a second of being due.", "percentunit",
          (f'sum(rate({LAG}_bucket{{$JOB, le=~"1([.]0)?"}}[$__rate_interval])) / '
           f"(sum(rate({LAG}_count{{$JOB}}[$__rate_interval])) > 0)", "within a second"), width=12),
])

RETRIES = ("Retries", [
    lines("Retries by result", "What became of the retry of each run that ended Failed or Stuck (docs/verdicts.md).", "opm",
          (per_minute("jobrun_retries_total", "$LANE", "result"), "{{result}}"), stacked=True, width=12),
    lines("Failed for good", "Runs that used up their attempts, by lane.", "opm",
          (per_minute("jobrun_retries_total", '$LANE, result="exhausted"', "lane"), "{{lane}}"), width=12),
])

SUPPRESSED = ("Suppressed verdicts and breaker", [
    lines("Suppressed by cause", "Verdicts that were due and not written; each run is counted once for a cause until it beats "
          "again or its spec changes.", "opm",
          (per_minute("jobrun_verdicts_suppressed_total", "$LANE", "cause"), "{{cause}}"), stacked=True),
    bars("Suppressed in the time shown", "By lane and cause, most frequent first.", "short",
         "sum by (lane, cause) (increase(jobrun_verdicts_suppressed_total{$LANE}[$__range])) > 0", "{{lane}} {{cause}}"),
    states("Breakers", "Open where most runs of a lane fell silent together; * is all lanes.",
           {0: ("closed", GOOD), 1: ("open", BAD)},
           ('max by (lane) (jobrun_breaker_open{$JOB, lane=~"$lane|[*]"})', "{{lane}}")),
])

CODES = "sum by (method, code) (rate(rest_client_requests_total{$JOB}[$__rate_interval])) > 0"
HEALTH = ("Controller", [
    states("Who leads", "The replica that holds the Lease writes; the others stand by and know as much.",
           {0: ("stands by", "blue"), 1: ("leads", GOOD)}, (f"max by (pod, instance) ({LEADS})", REPLICA)),
    lines("Queue", "Verdicts and visits that wait for a slot.", "short",
          ('max by (pod, instance) (workqueue_depth{$JOB, name="jobrun"})', REPLICA)),
    lines("Queue: wait and work", "How long 99 in 100 wait in the queue, and how long their requests take.", "s",
          (quantile(0.99, "workqueue_queue_duration_seconds", "$JOB", "name"), "wait"),
          (quantile(0.99, "workqueue_work_duration_seconds", "$JOB", "name"), "work")),
    lines("Queue: added and tried again", "Per second.", "ops",
          ("sum(rate(workqueue_adds_total{$JOB}[$__rate_interval]))", "added"),
          ("sum(rate(workqueue_retries_total{$JOB}[$__rate_interval]))", "tried again")),
    lines("Decisions by result", "Verdicts written, judged again after a conflict, and failed.", "ops",
          ("sum by (result) (rate(controller_runtime_reconcile_total{$JOB}[$__rate_interval]))", "{{result}}"),
          ("sum(rate(controller_runtime_reconcile_errors_total{$JOB}[$__rate_interval]))", "errors")),
    lines("Decisions: time and slots", "How long 99 in 100 take.", "s",
          (quantile(0.99, "controller_runtime_reconcile_time_seconds", "$JOB"), "99 %")),
    lines("Slots in use", "Requests about runs that are under way, and how many may be (rateLimit.inFlight).", "short",
          ("max by (pod, instance) (controller_runtime_active_workers{$JOB})", REPLICA),
          ("max(controller_runtime_max_concurrent_reconciles{$JOB})", "at most")),
    lines("API latency", "How fast 99 in 100 requests are answered, by verb.", "s",
          (quantile(0.99, "rest_client_request_duration_seconds", "$JOB", "verb"), "{{verb}}")),
    lines("API requests", "Per second, by method and status; 409 is the guard at work, 401 and 403 are missing rights.", "reqps",
          (CODES, "{{method}} {{code}}")),
    lines("Watch events", "Per second, by type, of the replica that receives most.", "ops",
          (each_per_second("jobrun_watch_events_total", "$JOB", "type") + " > 0", "{{type}}")),
    lines("Watches that ended", "By cause; server and expired are usual, refused is a missing right.", "opm",
          (per_minute("jobrun_watch_ends_total", "$JOB", "cause"), "{{cause}}"),
          (per_minute("jobrun_watch_opens_total", "$JOB"), "opened")),
    lines("Lists of all runs", "By how they ended; each complete one is a start from scratch.", "opm",
          (per_minute("jobrun_lists_total", "$JOB", "result"), "{{result}}")),
    lines("Events written", "Kubernetes Events about runs, by what became of them.", "opm",
          (per_minute("jobrun_events_total", "$JOB", "result"), "{{result}}")),
    lines("Checks of pods", "Live reads of pods that their watch says are gone or finished.", "opm",
          (per_minute("jobrun_executor_checks_total", "$JOB", "result"), "{{result}}")),
    lines("Memory", "Resident memory by replica.", "bytes",
          ("max by (pod, instance) (process_resident_memory_bytes{$JOB})", REPLICA)),
    lines("CPU", "Cores in use by replica.", "short",
          ("sum by (pod, instance) (rate(process_cpu_seconds_total{$JOB}[$__rate_interval]))", REPLICA)),
    lines("File descriptors", "Open ones, as a part of those allowed.", "percentunit",
          ("max by (pod, instance) (process_open_fds{$JOB} / process_max_fds{$JOB})", REPLICA)),
    lines("Version and age", "How long each replica has run.", "s",
          ("time() - max by (pod, instance, version) (process_start_time_seconds{$JOB} * on ($EACH, pod, instance) "
           "group_left (version) jobrun_build_info{$JOB})", REPLICA + " {{version}}")),
])

ROWS = (WRONG_NOW, REAPS, RUNS_BY_PHASE, HEARTBEATS, DETECTION, RETRIES, SUPPRESSED, HEALTH)


def place(rows):
    """The panels with ids and places, from left to right and from top to bottom."""
    ids, placed, top = itertools.count(1), [], 0
    for title, panels in rows:
        placed.append({"id": next(ids), "type": "row", "title": title, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1}})
        top, left = top + 1, 0
        for one in panels:
            width, height = one["width"], one["height"]
            if left + width > WIDTH:
                top, left = top + height, 0
            placed.append({"id": next(ids), "gridPos": {"x": left, "y": top, "w": width, "h": height},
                           **{key: value for key, value in one.items() if key not in ("width", "height")}})
            left += width
        top += panels[-1]["height"]
    return placed


def variable(name, label, query):
    """A choice among the values of a label; all of them at first."""
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE, "definition": query,
            "query": {"query": query, "refId": "Values"}, "refresh": 2, "sort": 1, "multi": True, "includeAll": True,
            "allValue": ".*", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "hide": 0}


def dashboard():
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "refresh": 1,
              "hide": 0, "multi": False, "includeAll": False}
    choices = [source, variable("namespace", "Namespace", "label_values(jobrun_build_info, namespace)"),
               variable("job", "Job", 'label_values(jobrun_build_info{namespace=~"$namespace"}, job)'),
               variable("lane", "Lane", f"label_values(jobrun_runs{{{SHORTHANDS['$JOB']}}}, lane)")]
    return {"uid": UID, "title": "JobRun", "description": "Runs, verdicts and the controller that writes them.",
            "tags": ["jobrun", "kubernetes"], "schemaVersion": 38, "version": 1, "editable": True, "graphTooltip": 1,
            "refresh": "30s", "time": {"from": "now-3h", "to": "now"}, "timezone": "browser",
            "templating": {"list": choices}, "annotations": {"list": []}, "links": [], "panels": place(ROWS)}


def text():
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text(), encoding="utf-8")
