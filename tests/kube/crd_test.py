"""crds/jobruns.yaml on an API server: it is accepted whole, and holds every row of writes.yaml and bounds.yaml."""

import copy
import itertools
import json
import pathlib

import pytest
import yaml

from rest import Rest
from servers import create_namespace, jobrun

HERE = pathlib.Path(__file__).parent
TABLE = yaml.safe_load((HERE / "writes.yaml").read_text())
BOUNDS = yaml.safe_load((HERE / "bounds.yaml").read_text())
NAMESPACE = "writes"
RUNS = f"/apis/jobrun.dev/v1/namespaces/{NAMESPACE}/jobruns"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def rest(server):
    rest = Rest(server.kubeconfig)
    create_namespace(rest, NAMESPACE)
    yield rest
    rest.close()


def test_resource_is_established_and_without_reservations(server, rest):
    if server.name == "dev":
        pytest.skip("the dev server has the resource built in")
    crd = rest.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/jobruns.jobrun.dev").body
    conditions = {condition["type"]: condition["status"] for condition in crd["status"]["conditions"]}
    assert conditions.pop("Established") == "True"
    assert conditions.pop("NamesAccepted") == "True"
    assert conditions == {}, "NonStructuralSchema, Terminating and the like must not be there"


@pytest.mark.parametrize("row", TABLE["rows"], ids=lambda row: row["name"])
def test_write(rest, row):
    before = bring_about(rest, row.get("spec") or {}, row.get("state") or "new")
    names = {"$RV": before["metadata"]["resourceVersion"], "$UID": before["metadata"]["uid"], "$OLD_RV": before["old"]}
    (kind, body), = row["write"].items()
    reply, path = send(rest, kind, replaced(body, names), before)
    assert reply.code == row["code"], reply
    assert row.get("says", "") in reply.message
    after = rest.get(path).body
    for field, value in (row.get("then") or {}).items():
        assert value_at(after, field) == replaced(value, names), field


def bound_rows():
    for bound in BOUNDS:
        for code, verb in ((None, "accepted"), (422, "refused")):
            for value in bound[verb]:
                yield pytest.param(bound, expanded(value), code, id=f"{bound['field']} {verb} {shown(value)}")


@pytest.mark.parametrize("bound,value,refusal", bound_rows())
def test_bound(rest, bound, value, refusal):
    half, path = bound["field"].split(".", 1)
    content = placed(path, value, bound.get("beside"))
    if half == "spec":
        reply = rest.post(RUNS, jobrun(f"bound-{next(_numbers)}", content))
    else:
        run = bring_about(rest, {}, bound.get("state") or "running")
        reply = rest.merge(f"{RUNS}/{run['metadata']['name']}/status", {"status": content})
    assert reply.code == (refusal or (201 if half == "spec" else 200)), reply
    if refusal:
        assert bound["field"].split("[]")[0] in reply.message


def bring_about(rest, spec, state):
    """A new object in that state; `old` is the resourceVersion that it had before its last change."""
    name = f"row-{next(_numbers)}"
    run = rest.post(RUNS, jobrun(name, spec))
    assert run.code == 201, run
    old = run.body["metadata"]["resourceVersion"]
    for step in TABLE["states"][state]:
        old = run.body["metadata"]["resourceVersion"]
        run = rest.merge(f"{RUNS}/{name}/status", {"status": step})
        assert run.code == 200, run
    return {**run.body, "old": old}


def send(rest, kind, body, run):
    """Sends one write of the table; returns the reply and the path of the object it is about."""
    run = {key: value for key, value in run.items() if key != "old"}
    path = f"{RUNS}/{run['metadata']['name']}"
    if kind == "create":
        other = f"{run['metadata']['name']}-created"
        return rest.post(RUNS, {key: value for key, value in {**jobrun(other), "spec": None, **body}.items()
                                if key != "spec" or "spec" in body}), f"{RUNS}/{other}"
    if kind == "delete":
        return rest.delete(path, body), path
    target = path + "/status" if kind.startswith("status") else path
    if kind == "status":
        return rest.merge(target, {"status": body}), path
    if kind.endswith("put"):
        return rest.put(target, merged(run, body)), path
    if kind.endswith("json"):
        return rest.json_patch(target, body), path
    assert kind in ("patch", "status-patch"), f"writes.yaml: no write called {kind}"
    return rest.merge(target, body), path


def merged(target, patch):
    """What a merge patch makes of an object (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def replaced(value, names):
    """The value with the placeholders of writes.yaml filled in."""
    if isinstance(value, dict):
        return {key: replaced(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [replaced(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value


def value_at(tree, dotted):
    for key in dotted.split("."):
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def placed(path, value, beside):
    """The object that has the value at a path such as retry.on[]; `beside` goes next to it."""
    outer, _, last = path.rpartition(".")
    leaf = [value] if last.endswith("[]") else value
    content = {**copy.deepcopy(beside or {}), last.removesuffix("[]"): leaf}
    for key in reversed(outer.split(".") if outer else []):
        content = {key.removesuffix("[]"): [content] if key.endswith("[]") else content}
    return content


def expanded(value):
    """The value that one of the short forms of bounds.yaml stands for."""
    if not isinstance(value, dict):
        return value
    if set(value) == {"long"}:
        return "a" * value["long"]
    if set(value) == {"range"}:
        return list(range(value["range"]))
    if set(value) == {"keys"}:
        return {f"k{number}": number for number in range(value["keys"])}
    if set(value) == {"list", "of"}:
        return [counted(value["of"], number) for number in range(value["list"])]
    return value


def counted(value, number):
    if isinstance(value, dict):
        return {key: counted(inner, number) for key, inner in value.items()}
    return value.replace("%d", str(number)) if isinstance(value, str) else value


def shown(value):
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:40]}… ({len(text)} letters)"
