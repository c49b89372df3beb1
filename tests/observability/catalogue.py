"""The metrics and labels that exist, and what a PromQL expression uses of them."""

import dataclasses
import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
METRICS_DOC = ROOT / "docs/metrics.md"
DASHBOARD = ROOT / "helm/jobrun/dashboards/jobrun.json"
RULES = ROOT / "helm/jobrun/rules/jobrun.rules.yaml"
RUNBOOKS = ROOT / "docs/runbooks"

# The labels of the targets that the tests scrape.
NAMESPACE, JOB = "jobs", "jobrun"

# What Prometheus itself makes or adds.
OF_PROMETHEUS = {"ALERTS": ("gauge", ["alertname", "alertstate", "severity"]), "up": ("gauge", [])}
OF_TARGETS = {"cluster", "namespace", "job", "instance", "pod"}

_METRIC_LINE = re.compile(r"^- \*\*`(\w+)`\*\* \((\w+)\)")
_LABEL_LINE = re.compile(r"^  - `(\w+)`")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"\b([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
_NAME = re.compile(r"(?<![\w$.])([a-zA-Z_:][\w:]*)\b(?!\s*\()")
_OPERATORS = {"and", "or", "unless", "by", "on", "without", "ignoring", "group_left", "group_right", "offset", "bool"}


@dataclasses.dataclass(frozen=True)
class Use:
    """What an expression uses."""

    metrics: frozenset  # names as written, with _bucket and the like
    matched: tuple  # (metric, label) pairs in selectors
    grouped: frozenset  # labels that are grouped or joined by


def documented():
    """{name: (kind, labels)} of docs/metrics.md."""
    found, last = {}, None
    for line in METRICS_DOC.read_text(encoding="utf-8").splitlines():
        if metric := _METRIC_LINE.match(line):
            last = metric[1]
            found[last] = (metric[2], [])
        elif last and (label := _LABEL_LINE.match(line)):
            found[last][1].append(label[1])
    return found


def known():
    """{name of a series: labels}: a histogram has three names."""
    series = {}
    for name, (kind, labels) in {**documented(), **OF_PROMETHEUS}.items():
        own = set(labels) | OF_TARGETS
        if kind == "histogram":
            series.update({f"{name}_bucket": own | {"le"}, f"{name}_sum": own, f"{name}_count": own})
        else:
            series[name] = own
    return series


def use_of(expression):
    """What an expression uses. Variables of Grafana may stand in it."""
    bare = _STRING.sub('""', expression)
    grouped = {label.strip() for labels in _GROUPING.findall(bare) for label in labels.split(",") if label.strip()}
    matched = tuple((name, label) for name, inside in _SELECTOR.findall(bare)
                    for label in re.findall(r"(\w+)\s*[=!]", inside))
    rest = _GROUPING.sub(" ", re.sub(r"\{[^}]*\}", " ", bare))
    rest = re.sub(r"\[[^\]]*\]", " ", rest)
    return Use(frozenset(_NAME.findall(rest)) - _OPERATORS, matched, frozenset(grouped))


def mistakes_in(expression):
    """What an expression uses that does not exist, in words."""
    use, series = use_of(expression), known()
    found = [f"no metric {name}" for name in sorted(use.metrics - set(series))]
    found += [f"{name} has no label {label}" for name, label in use.matched if label not in series.get(name, {label})]
    labels = set().union(*(series.get(name, set()) for name in use.metrics)) if use.metrics else set()
    found += [f"no label {label} to group by" for label in sorted(use.grouped - labels)]
    return found or ([] if use.metrics else ["no metric at all"])


def dashboard():
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def panels():
    """All panels but the titles of rows."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries():
    """(panel, target) of every query of the dashboard."""
    return [(panel, target) for panel in panels() for target in panel["targets"]]


def runbook_queries(alert):
    """The queries on the page of an alert, for people to put the labels in."""
    text = (RUNBOOKS / f"{alert['alert']}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```promql\n(.*?)```", text, re.DOTALL)
    return [query for block in blocks for query in block.strip().splitlines()]


def alerts():
    """The alerts of the rule file, in its order."""
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return group["rules"]
