"""Which values the schema of the chart takes. Needs helm, and no server."""

import json
import re

import pytest
import yaml

from chart import CHART

DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())


def test_every_path_of_the_schema_is_closed():
    """No section takes keys that it does not list, but `global`, maps of names, and what Kubernetes itself checks."""
    schema = json.loads((CHART / "values.schema.json").read_text())

    def open_sections(node, path):
        if isinstance(node, dict):
            typed = "object" in ([node["type"]] if isinstance(node.get("type"), str) else node.get("type", []))
            left_to_kubernetes = "the API server checks" in node.get("description", "")
            if typed and "additionalProperties" not in node and not left_to_kubernetes:
                yield path
            for key, value in node.items():
                yield from open_sections(value, f"{path}.{key}" if key not in ("properties", "definitions") else path)
    # A list of objects is checked by the API server, too: its items need no list of keys.
    found = [path for path in open_sections(schema, "") if not path.endswith(".items")]
    assert found == [".global"]


def test_every_value_is_in_the_schema():
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert DEFAULTS.keys() == schema["properties"].keys()


BAD_VALUES = [
    ({"replica": 2}, "replica"),
    ({"replicas": "2"}, "/replicas"),
    ({"replicas": -1}, "/replicas"),
    ({"watch": {"namespace": "a"}}, "namespace"),
    ({"watch": {"namespaces": "a"}}, "/watch/namespaces"),
    ({"watch": {"namespaces": ["Not A Name"]}}, "/watch/namespaces/0"),
    ({"watch": {"namespaces": ["a", "a"]}}, "/watch/namespaces"),
    ({"image": {"digest": "latest"}}, "/image/digest"),
    ({"image": {"repository": "Upper/Case"}}, "/image/repository"),
    ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
    ({"log": {"level": "trace"}}, "/log/level"),
    ({"metrics": {"port": 99999}}, "/metrics/port"),
    ({"metrics": {"secured": True}}, "secured"),
    ({"metrics": {"serviceMonitor": {"interval": "often"}}}, "/metrics/serviceMonitor/interval"),
    ({"prometheusRule": {"alerts": {"JobRunControllerDown": {"enable": False}}}}, "enable"),
    ({"admissionPolicy": {"validationActions": []}}, "/admissionPolicy/validationActions"),
    ({"admissionPolicy": {"failurePolicy": "fail"}}, "/admissionPolicy/failurePolicy"),
    ({"commonLabels": {"a b": "c"}}, "/commonLabels"),
    ({"commonLabels": {"a": 1}}, "/commonLabels/a"),
    ({"fullnameOverride": "x" * 41}, "/fullnameOverride"),
    ({"resources": {"limit": {}}}, "limit"),
    ({"resources": {"limits": {"memory": "much"}}}, "/resources/limits/memory"),
    ({"podDisruptionBudget": {"maxUnavailable": "half"}}, "/podDisruptionBudget/maxUnavailable"),
    ({"terminationGracePeriodSeconds": 5}, "/terminationGracePeriodSeconds"),
    ({"config": {"reapings": "Enabled"}}, "reapings"),
    ({"config": {"reaping": "Off"}}, "/config/reaping"),
    ({"config": {"lanes": {"etl": {"deadline": 3}}}}, "deadline"),
    ({"config": {"lanes": {"etl": {"deadlineSeconds": 0}}}}, "/config/lanes/etl/deadlineSeconds"),
    ({"config": {"lanes": {"Etl": {}}}}, "Etl"),
    ({"config": {"lanes": {"etl": {"overridable": ["deadline"]}}}}, "/config/lanes/etl/overridable/0"),
    ({"config": {"lanes": {"etl": {"max": {"reaping": "Enabled"}}}}}, "reaping"),
    ({"config": {"defaults": {"heartbeat": {"timeoutSeconds": 1}}}}, "/config/defaults/heartbeat/timeoutSeconds"),
    ({"config": {"defaults": {"retry": {"maxAttempts": 101}}}}, "/config/defaults/retry/maxAttempts"),
    ({"config": {"breaker": {"fraction": 55}}}, "/config/breaker/fraction"),
    ({"config": {"leaderElection": {"leaseSeconds": 15.5}}}, "/config/leaderElection/leaseSeconds"),
]


@pytest.mark.parametrize("values, place", BAD_VALUES, ids=[json.dumps(values) for values, _ in BAD_VALUES])
def test_a_bad_value_is_refused_by_name(chart, values, place):
    assert re.search(rf"{re.escape(place)}\b", chart.refusal(values))


def empty_sections(values, path=()):
    """The path of every value whose default is an empty map or list."""
    for key, value in values.items():
        if value in ({}, []):
            yield (*path, key)
        elif isinstance(value, dict):
            yield from empty_sections(value, (*path, key))


def nested(path, value):
    return {path[0]: nested(path[1:], value)} if path else value


@pytest.mark.parametrize("path", empty_sections(DEFAULTS), ids=".".join)
def test_an_empty_section_is_as_good_as_none(chart, path):
    """A section of which all lines are commented out is null."""
    on = ("metrics.serviceMonitor", "metrics.podMonitor", "prometheusRule", "grafanaDashboard", "networkPolicy")
    where = next((each for each in on if ".".join(path).startswith(each)), None)
    enabled = nested([*where.split("."), "enabled"], True) if where else {}

    def merged(one, other):
        return {**one, **other, **{key: merged(one[key], other[key]) for key in one.keys() & other.keys()}}
    assert chart.text(merged(enabled, nested(path, None))) == chart.text(enabled)


@pytest.mark.parametrize("path", ["image", "image.repository", "metrics.service", "replicas", "log.level", "crds.keep"])
def test_a_default_can_not_be_taken_away(chart, path):
    *_, last = path.split(".")
    assert f"missing property '{last}'" in chart.refusal(nested(path.split("."), None))
