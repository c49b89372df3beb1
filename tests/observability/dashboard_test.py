"""The dashboard as a file: complete, unambiguous, and about metrics that exist. Its data: dashboard_data_test.py."""

import importlib.util
import re

import pytest

import catalogue

ROW, TITLE = "row", "title"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("dashboard", catalogue.ROOT / "helm/dashboard.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def name_of(panel):
    return panel[TITLE]


def test_the_file_is_what_its_description_makes(generator):
    assert catalogue.DASHBOARD.read_text(encoding="utf-8") == generator.text(), "run helm/dashboard.py"


def test_it_has_a_uid_of_its_own_and_a_grafana_10_schema():
    dashboard = catalogue.dashboard()
    assert dashboard["uid"] == "jobrun-controller" and dashboard["schemaVersion"] >= 38
    assert "id" not in dashboard, "the id is the Grafana's that stores it"


def test_its_variables_are_the_source_the_installation_and_the_lane():
    variables = catalogue.dashboard()["templating"]["list"]
    assert [variable["name"] for variable in variables] == ["datasource", "namespace", "job", "lane"]
    assert variables[0]["query"] == "prometheus"
    for variable in variables[1:]:
        assert variable["datasource"] == SOURCE and variable["includeAll"] and variable["multi"]


@pytest.mark.parametrize("panel", catalogue.panels(), ids=name_of)
class TestPanel:
    """Each by itself."""

    def test_says_what_it_shows_and_in_which_unit(self, panel):
        assert panel["title"] and panel["fieldConfig"]["defaults"]["unit"]
        assert re.match(r"[A-Z].*[.]$", panel["description"]), "a description is a sentence"

    def test_asks_the_source_that_was_chosen(self, panel):
        assert panel["datasource"] == SOURCE
        assert panel["targets"] and all(target["datasource"] == SOURCE for target in panel["targets"])

    def test_asks_for_what_exists(self, panel):
        for target in panel["targets"]:
            assert not catalogue.mistakes_in(target["expr"]), target["expr"]

    def test_asks_of_the_chosen_installation_only(self, panel):
        for target in panel["targets"]:
            for selector in re.findall(r"(\w+)\{([^}]*)\}", target["expr"]):
                if selector[0] != "ALERTS":
                    assert 'namespace=~"$namespace", job=~"$job"' in selector[1], target["expr"]
            bare = catalogue.use_of(target["expr"]).metrics - set(re.findall(r"(\w+)\{", target["expr"]))
            assert not bare, f"{bare} without a selector"


def test_ids_are_unique_and_titles_too():
    panels = catalogue.dashboard()["panels"]
    for key in ("id", TITLE):
        values = [panel[key] for panel in panels]
        assert len(values) == len(set(values)), key


def test_no_panel_covers_another():
    taken = set()
    for panel in catalogue.dashboard()["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel[TITLE]
        taken |= cells


def test_its_first_row_is_whether_anything_is_wrong():
    rows = [panel[TITLE] for panel in catalogue.dashboard()["panels"] if panel["type"] == ROW]
    assert rows[0] == "Is anything wrong now"
    assert len(rows) == 8


def test_what_every_replica_exports_is_never_summed_over_replicas():
    """jobrun_runs and its like: the maximum of each installation first."""
    of_all = ("jobrun_runs", "jobrun_oldest_pending_timestamp_seconds", "jobrun_oldest_heartbeat_timestamp_seconds",
              "jobrun_lane_held", "jobrun_breaker_open")
    for panel, target in catalogue.queries():
        for name in re.findall(r"(\w+)\{", target["expr"]):
            if name in of_all:
                assert re.search(rf"max by \([^)]*\) \({name}\{{", target["expr"]), (panel[TITLE], target["expr"])


@pytest.mark.parametrize("expression, mistake", [
    ("sum(jobrun_rans)", "no metric jobrun_rans"),
    ('jobrun_reaps_total{why="x"}', "jobrun_reaps_total has no label why"),
    ("sum by (colour) (jobrun_reaps_total)", "no label colour to group by"),
    ("rate(jobrun_detection_lag_seconds[5m])", "no metric jobrun_detection_lag_seconds"),
    ("vector(1)", "no metric at all"),
])
def test_the_check_of_expressions_can_fail(expression, mistake):
    assert catalogue.mistakes_in(expression) == [mistake]
    assert not catalogue.mistakes_in('sum by (lane, le) (rate(jobrun_detection_lag_seconds_bucket{le="5"}[5m])) '
                                     "or on () max by (lane) (jobrun_runs offset 5m)")
