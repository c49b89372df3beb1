"""What can be said of crds/jobruns.yaml without a server, and that the tables of writes leave nothing of it out."""

import pathlib

import yaml

from servers import CRD

HERE = pathlib.Path(__file__).parent
SCHEMA = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
ROWS = yaml.safe_load((HERE / "writes.yaml").read_text())["rows"]
BOUNDS = yaml.safe_load((HERE / "bounds.yaml").read_text())


def test_every_field_is_described():
    assert [path for path, field in fields_of(SCHEMA) if not path.endswith("[]") and not field.get("description")] == []


def test_every_string_list_and_map_has_a_maximum():
    assert [path for path, field in fields_of(SCHEMA) if not is_bounded(field)] == []


def test_every_field_has_its_rows_in_bounds():
    groups = {"spec", "status", "spec.retry.exitCodes", "status.executor"}
    elements = {path for path, field in fields_of(SCHEMA) if path.endswith("[]") and field["type"] in ("object", "integer")}
    wanted = {path for path, _ in fields_of(SCHEMA)} - groups - elements
    assert wanted - {bound["field"] for bound in BOUNDS} == set()


def test_every_rule_has_a_distinct_message_and_a_row_that_it_refuses():
    messages = [rule["message"] for rule in rules_of(SCHEMA)]
    assert len(messages) == len(set(messages))
    said = [row["says"] for row in ROWS if "says" in row]
    assert [message for message in messages if not any(text in message for text in said)] == []


def test_every_sentence_of_the_table_is_said_once():
    sentences = [row["name"] for row in ROWS]
    assert len(sentences) == len(set(sentences))


def fields_of(schema, path=""):
    """Every field below a schema, as (path, schema); the elements of a list have a path that ends in []."""
    for name, field in (schema.get("properties") or {}).items():
        inner = f"{path}.{name}" if path else name
        yield inner, field
        yield from fields_of(field, inner)
    if "items" in schema:
        yield path + "[]", schema["items"]
        yield from fields_of(schema["items"], path + "[]")


def rules_of(schema):
    """Every CEL rule of a schema and of the fields below it."""
    below = [field for _, field in fields_of(schema)]
    return [rule for part in [schema, *below] for rule in part.get("x-kubernetes-validations", [])]


def is_bounded(field):
    limits = {"string": ("maxLength", "enum"), "array": ("maxItems",), "integer": ("maximum",),
              "object": ("properties", "maxProperties"), "boolean": ("type",)}
    return any(limit in field for limit in limits[field["type"]])
