"""What both can say comes back from the vendor's form as the same configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.config.document import Document, parse
from millrace.config.polytomic.answers import read_answers
from millrace.config.polytomic.importing import import_answers
from millrace.config.polytomic.remarks import Remarks
from millrace.config.polytomic.writing import to_yaml
from millrace.config.reading import read
from tests.properties import examples
from tests.unit.config.builders import Raw

NAMES = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="#/"), min_size=1, max_size=20)
WORDS = st.sampled_from(["id", "Country", "an e-mail", "straße", "no", "1e5", "007"])
FLAGS = st.booleans()
CONDITIONS = st.sampled_from(
    [
        {"function": "IsNull"},
        {"function": "Equality", "value": "no"},
        {"function": "GreaterThan", "value": 1.5},
        {"function": "Between", "value": [1, 9]},
        {"function": "StringOneOf", "value": ["", "007"]},
        {"function": "InTheLast", "value": "7 days"},
    ]
)
FILTERS = st.lists(st.builds(lambda field, condition: {"field": field, **condition}, WORDS, CONDITIONS), max_size=3)
SCHEDULES = st.sampled_from(["manual", "hourly", "daily", "weekly"])


@st.composite
def connections(draw: st.DrawFn, number: int) -> Raw:
    authentication = draw(
        st.sampled_from(
            [
                {"auth_mode": "iam_role", "iam_role_arn": "arn:aws:iam::123456789012:role/r"},
                {"auth_mode": "access_key_and_secret", "aws_credentials_secret": "millrace/keys"},
                {"auth_mode": "execution_role"},
            ]
        )
    )
    layout = draw(
        st.sampled_from(
            [
                {},
                {"is_single_table": True, "single_table_name": "orders", "single_table_file_format": "json"},
                {"is_single_table": True, "is_directory_snapshot": True, "directory_glob_pattern": "*"},
            ]
        )
    )
    place = {"s3_bucket_name": f"s3://bucket-{number}/folder", "s3_bucket_region": "eu-west-1"}
    own = draw(st.fixed_dictionaries({}, optional={"csv_has_headers": FLAGS, "csv_delimiter": st.just(";")}))
    if layout.get("single_table_file_format") == "json":
        own = {}
    return {"name": "", "type": "s3", "configuration": {**authentication, **layout, **place, **own}}


SCHEMAS = st.fixed_dictionaries(
    {"id": st.just("orders")},
    optional={
        "enabled": FLAGS,
        "fields": st.lists(WORDS, min_size=1, unique=True).map(lambda words: [{"id": word} for word in words]),
        "filters": FILTERS.filter(bool),
        "user_output_name": st.just("sales/orders"),
    },
)


@st.composite
def bulk_syncs(draw: st.DrawFn, number: int) -> Raw:
    fields = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "mode": st.sampled_from(["replicate", "snapshot"]),
                "schemas": SCHEMAS.map(lambda schema: [schema]),
                "schedule": SCHEDULES,
                "normalize_names": st.sampled_from(["enabled", "disabled"]),
                "disable_record_timestamps": FLAGS,
                "automatically_add_new_fields": st.just("all"),
            },
        )
    )
    to = {"format": draw(st.sampled_from(["csv", "json", "json-doc", "parquet"])), "subfolder": f"bulk/{number}"}
    return {"name": "", "destination_configuration": to, **fields}


@st.composite
def model_syncs(draw: st.DrawFn, number: int) -> Raw:
    names = draw(st.lists(WORDS, min_size=1, unique=True))
    mappings = [{"source": name, "target": f"t{index}"} for index, name in enumerate(names)]
    fields = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "mode": st.sampled_from(["replace", "append", "snapshot"]),
                "fields": st.just(mappings),
                "override_fields": st.just([{"target": "system", "override_value": "shop"}]),
                "filters": FILTERS.filter(bool),
                "overrides": st.just([{"field": "id", "function": "IsNull", "override": "none"}]),
                "schedule": SCHEDULES,
            },
        )
    )
    return {"name": "", "target": {"object": f"models/{number}", "configuration": {"format": "json"}}, **fields}


@st.composite
def documents(draw: st.DrawFn) -> Raw:
    """Raw documents that are valid: one source, one destination, a model, and syncs of each kind."""
    names = iter(draw(st.lists(NAMES, min_size=7, max_size=7, unique_by=str.casefold)))
    source, destination = (draw(connections(number)) | {"name": next(names)} for number in range(2))
    model = {
        "name": next(names),
        "connection": source["name"],
        "configuration": {"subfolder": "in", "file_format": "csv"},
    }
    bulk = [draw(bulk_syncs(number)) | {"name": next(names)} for number in range(draw(st.integers(0, 2)))]
    ends = {"source_connection": source["name"], "destination_connection": destination["name"]}
    pushes = [draw(model_syncs(number)) | {"name": next(names), "model": model["name"]} for number in range(2)]
    for push in pushes:
        push["target"]["connection"] = destination["name"]
    return {
        "connections": [source, destination],
        "models": [model],
        "bulk_syncs": [sync | ends for sync in bulk],
        "model_syncs": pushes,
    }


def to_vendor(raw: Raw) -> list[Raw]:
    """The answers of the vendor's API with the same content: ids instead of names, objects instead of short forms."""
    ids: dict[str, str] = {}
    for kind in ("connections", "models"):
        for item in raw[kind]:
            ids[item["name"]] = f"id of {kind} {item['name']}"
    s3 = {"id": "s3", "name": "S3"}
    answers: list[Raw] = [{**item, "id": ids[item["name"]], "type": s3} for item in raw["connections"]]
    answers += [{**item, "id": ids[item["name"]], "connection_id": ids[item["connection"]]} for item in raw["models"]]
    for item in raw["bulk_syncs"]:
        ends = {f"{end}_id": ids[item[end]] for end in ("source_connection", "destination_connection")}
        answers.append(_with_schedule({**item, **ends}, without={"source_connection", "destination_connection"}))
    for item in raw["model_syncs"]:
        target = {**item["target"], "connection_id": ids[item["target"]["connection"]]}
        del target["connection"]
        pushed = {**item, "target": target, "model_ids": [ids[item["model"]]]}
        if "fields" in item:
            pushed["fields"] = [_with_model(mapping, ids[item["model"]]) for mapping in item["fields"]]
        answers.append(_with_schedule(pushed, without={"model"}))
    for answer in answers:
        if answer.keys() >= {"connection", "connection_id"}:
            del answer["connection"]
    return answers


def _with_model(mapping: Raw, model: str) -> Raw:
    return mapping | {"source": {"model_id": model, "field": mapping["source"]}}


def _with_schedule(item: Raw, *, without: set[str]) -> Raw:
    kept = {name: value for name, value in item.items() if name not in without}
    if "schedule" in kept:
        kept["schedule"] = {"frequency": kept["schedule"], "hour": "", "minute": "", "day_of_week": ""}
    return kept


@settings(max_examples=examples(60))
@given(documents())
def test_a_configuration_comes_back_from_the_vendors_form(tmp_path_factory: Any, raw: Raw) -> None:
    remarks = Remarks()
    answers = read_answers(json.dumps({"data": to_vendor(raw)}), "all.json", remarks)

    imported = import_answers(answers, remarks, keeps_inactive=True)

    path: Path = tmp_path_factory.mktemp("import") / "millrace.yaml"
    path.write_text(to_yaml(imported.document, map(str, remarks)), "utf-8")
    assert imported.problems == []
    assert _plain(parse(read(path))) == _plain(parse(raw))


def _plain(document: Document) -> str:
    return document.to_json()
