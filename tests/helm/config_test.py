"""The chart and the controller agree on the configuration file: what values.schema.json takes, jobrun-controller
takes, and nothing more. Needs neither helm nor a server."""

import json
import re

import pytest

from chart import CHART
from controller import run_to_its_end

CONFIG = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]
NO_CREDENTIALS = 4  # The file was taken: the next thing that is missing are credentials.
USAGE = 2


def lane_of(node):
    return {"etl": each for each in node.get("patternProperties", {}).values()}


def leaves(node, path=()):
    """(path, schema) of all that is no section; lanes have the name `etl`."""
    for key, value in {**node.get("properties", {}), **lane_of(node)}.items():
        if value.get("type") == "object":
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def examples(schema):
    """(good values, bad values) on both sides of each bound of the schema."""
    if "enum" in schema:
        return schema["enum"], ["Nonsense"]
    kind = schema["type"]
    if kind in ("integer", "number"):
        low, high, step = schema["minimum"], schema["maximum"], 1 if kind == "integer" else 0.005
        return [low, high], [low - step, high + step] + ([1.5] if kind == "integer" else [])
    if kind == "boolean":
        return [True, False], ["Nonsense"]
    if kind == "string":
        return ["", "x" * schema["maxLength"]], ["x" * (schema["maxLength"] + 1)]
    good, bad = item_examples(schema["items"])
    return [[], good * schema["maxItems"]], [good * (schema["maxItems"] + 1)] + [[each] for each in bad]


def item_examples(schema):
    """([a good element], bad elements) of a list."""
    if schema["type"] == "object":
        limit = schema["properties"]["conditionType"]["maxLength"]
        return [{"conditionType": "x" * limit}], [{"conditionType": "x" * (limit + 1)}]
    if schema["type"] == "string" and "enum" not in schema:
        return ["Reported"], []
    good, bad = examples(schema)
    return good[:1], bad


def nested(path, value):
    return {path[0]: nested(path[1:], value)} if path else value


@pytest.fixture
def told(tmp_path):
    """What the controller says of a configuration: (exit code, complaints)."""
    def run(config):
        path = tmp_path / "config.yaml"
        path.write_text(json.dumps(config))
        code, text = run_to_its_end("--config", path, "--kubeconfig", tmp_path / "none")
        return code, [line for line in text.splitlines() if re.search("bad value|config.yaml", line)]
    return run


LEAVES = list(leaves(CONFIG))


def test_it_goes_to_the_ends_of_the_schema():
    assert ("lanes", "etl", "max", "retry", "maxAttempts") in dict(LEAVES) and len(LEAVES) > 70


@pytest.mark.parametrize("path, schema", LEAVES, ids=[".".join(path) for path, _ in LEAVES])
def test_both_take_and_refuse_the_same(told, path, schema):
    good, bad = examples(schema)
    if path[0] != "leaderElection":  # Its values must be in order, so none of them can be at its bounds alone.
        for value in good:
            assert told(nested(path, value)) == (NO_CREDENTIALS, []), value
    for value in bad:
        code, complaints = told(nested(path, value))
        assert code == NO_CREDENTIALS and complaints, value


def sections(node, path=()):
    """(path, names of its keys) of every section."""
    if "properties" in node:
        yield path, set(node["properties"])
    for key, value in {**node.get("properties", {}), **lane_of(node)}.items():
        if value.get("type") == "object":
            yield from sections(value, (*path, key))


@pytest.mark.parametrize("path, keys", sections(CONFIG), ids=lambda value: ".".join(value) or "all")
def test_both_know_the_same_keys(told, path, keys):
    code, (complaint,) = told(nested((*path, "nonsense"), 1))
    known = re.search(r"unknown key; expected (.*)\"$", complaint)[1]
    assert code == USAGE and set(re.split(", | or ", known)) == keys
