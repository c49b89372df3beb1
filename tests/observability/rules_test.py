"""The alert rules as promtool and people see them: each has what an alert needs, tests on both sides and a runbook."""

import re

import pytest
import yaml

import catalogue
from prometheus import promtool

TESTS = catalogue.ROOT / "tests/observability/rules"
RUNBOOK_BASE = "https://jobrun.dev/docs/runbooks/"
CHART = catalogue.ROOT / "helm/jobrun/Chart.yaml"
# What a runbook answers, in this order.
QUESTIONS = ["What you see", "What it means for runs", "How to confirm", "What to do", "How to prevent"]
# The longest usual scrape interval; a range must hold four scrapes, so that one that fails leaves a rate.
SCRAPE_SECONDS_MAX = 60
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def name_of(alert):
    return alert["alert"]


each_alert = pytest.mark.parametrize("alert", catalogue.alerts(), ids=name_of)


def test_promtool_accepts_the_rules(programs):
    code, said = promtool("check", "rules", "--lint=all", "--lint-fatal", catalogue.RULES)
    assert code == 0, said


def test_names_are_unique():
    names = [alert["alert"] for alert in catalogue.alerts()]
    assert len(names) == len(set(names)) and all(re.fullmatch(r"JobRun[A-Z][A-Za-z]+", name) for name in names)


@each_alert
def test_it_fires_on_its_symptom_and_is_silent_just_below(programs, alert):
    name = alert["alert"]
    code, said = promtool("test", "rules", TESTS / f"{name}.yaml")
    assert code == 0, said
    tests = yaml.safe_load((TESTS / f"{name}.yaml").read_text(encoding="utf-8"))["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases} == {name}
    assert {bool(case["exp_alerts"]) for case in cases} == {True, False}, "one test that fires, one that is silent"


def test_every_test_belongs_to_an_alert():
    assert {path.stem for path in TESTS.glob("*.yaml")} == {alert["alert"] for alert in catalogue.alerts()}


@each_alert
def test_it_says_how_bad_it_is_and_what_it_is_about(alert):
    assert alert["labels"] == {"severity": alert["labels"]["severity"]}
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert re.search(r"\{\{.*\$(labels|value)", alert["annotations"]["description"]), "a description with values"


@each_alert
def test_it_asks_for_what_exists(alert):
    assert not catalogue.mistakes_in(alert["expr"])


@each_alert
def test_its_ranges_outlast_a_scrape_that_fails(alert):
    for number, unit in re.findall(r"\[(\d+)([smhd])", alert["expr"]):
        assert int(number) * UNIT_SECONDS[unit] >= 4 * SCRAPE_SECONDS_MAX, alert["expr"]


@each_alert
def test_it_tells_installations_apart(alert):
    """Whatever is aggregated keeps the labels of the installation, and never those of one replica."""
    for labels in re.findall(r"\bby \(([^)]*)\)", alert["expr"]):
        assert labels.startswith("cluster, namespace, job"), alert["expr"]
        assert not {"pod", "instance"} & set(labels.split(", "))


@each_alert
def test_it_has_a_runbook(alert):
    assert alert["annotations"]["runbook_url"] == f"{RUNBOOK_BASE}{alert['alert']}.md"
    text = (catalogue.RUNBOOKS / f"{alert['alert']}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {alert['alert']}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == QUESTIONS
    assert f"`{alert['labels']['severity']}`" in text.split("##")[0]


@each_alert
def test_the_queries_of_its_runbook_ask_for_what_exists(alert):
    queries = catalogue.runbook_queries(alert)
    assert queries
    for query in queries:
        assert not catalogue.mistakes_in(query), query


def test_every_runbook_belongs_to_an_alert():
    pages = {path.stem for path in catalogue.RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == {alert["alert"] for alert in catalogue.alerts()}


def test_runbooks_are_where_the_chart_is_at_home():
    assert RUNBOOK_BASE.startswith(yaml.safe_load(CHART.read_text())["home"].rstrip("/") + "/")


def test_the_page_of_all_alerts_lists_each_with_its_severity():
    text = (catalogue.ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\w+)\]\(runbooks/(\w+)\.md\) \| (\w+) \|", text, re.MULTILINE)
    assert listed == [(alert["alert"], alert["alert"], alert["labels"]["severity"]) for alert in catalogue.alerts()]
