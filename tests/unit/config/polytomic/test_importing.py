"""What the vendor's API answers becomes a configuration; what does not is named with its reason; no secret leaks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from millrace.config import reading
from millrace.config.document import parse
from millrace.config.polytomic.answers import read_answers
from millrace.config.polytomic.importing import ImportedConfiguration, import_answers
from millrace.config.polytomic.remarks import RemarkKind, Remarks
from millrace.config.polytomic.writing import to_yaml
from millrace.errors import InvalidConfiguration
from tests.unit.config.polytomic.answers import (
    CUSTOMERS,
    ORDERS,
    vendor_bulk_sync,
    vendor_connection,
    vendor_connections,
    vendor_model,
    vendor_model_sync,
)

Raw = dict[str, Any]
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class Import:
    """An import of files by their names; ``texts`` are its remarks."""

    def __init__(self, files: Mapping[str, object], *, keeps_inactive: bool = False) -> None:
        self.remarks = Remarks()
        answers = []
        for name, value in files.items():
            text = value if isinstance(value, str) else json.dumps(value)
            answers += read_answers(text, name, self.remarks)
        self.result: ImportedConfiguration = import_answers(answers, self.remarks, keeps_inactive=keeps_inactive)

    def names(self, kind: str) -> list[str]:
        return [item["name"] for item in self.result.document.get(kind, ())]

    def only(self, kind: str) -> Raw:
        (item,) = self.result.document[kind]
        return item

    def texts(self, kind: RemarkKind) -> str:
        return "\n".join(str(remark) for remark in self.remarks if remark.kind is kind)


def import_syncs(*syncs: Raw, **options: bool) -> Import:
    return Import({"c.json": vendor_connections(), "m.json": [vendor_model()], "s.json": list(syncs)}, **options)


def test_names_take_the_place_of_ids_and_the_whole_is_valid() -> None:
    imported = import_syncs(vendor_bulk_sync(), vendor_model_sync())

    assert imported.result.problems == []
    sync, push, model = (imported.only(kind) for kind in ("bulk_syncs", "model_syncs", "models"))
    assert (sync["source_connection"], sync["destination_connection"]) == ("landing", "lake")
    assert (push["model"], push["target"]["connection"], model["connection"]) == ("customers", "lake", "landing")
    assert push["fields"] == [{"source": "country", "target": "land"}]
    assert not imported.texts(RemarkKind.PASSED_OVER)


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda items: {"data": items}, id="a list's answer"),
        pytest.param(lambda items: items, id="a plain list"),
        pytest.param(lambda items: "\n".join(json.dumps({"data": item}) for item in items), id="one behind the other"),
        pytest.param(lambda items: [{"data": item} for item in items], id="objects' answers in a list"),
        pytest.param(lambda items: {"connections": items}, id="a person's own object"),
        pytest.param(lambda items: {"connections": {"data": items, "pagination": {}}}, id="answers in one"),
    ],
)
def test_every_form_of_an_answer_is_read(form: Any) -> None:
    imported = Import({"-": form(vendor_connections()), "s.json": {"data": vendor_bulk_sync()}})

    assert imported.names("connections") == ["landing", "lake"]
    assert imported.result.problems == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "x.json: is empty"),
        ("{", "x.json: not JSON: line 1"),
        ('{"id": 1, "id": 2}', "given twice"),
        ('{"status": 401, "message": "unauthorized", "key": "api_error"}', "an error of the API with status 401"),
        ('{"data": [], "pagination": {"next_page_token": "t"}}', "one page of several"),
        ('["text"]', "[0] found text; expected an object"),
    ],
)
def test_what_is_no_answer_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidConfiguration, match=problem.replace("[", r"\[").replace("]", r"\]")):
        Import({"x.json": text})


def test_an_object_of_no_known_kind_is_named() -> None:
    imported = Import({"c.json": vendor_connections(), "u.json": {"data": {"id": "1", "email": "a@x"}}})

    assert "u.json: data: neither a connection" in imported.texts(RemarkKind.PASSED_OVER)
    assert "a@x" not in imported.texts(RemarkKind.PASSED_OVER)


class TestImportedKeys:
    def test_no_key_is_copied_whether_it_is_masked_or_not(self) -> None:
        keys = {"auth_mode": "access_key_and_secret", "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"}
        for secret in (SECRET, "*****", ""):
            own = vendor_connection("k", "partner keys", **keys, aws_secret_access_key=secret)

            imported = Import({"c.json": [own]})

            text = to_yaml(imported.result.document, map(str, imported.remarks))
            assert "AKIA" not in text
            assert SECRET not in text
            assert imported.only("connections")["configuration"]["aws_credentials_secret"] == "millrace/partner-keys"
            assert "put them into the secret 'millrace/partner-keys'" in imported.texts(RemarkKind.TO_DO)
            assert imported.result.problems == []

    def test_a_passphrase_and_what_is_unknown_show_no_value(self) -> None:
        imported = import_syncs(vendor_model_sync(encryption_passphrase=SECRET, token=SECRET))

        text = to_yaml(imported.result.document, map(str, imported.remarks))
        assert SECRET not in text
        assert "encryption_passphrase: a secret, which is not copied" in text
        assert "token: Millrace has no such field" in text


class TestImportedConnections:
    def test_one_of_another_kind_is_passed_over_with_all_that_needs_it(self) -> None:
        other = vendor_connection("db", "warehouse") | {"type": {"id": "postgresql"}}
        sync = vendor_bulk_sync(destination_connection_id="db")

        imported = Import({"c.json": [vendor_connection(), other], "s.json": [sync]})

        passed = imported.texts(RemarkKind.PASSED_OVER)
        assert "connection 'warehouse' (c.json: [1]): it is of the kind 'postgresql'" in passed
        assert "bulk sync 'orders' (s.json: [0]): its destination connection 'db' is passed over" in passed
        assert list(imported.result.document) == ["connections"]

    def test_a_form_field_that_does_not_apply_is_left_out_by_name(self) -> None:
        form = {"single_table_name": "collection", "directory_glob_pattern": "", "event_queue_arn": "", "skip_lines": 0}

        imported = Import({"c.json": [vendor_connection(**form)]})

        assert "configuration.single_table_name: has no effect" in imported.texts(RemarkKind.LEFT_OUT)
        assert imported.only("connections")["configuration"]["skip_lines"] == 0
        assert imported.result.problems == []

    def test_directories_have_their_older_name_for_the_glob_too(self) -> None:
        directories = {"is_single_table": True, "is_directory_snapshot": True, "dir_glob_pattern": "*"}

        imported = Import({"c.json": [vendor_connection(**directories)]})

        assert imported.only("connections")["configuration"]["directory_glob_pattern"] == "*"

    def test_a_queue_that_has_a_reader_already_is_to_do(self) -> None:
        queue = "arn:aws:sqs:eu-west-1:123456789012:uploads"
        given = Import({"c.json": [vendor_connection(enable_event_notifications=True, event_queue_arn=queue)]})
        none = Import({"c.json": [vendor_connection(enable_event_notifications=True)]})

        assert given.only("connections")["configuration"]["event_queue_arn"] == queue
        assert "two readers of one queue" in given.texts(RemarkKind.TO_DO)
        assert none.only("connections")["configuration"]["event_queue_arn"] == "managed"

    def test_a_required_field_that_is_missing_is_what_a_person_fills_in(self) -> None:
        imported = Import({"c.json": [vendor_connection(s3_bucket_region="")]})

        assert imported.result.problems == ["connections[0].configuration.s3_bucket_region: required, but not given"]

    def test_names_become_unique_and_of_our_form(self) -> None:
        names = ("sales/eu", "Sales-EU", "", "x" * 70)
        connections = [vendor_connection(f"id-{number}", name) for number, name in enumerate(names)]
        for number, own in enumerate(connections):
            own["configuration"]["s3_bucket_name"] = f"bucket-{number}"

        imported = Import({"c.json": connections})

        assert imported.names("connections") == ["sales-eu", "Sales-EU 2", "connection id-2", "x" * 64]
        assert imported.texts(RemarkKind.CHANGED).count("is called") == 4
        assert imported.result.problems == []


class TestImportedBulkSyncs:
    def test_one_that_is_switched_off_is_passed_over_or_comes_along_switched_off(self) -> None:
        passed = import_syncs(vendor_bulk_sync(active=False))
        kept = import_syncs(vendor_bulk_sync(active=False), keeps_inactive=True)

        assert "it is switched off; --inactive" in passed.texts(RemarkKind.PASSED_OVER)
        assert kept.only("bulk_syncs")["active"] is False

    @pytest.mark.parametrize("several", [False, True])
    def test_schemas_find_their_sync_by_the_name_of_their_file(self, *, several: bool) -> None:
        schema = {"id": "2026/orders", "enabled": True, "fields": [{"id": "email", "obfuscated": True}, "id"]}
        others = [vendor_bulk_sync("other", "other")] if several else []
        files: dict[str, object] = {"c.json": vendor_connections(), "s.json": [vendor_bulk_sync(), *others]}

        imported = Import(files | {f"{ORDERS}-schemas.json": {"data": [schema]}})

        assert imported.result.document["bulk_syncs"][0]["schemas"] == [
            {"id": "2026/orders", "enabled": True, "fields": [{"id": "email", "obfuscated": True}, {"id": "id"}]}
        ]
        assert not any("schemas" in sync for sync in imported.result.document["bulk_syncs"][1:])

    def test_schemas_that_could_be_of_several_are_refused(self) -> None:
        files = {"c.json": vendor_connections(), "s.json": [vendor_bulk_sync(), vendor_bulk_sync("o", "other")]}

        with pytest.raises(InvalidConfiguration, match="of which bulk sync"):
            Import(files | {"schemas.json": [{"id": "orders", "enabled": True}]})

    def test_a_cut_off_of_the_sync_is_its_tables_or_to_do(self) -> None:
        schemas = [{"id": "a", "tracking_field": "at"}, {"id": "b"}]
        cutoff = "2026-01-01T00:00:00Z"

        imported = import_syncs(vendor_bulk_sync(data_cutoff_timestamp=cutoff, schemas=schemas))

        first, second = imported.only("bulk_syncs")["schemas"]
        assert first["data_cutoff_timestamp"] == cutoff
        assert "data_cutoff_timestamp" not in second
        assert "so older rows are written" in imported.texts(RemarkKind.TO_DO)

    @pytest.mark.parametrize(
        ("fields", "kept", "to_do"),
        [
            ({"discover": True}, "all", ""),
            ({"discover": False}, None, "none needs schemas"),
            ({"automatically_add_new_objects": "none"}, None, "none needs schemas"),
            ({"automatically_add_new_objects": "none", "schemas": ["orders"]}, "none", ""),
            ({"automatically_add_new_objects": "onlyIncremental"}, None, "has no meaning for files"),
        ],
    )
    def test_what_joins_by_itself(self, fields: Raw, kept: str | None, to_do: str) -> None:
        imported = import_syncs(vendor_bulk_sync(**fields))

        assert imported.only("bulk_syncs").get("automatically_add_new_objects") == kept
        assert to_do in imported.texts(RemarkKind.TO_DO)
        assert imported.result.problems == []

    def test_syncs_that_write_one_folder_are_written_with_what_is_wrong(self) -> None:
        twice = vendor_bulk_sync("other", "other", destination_configuration={"subfolder": "orders"})

        imported = import_syncs(vendor_bulk_sync(), twice)

        assert imported.names("bulk_syncs") == ["orders", "other"]
        assert imported.result.problems


@pytest.mark.parametrize(
    ("schedule", "expression", "to_do"),
    [
        ({"frequency": "manual", "hour": "", "minute": ""}, "manual", ""),
        ({"frequency": "hourly", "minute": "5", "hour": "7"}, "cron(5 * * * ? *)", ""),
        ({"frequency": "daily", "minute": "30", "hour": "6"}, "cron(30 6 * * ? *)", ""),
        ({"frequency": "weekly", "hour": 6, "day_of_week": "friday"}, "cron(0 6 ? * FRI *)", ""),
        ({"frequency": "custom", "minute": "*/15"}, "cron(0/15 * * * ? *)", ""),
        ({"frequency": "custom", "minute": "0", "hour": "6", "day_of_week": "1-5"}, "cron(0 6 ? * 2-6 *)", ""),
        ({"frequency": "custom", "minute": "0", "hour": "6", "day_of_month": "1"}, "cron(0 6 1 * ? *)", ""),
        ({"frequency": "custom", "day_of_month": "1", "day_of_week": "1"}, None, "its times cannot be read"),
        ({"frequency": "custom", "minute": "0", "day_of_week": "*/2"}, None, "its times cannot be read"),
        ({"frequency": "continuous"}, None, "there is no such schedule"),
        ({"frequency": "runafter", "run_after": {"sync_ids": ["x"]}}, None, "not after another one"),
        ({"frequency": "multi", "multi": {"type": "x"}}, None, "a sync has one schedule"),
        ({"frequency": "tomorrow"}, None, "is unknown here"),
    ],
)
def test_schedules(schedule: Raw, expression: str | None, to_do: str) -> None:
    imported = import_syncs(vendor_bulk_sync(schedule=schedule))

    assert imported.only("bulk_syncs").get("schedule") == expression
    assert to_do in imported.texts(RemarkKind.TO_DO)
    assert imported.result.problems == []


def test_of_several_schedules_the_first_is_taken_and_said() -> None:
    schedules = [{"frequency": "daily", "sync_mode": "x"}, {"frequency": "hourly"}]

    imported = import_syncs(vendor_bulk_sync(schedules=schedules))

    assert imported.only("bulk_syncs")["schedule"] == "cron(0 0 * * ? *)"
    assert "there are 2" in imported.texts(RemarkKind.TO_DO)


class TestImportedModelSyncs:
    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"mode": "updateOrCreate"}, "modes that change single records in place"),
            ({"model_ids": [CUSTOMERS, "another"]}, "it reads 2 models"),
            ({"filters": [{"field_id": "f-1", "field_type": "Target", "function": "IsNull"}]}, "asks 'Target' fields"),
            ({"filters": [{"field_id": "f-1", "function": "SoundsLike", "value": "x"}]}, "found 'SoundsLike'"),
            ({"fields": [{"source": "id", "target": "i", "encryption_enabled": True}]}, "would be in the clear here"),
            ({"target": {"connection_id": "gone", "object": "x"}}, "its destination connection 'gone'"),
        ],
    )
    def test_what_would_write_other_rows_or_values_is_passed_over_whole(self, fields: Raw, reason: str) -> None:
        imported = import_syncs(vendor_model_sync(**fields))

        assert reason in imported.texts(RemarkKind.PASSED_OVER)
        assert "model_syncs" not in imported.result.document

    def test_filters_and_overrides_name_fields_that_the_api_gives_ids(self) -> None:
        filters = [
            {"field_id": "f-2", "field_type": "Model", "label": "A", "function": "Equality", "value": "DE"},
            {"field": {"model_id": CUSTOMERS, "field": "id"}, "label": "B", "function": "IsNotNull", "value": None},
        ]
        overrides = [{"field_id": "f-2", "function": "Equality", "value": "UK", "override": "GB"}]

        imported = import_syncs(vendor_model_sync(filters=filters, filter_logic="A AND B", overrides=overrides))

        push = imported.only("model_syncs")
        assert [condition["field"] for condition in push["filters"]] == ["country", "id"]
        assert push["overrides"] == [{"field": "country", "function": "Equality", "value": "UK", "override": "GB"}]
        assert imported.result.problems == []

    def test_what_has_no_meaning_for_files_is_left_out_by_name(self) -> None:
        extra = {"identity": {"source": {}, "target": "x"}, "sync_all_records": True, "skip_initial_backfill": False}

        left_out = import_syncs(vendor_model_sync(**extra)).texts(RemarkKind.LEFT_OUT)

        assert "identity: records of the destination" in left_out
        assert "sync_all_records: a file that changed" in left_out
        assert "skip_initial_backfill" not in left_out


def test_no_field_of_an_answer_is_lost() -> None:
    """Whatever is in no item of the result is among the remarks: each field gets a neighbour that nobody knows."""
    is_null = {"field_id": "b", "function": "IsNull"}
    files = {
        "c.json": _mark(vendor_connections()),
        "m.json": _mark([vendor_model()]),
        "s.json": _mark(
            [
                vendor_bulk_sync(
                    schedule={"frequency": "daily"},
                    schemas=[{"id": "a", "fields": [{"id": "b"}], "filters": [is_null]}],
                ),
                vendor_model_sync(
                    schedule={"frequency": "daily"},
                    filters=[{"field_id": "f-1", "function": "IsNull"}],
                    overrides=[{"field_id": "f-1", "function": "IsNull", "override": "x"}],
                    override_fields=[{"target": "t", "override_value": "x"}],
                ),
            ]
        ),
    }

    imported = Import(files)

    left_out = imported.texts(RemarkKind.LEFT_OUT)
    assert imported.result.problems == []
    for place in (
        "connection 'landing', unheard_of",
        "connection 'landing', configuration.unheard_of",
        "model 'customers', unheard_of",
        "model 'customers', configuration.unheard_of",
        "model 'customers', fields[].unheard_of",
        "bulk sync 'orders', unheard_of",
        "bulk sync 'orders', destination_configuration.unheard_of",
        "bulk sync 'orders', schedule.unheard_of",
        "bulk sync 'orders', schemas[].unheard_of",
        "bulk sync 'orders', schemas[].fields[].unheard_of",
        "bulk sync 'orders', schemas[].filters[].unheard_of",
        "model sync 'push', unheard_of",
        "model sync 'push', target.unheard_of",
        "model sync 'push', target.configuration.unheard_of",
        "model sync 'push', fields[].unheard_of",
        "model sync 'push', filters[].unheard_of",
        "model sync 'push', overrides[].unheard_of",
        "model sync 'push', override_fields[].unheard_of",
    ):
        assert f"left out: {place}: Millrace has no such field" in left_out


def _mark(value: Any) -> Any:
    """The same with a field that nobody knows in every object, but those that are only names for something."""
    if isinstance(value, list):
        return [_mark(part) for part in value]
    if isinstance(value, dict):
        marked = {
            name: _mark(part) if name not in {"type", "created_by", "source"} else part for name, part in value.items()
        }
        return marked | {"unheard_of": "x"}
    return value


def test_a_list_and_an_objects_own_answer_are_one() -> None:
    listed = vendor_model() | {"fields": []}

    imported = Import({"c.json": vendor_connections(), "m.json": [listed], "one.json": {"data": vendor_model()}})

    assert imported.only("models")["fields"] == ["id", "country"]


def test_two_answers_that_differ_are_refused() -> None:
    with pytest.raises(InvalidConfiguration, match=r"old.json: .* and new.json: .* differ in configuration"):
        Import({"old.json": [vendor_connection()], "new.json": [vendor_connection(s3_bucket_name="another")]})


def test_the_file_is_read_back_equal(tmp_path: Path) -> None:
    texts = ["no", "1e5", "007", "12:30", "~", "#x", "a: b", "- a", "", "\u202egpj", "日本", "x" * 200, "two\nlines"]
    path = tmp_path / "millrace.yaml"

    path.write_text(to_yaml({"items": texts, "more": [{"flag": True, "none": {}}]}, ["to do: one\ntwo"]), "utf-8")

    assert reading.read(path) == {"items": texts, "more": [{"flag": True, "none": {}}]}
    assert "\u202e" not in path.read_text("utf-8")


def test_a_whole_import_is_a_valid_file(tmp_path: Path) -> None:
    imported = import_syncs(vendor_bulk_sync(), vendor_model_sync())
    path = tmp_path / "millrace.yaml"

    path.write_text(to_yaml(imported.result.document, map(str, imported.remarks)), "utf-8")

    data: Any = reading.read(path)
    assert _names(parse(data).bulk_syncs) == ["orders"]


def _names(items: Sequence[Any]) -> list[str]:
    return [item.name for item in items]
