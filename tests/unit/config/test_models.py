"""Models and model syncs."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.config.document import parse
from millrace.config.model import Model, ModelFrom
from millrace.config.model_sync import FieldMapping, ModelSync, ModelSyncMode
from millrace.config.schedule import Schedule
from millrace.engine.file_names import ARCHIVE_EXTENSIONS
from millrace.engine.options import BadRows, DuplicatePolicy, FileFormat
from tests.unit.config.builders import connection, document, model, model_sync, parsed_model_sync, problems_of

SINGLE, MANY = ModelFrom.SINGLE_FILE, ModelFrom.MULTI_FILE_ARCHIVE


def parsed_model(**configuration: Any) -> Model:
    """A model, through the front door."""
    return parse(document(models=[model(configuration=configuration)])).models[0]


@pytest.mark.parametrize(
    ("configuration", "kind"),
    [
        ({}, MANY),
        ({"subfolder": "daily"}, MANY),
        ({"key": "daily/a.csv"}, SINGLE),
        ({"key": "daily/a.csv.gz"}, SINGLE),
        ({"key": "daily/a.zip"}, MANY),
        ({"key": "daily/A.TAR.GZ"}, MANY),
        ({"key": "daily/a.tar.zst"}, MANY),
        ({"model_from": "single_file", "key": "feed", "file_format": "json"}, SINGLE),
        ({"model_from": "multi_file_archive", "key": "a.tgz"}, MANY),
    ],
)
def test_what_a_model_is_made_from(configuration: dict[str, Any], kind: ModelFrom) -> None:
    """Where model_from is blank, the key decides."""
    assert parsed_model(**configuration).model_from is kind


@pytest.mark.parametrize(
    ("configuration", "line"),
    [
        ({"model_from": "single_file"}, "key: required where model_from is single_file"),
        ({"model_from": "single_file", "key": "a.csv", "subfolder": "x"}, "subfolder: not used where model_from is"),
        ({"model_from": "single_file", "key": "a.zip"}, "key: names an archive"),
        ({"model_from": "multi_file_archive", "key": "a.csv"}, "key: with multi_file_archive it names an archive"),
        ({"key": "a.zip", "subfolder": "x"}, "subfolder: not used where key names an archive"),
        ({"key": "feed"}, "file_format: required, since the key's extension does not say it"),
        ({"model_from": "some_files"}, "model_from: found 'some_files'; accepted: 'single_file' or"),
        ({"file_format": "xlsx"}, "file_format: found 'xlsx'; accepted"),
        ({"file_format": "json-doc"}, "file_format: found 'json-doc'; expected csv, json, parquet"),
        (
            {"file_format": "json", "skip_lines": 1},
            "skip_lines: only for csv, fixed_width, log or excel, and",
        ),
        ({"skip_lines": -1}, "skip_lines: found -1; expected at least 0"),
        ({"skip_lines": 1.5}, "skip_lines: found 1.5; expected a whole number"),
        ({"key": "/a.csv"}, "key: found '/a.csv'; expected an object's whole key"),
        ({"subfolder": "../x"}, "subfolder: found '../x'"),
    ],
)
def test_contradictions_of_a_model(configuration: dict[str, Any], line: str) -> None:
    """Each condition is held, in words."""
    problems = problems_of(document(models=[model(configuration=configuration)]))

    assert any(f"models[0].configuration.{line}" in problem for problem in problems), problems


def test_every_kind_of_archive_can_be_named() -> None:
    """The configuration and the reader know the same."""
    assert set(ARCHIVE_EXTENSIONS) == set(ARCHIVE_EXTENSIONS)


def test_fields_and_identifier() -> None:
    """A subset in its order; the identifier is one of it."""
    kept = parse(document(models=[model(fields=["b", "a"], identifier="a")])).models[0]
    (twice,) = problems_of(document(models=[model(fields=["a", "a"])]))
    (outside,) = problems_of(document(models=[model(fields=["a"], identifier="id")]))

    assert (kept.fields, kept.identifier) == (("b", "a"), "a")
    assert twice.startswith("models[0].fields: ")
    assert outside == "models[0].identifier: 'id' is not among fields; add it there"


def test_duplicate_identifiers_are_an_error_unless_the_last_is_to_win() -> None:
    """The option needs an identifier; blank is its default."""
    default = parse(document(models=[model(identifier="id", duplicate_identifiers="")])).models[0]
    last = parse(document(models=[model(identifier="id", duplicate_identifiers="last_wins")])).models[0]
    (alone,) = problems_of(document(models=[model(duplicate_identifiers="error")]))
    (unknown,) = problems_of(document(models=[model(identifier="id", duplicate_identifiers="first_wins")]))

    assert (default.duplicate_identifiers, last.duplicate_identifiers) == (
        DuplicatePolicy.ERROR,
        DuplicatePolicy.LAST_WINS,
    )
    assert alone == "models[0].duplicate_identifiers: only where identifier is given; name the field, or remove it"
    assert unknown.startswith("models[0].duplicate_identifiers: found 'first_wins'; accepted: 'error' or 'last_wins'")


def test_a_key_is_below_the_folder() -> None:
    """The folder confines every read; the key is the object's whole key."""
    connections = [connection("in", s3_bucket_name="acme/data"), connection("out")]
    inside = {"connections": connections, "models": [model(configuration={"key": "data/a.csv"})]}
    beside = {"connections": connections, "models": [model(configuration={"key": "database/a.csv"})]}

    assert parse(inside).models[0].key == "data/a.csv"
    (problem,) = problems_of(beside)
    assert problem.startswith("models[0].configuration.key: found 'database/a.csv', which is not below the folder")


def test_defaults_of_a_model_sync() -> None:
    """The contract's defaults; the output is named after the model."""
    made = parsed_model_sync()

    assert (made.mode, made.format, made.object, made.target_connection) == (
        ModelSyncMode.REPLACE,
        FileFormat.CSV,
        "customers",
        "out",
    )
    assert (made.fields, made.override_fields, made.overrides, made.filters) == (None, (), (), ())
    assert (made.active, made.bad_rows, made.schedule) == (True, BadRows.FAIL, None)


@pytest.mark.parametrize("field", sorted(ModelSync.model_fields.keys() - {"name", "model", "target"}))
@pytest.mark.parametrize("blank", ["", None])
def test_blank_means_the_default(field: str, blank: str | None) -> None:
    """Empty text and null are not given."""
    assert parsed_model_sync(**{field: blank}) == parsed_model_sync()


def test_every_field_of_a_model_sync() -> None:
    """Mapping, constants, overrides and the rest are kept."""
    made = parsed_model_sync(
        target={"connection": "out", "object": "/crm/people/", "configuration": {"format": "json-doc"}},
        mode="append",
        active=False,
        fields=[
            {"source": "email", "target": "mail", "override_value": ""},
            {"source": {"field": "id"}},
            {"target": "origin", "override_value": "shop"},
        ],
        override_fields=[{"target": "version", "override_value": 2}],
        overrides=[{"field_id": "plan", "function": "Equality", "value": "old", "override": "basic"}],
        bad_rows="quarantine",
        schedule="daily",
    )

    assert (made.object, made.format, made.mode) == ("crm/people", FileFormat.JSON_DOC, ModelSyncMode.APPEND)
    assert made.fields == (
        FieldMapping(source="email", target="mail"),
        FieldMapping(source="id"),
        FieldMapping(target="origin", override_value="shop"),
    )
    assert [one.output_name for one in made.fields] == ["mail", "id", "origin"]
    assert made.override_fields[0].override_value == 2
    assert (made.overrides[0].field, made.overrides[0].override) == ("plan", "basic")
    assert (made.active, made.bad_rows, made.schedule) == (False, BadRows.QUARANTINE, Schedule("cron(0 0 * * ? *)"))


@pytest.mark.parametrize("mode", ["create", "update", "updateOrCreate", "remove", "upsert"])
def test_modes_for_records_are_refused_by_name(mode: str) -> None:
    """Files have no records to change in place; the problem names what is accepted."""
    (problem,) = problems_of(document(models=[model()], model_syncs=[model_sync(mode=mode)]))

    assert problem.startswith(f"model_syncs[0].mode: found '{mode}'; ")
    assert all(accepted in problem for accepted in ("replace", "append", "snapshot"))


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"target": ""}, "target: required, but not given"),
        ({"target": {"object": "x"}}, "target.connection: required, but not given"),
        ({"target": {"connection": "out", "format": "csv"}}, "target.format: misplaced field; it belongs in "),
        ({"fields": []}, "fields: found a list; expected at least one item"),
        ({"fields": [{"target": "x"}]}, "fields[0].source: required, but not given"),
        ({"fields": [{"override_value": "x"}]}, "fields[0].target: required where no source names it"),
        ({"fields": [{"source": {"field": "x", "model_id": "y"}}]}, "fields[0].source: found an object; expected"),
        ({"fields": [{"source": "x", "override_value": [1]}]}, "fields[0].override_value: found a list; expected text"),
        ({"fields": [{"source": "a"}, {"source": "b", "target": "a"}]}, "two values for the output field 'a'"),
        (
            {"fields": [{"source": "a"}], "override_fields": [{"target": "a", "override_value": 1}]},
            "two values for the output field 'a'",
        ),
        ({"override_fields": [{"target": "a"}]}, "override_fields[0].override_value: required"),
        ({"overrides": [{"field": "a"}]}, "overrides[0].function: required"),
    ],
)
def test_contradictions_of_a_model_sync(fields: dict[str, Any], line: str) -> None:
    """Each condition is held, in words."""
    problems = problems_of(document(models=[model()], model_syncs=[model_sync(**fields)]))

    assert any(line in problem for problem in problems), problems
