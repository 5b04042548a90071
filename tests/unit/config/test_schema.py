"""The JSON Schema accepts what the models accept, and describes every field."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from millrace.config.document import load, parse
from millrace.config.json_schema import schema, schema_text
from millrace.config.reading import read
from tests.places import EXAMPLES as EXAMPLES_DIR
from tests.unit.config import test_vendor_examples as vendor
from tests.unit.config.builders import bulk_sync, connection, document, model, model_sync
from tests.unit.config.test_document import everything

EXAMPLES = sorted(EXAMPLES_DIR.glob("*.yaml"))
SCHEMA = schema()


def valid(raw: object) -> bool:
    """Tell whether the schema takes a document."""
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(raw))


@pytest.mark.slow
def test_it_is_a_schema() -> None:
    """Draft 2020-12, and written as text that reads back."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    assert json.loads(schema_text()) == SCHEMA


def test_there_are_examples() -> None:
    """The demo's configuration and one to begin with."""
    assert [path.name for path in EXAMPLES] == ["millrace.yaml", "starter.yaml"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_sound(path: Path) -> None:
    """They load, fit the schema, and hold no secret."""
    made = load(path)

    assert valid(read(path))
    assert made.inline_secrets() == []


def test_vendor_examples_fit() -> None:
    """As they do the models."""
    made = {
        "connections": [json.loads(vendor.CONNECTION), connection("in"), connection("out")],
        "models": [{"name": "m", "connection": "in", **json.loads(vendor.MODEL)}],
        "model_syncs": [
            {"name": "s", "model": "m", "target": json.loads(vendor.TARGET)["target"] | {"connection": "out"}}
        ],
        "bulk_syncs": [bulk_sync() | json.loads(vendor.DESTINATION)],
    }

    assert valid(made)
    assert parse(made)
    assert valid(everything())


def _blanked(raw: Any, blank: str | None) -> Any:
    raw = copy.deepcopy(raw)
    raw["connections"][0]["configuration"] |= dict.fromkeys(
        ("aws_access_key_id", "event_queue_arn", "csv_delimiter", "skip_lines", "external_id", "csv_column_types"),
        blank,
    )
    raw["bulk_syncs"][0] |= dict.fromkeys(("mode", "schemas", "schedule", "active", "destination_configuration"), blank)
    return raw


@pytest.mark.parametrize("blank", ["", None])
def test_blanks_fit(blank: str | None) -> None:
    """Empty text and null mean not given, for editors, too."""
    assert valid(_blanked(everything(), blank))
    assert parse(_blanked(everything(), blank))


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"connections": []},
        document(extra=1),
        {"connections": [connection(s3_bucket_name=...)]},
        {"connections": [connection(s3_bucket_region="x")]},
        {"connections": [connection(colour="x")]},
        {"connections": [connection(external_id="mine")]},
        {"connections": [connection(single_table_file_format="json-doc")]},
        document(bulk_syncs=[bulk_sync(mode="update")]),
        document(bulk_syncs=[bulk_sync(schemas=[])]),
        document(models=[model(configuration={"skip_lines": -1})]),
        document(model_syncs=[model_sync(filters=[{"function": "IsNull"}])]),
    ],
)
def test_what_is_wrong_with_one_field_does_not_fit(raw: dict[str, Any]) -> None:
    """An editor shows it before `millrace validate` does."""
    assert not valid(raw)


def test_both_names_of_a_filters_field_fit() -> None:
    """field and field_id."""
    for name in ("field", "field_id"):
        assert valid(document(model_syncs=[model_sync(filters=[{name: "a", "function": "IsNull"}])]))


def _properties(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    definitions = {"": node, **node["$defs"]}
    for owner, definition in definitions.items():
        for name, own in definition.get("anyOf", [definition])[-1].get("properties", {}).items():
            yield f"{owner}.{name}", own


def test_every_field_is_described_and_marked() -> None:
    """What a reference and an editor show: a sentence, and whether it is documented by Polytomic or ours."""
    for path, own in _properties(SCHEMA):
        assert own.get("description", "").endswith("."), path
        assert own.get("x-mark") in {"doc", "ours"}, path
