"""Every query of the dashboard, asked of a real Prometheus that scrapes controllers at work, must bring data; the rules
and the queries of the runbooks must be understood."""

import math
import re
import time

import pytest

import catalogue
from catalogue import JOB, NAMESPACE
from prometheus import eventually

# What Grafana puts in place of its variables; All is the regular expression .*
VARIABLES = {"$__rate_interval": "15s", "$__range": "60s", "$namespace": NAMESPACE, "$job": JOB, "$lane": ".*"}
SECONDS_MAX = 90
SHOWN_SECONDS = 10


def substituted(expression, **others):
    for name, value in {**VARIABLES, **others}.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def answer(scenery, target):
    """[(labels, values)] as the panel would show it."""
    expression, prometheus = substituted(target["expr"]), scenery.prometheus
    if target["instant"]:
        return [(labels, [value]) for labels, value in prometheus.now(expression)]
    end = time.time()
    return [(labels, [value for _, value in values])
            for labels, values in prometheus.over(expression, end - SHOWN_SECONDS, end)]


def queries():
    return [pytest.param(target, id=f"{panel['title']} {target['refId']}") for panel, target in catalogue.queries()]


@pytest.mark.parametrize("target", queries())
def test_query_brings_data(scenery, target):
    def data():
        scenery.check()
        return answer(scenery, target)

    found = eventually(data, SECONDS_MAX, target["expr"])
    values = [value for _, series in found for value in series]
    assert values and all(math.isfinite(value) for value in values), found
    for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
        assert all(label in labels for labels, _ in found), f"the legend's {label} is not in {found}"
    names = [tuple(sorted(labels.items())) for labels, _ in found]
    assert len(names) == len(set(names)) and (target["legendFormat"] or len(found) == 1), found


@pytest.mark.parametrize("expression, labels", [
    ("increase(jobrun_reaps_total[60s]) > 0", {"HeartbeatTimeout", "DeadlineExceeded"}),
    ("increase(jobrun_retries_total[60s]) > 0", {"created", "exhausted", "not_due"}),
    ("increase(jobrun_verdicts_suppressed_total[60s]) > 0", {"dry_run", "held_lane", "breaker"}),
    ("max_over_time(jobrun_breaker_open[60s]) > 0", {"herd"}),
    ("increase(jobrun_disputed_reaps_total[60s]) > 0", {"sync"}),
    ("increase(jobrun_finalized_total[60s]) > 0", {"etl"}),
])
def test_what_is_shown_really_happens(scenery, expression, labels):
    """Without this a dashboard of zeros would do."""
    def seen():
        scenery.check()
        return {value for series, _ in scenery.prometheus.now(expression) for value in series.values()} >= labels

    eventually(seen, SECONDS_MAX, f"{expression}: {labels}")


@pytest.mark.parametrize("variable", catalogue.dashboard()["templating"]["list"][1:], ids=lambda one: one["name"])
def test_variable_has_values(scenery, variable):
    selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
    values = scenery.prometheus.api(f"label/{label}/values", **{"match[]": substituted(selector)})
    expected = {"namespace": [NAMESPACE], "job": [JOB],
                "lane": ["default", "etl", "herd", "mistaken", "other", "patient", "queue", "rehearsal", "sync"]}
    assert values == expected[variable["name"]]


def test_a_lane_that_is_chosen_is_the_only_one_shown(scenery):
    (target,) = [target for panel, target in catalogue.queries() if panel["title"] == "Reaps by lane"]
    expression = substituted(target["expr"], **{"$lane": "(etl|sync)"})
    found = eventually(lambda: scenery.prometheus.now(expression), SECONDS_MAX, expression)
    assert {labels["lane"] for labels, _ in found} == {"etl", "sync"}


def test_what_two_replicas_export_is_shown_once(scenery):
    """Both know of all runs; the dashboard's total is what the API server has."""
    (target,) = [target for panel, target in catalogue.queries() if panel["title"] == "Pending by lane"]
    expression = substituted(target["expr"], **{"$lane": "queue"})
    eventually(lambda: scenery.prometheus.now(expression) == [({"lane": "queue"}, 1)], SECONDS_MAX, expression)
    each = scenery.prometheus.now('jobrun_runs{lane="queue", phase="Pending"}')
    assert [value for _, value in each] == [1, 1]


def test_the_rules_load_and_evaluate(scenery):
    """Some fire on what goes on here; none may be in error."""
    def evaluated():
        (group,) = scenery.prometheus.api("rules")["groups"]
        return [rule for rule in group["rules"] if rule["health"] != "unknown"]

    everything = len(catalogue.alerts())
    rules = eventually(lambda: len(evaluated()) == everything and evaluated(), SECONDS_MAX, "all are evaluated")
    assert [rule["name"] for rule in rules] == [alert["alert"] for alert in catalogue.alerts()]
    assert not [rule for rule in rules if rule["health"] != "ok"]
    fires = 'ALERTS{alertname="JobRunRetriesExhausted", alertstate="firing", lane="sync"}'
    assert eventually(lambda: scenery.prometheus.now(fires), SECONDS_MAX, fires)


@pytest.mark.parametrize("alert", catalogue.alerts(), ids=lambda alert: alert["alert"])
def test_prometheus_understands_the_queries_of_a_runbook(scenery, alert):
    for query in catalogue.runbook_queries(alert):
        scenery.prometheus.now(query.replace("NAMESPACE", NAMESPACE).replace("JOB", JOB).replace("LANE", "sync"))
