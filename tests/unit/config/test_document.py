"""What only the whole document can tell: references, folders that meet, what deploys, fingerprints."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.config.document import parse
from millrace.config.layout import Folder
from millrace.config.references import Reach
from millrace.config.s3_configuration import S3Configuration
from millrace.errors import InvalidConfiguration
from tests.properties import examples
from tests.unit.config.builders import accepted, bulk_sync, connection, document, model, model_sync, problems_of

MANAGED: dict[str, Any] = {"enable_event_notifications": True, "event_queue_arn": "managed"}


def places(**folders: str) -> list[dict[str, Any]]:
    """Connections by name and s3_bucket_name."""
    return [connection(name, s3_bucket_name=folder) for name, folder in folders.items()]


def flow(name: str, source: str, destination: str, subfolder: str = "", **fields: Any) -> dict[str, Any]:
    """A bulk sync between two connections."""
    return {
        "name": name,
        "source_connection": source,
        "destination_connection": destination,
        "destination_configuration": {"subfolder": subfolder},
        **fields,
    }


@pytest.mark.parametrize("raw", [None, [], "x", 3])
def test_a_document_is_an_object(raw: object) -> None:
    """Anything else is refused by its kind, not by its content."""
    (problem,) = problems_of(raw)

    assert problem.startswith("configuration: found ")
    assert "expected an object with connections" in problem


@pytest.mark.parametrize("raw", [{}, {"connections": []}, {"connections": ""}])
def test_a_document_has_connections(raw: object) -> None:
    """Nothing can be done without one."""
    (problem,) = problems_of(raw)

    assert problem.startswith("connections: ")


def test_a_connection_at_the_top_is_misplaced() -> None:
    """Whoever pastes a connection alone is told where it belongs."""
    problems = problems_of(connection())

    assert any(
        problem.startswith("configuration: misplaced field; it belongs in connections[]") for problem in problems
    )


def test_names_are_unique_in_each_list() -> None:
    """Whatever the case of their letters; two lists may share a name."""
    problems = problems_of(
        {
            "connections": [connection("in"), connection("out"), connection("In", s3_bucket_name="third")],
            "models": [model("x"), model("x")],
            "bulk_syncs": [bulk_sync("x"), bulk_sync("x", destination_configuration={"subfolder": "y"})],
        }
    )

    assert problems == [
        "connections[2].name: found 'In', which connections[0] has already; names are unique",
        "models[1].name: found 'x', which models[0] has already; names are unique",
        "bulk_syncs[1].name: found 'x', which bulk_syncs[0] has already; names are unique",
    ]


def test_unknown_references_are_named_with_a_suggestion() -> None:
    """Also in an item, or to an item, that has other problems; those known are listed."""
    problems = problems_of(
        {
            "connections": [connection("landing", s3_bucket_region="x"), connection("lake")],
            "models": [model(connection="leak")],
            "model_syncs": [model_sync(model="customer", target={"connection": "x"})],
            "bulk_syncs": [flow("a", "landng", "lake", mode="update"), flow("b", "landing", "lake")],
        }
    )

    assert problems[2:] == [
        "models[0].connection: found 'leak', which is not among the connections (lake, landing); did you mean 'lake'?",
        "model_syncs[0].model: found 'customer', which is not among the models (customers); did you mean 'customers'?",
        "model_syncs[0].target.connection: found 'x', which is not among the connections (lake, landing)",
        (
            "bulk_syncs[0].source_connection: found 'landng', which is not among the connections (lake, landing); did"
            " you mean 'landing'?"
        ),
    ]


@pytest.mark.parametrize(
    ("source", "destination", "subfolder"),
    [
        ("acme", "acme", ""),
        ("acme", "acme/out", ""),
        ("acme/in", "acme", ""),
        ("acme/in", "acme", "in"),
        ("acme/in", "acme/in/out", ""),
        ("acme/in", "acme", "in/out"),
    ],
)
@pytest.mark.parametrize("sync", [{"active": True}, {"active": False}])
def test_own_output_is_never_input(source: str, destination: str, subfolder: str, sync: dict[str, Any]) -> None:
    """Overlapping folders of one bucket are refused, by whole segments and with the real output folder."""
    (problem,) = problems_of(
        {
            "connections": places(a=source, b=destination),
            "bulk_syncs": [flow("x", "a", "b", subfolder, **sync)],
        }
    )

    assert problem.startswith("bulk_syncs[0].destination_configuration.subfolder: writes to s3://acme")


@pytest.mark.parametrize(
    ("source", "destination", "subfolder"),
    [("acme/in", "acme/out", ""), ("acme/in", "acme/in2", ""), ("acme/in", "acme", "out"), ("acme", "other", "")],
)
def test_folders_beside_each_other_are_fine(source: str, destination: str, subfolder: str) -> None:
    """``in`` and ``in2`` share no key; nor do two buckets."""
    assert parse({"connections": places(a=source, b=destination), "bulk_syncs": [flow("x", "a", "b", subfolder)]})


def test_two_syncs_do_not_write_the_same_folder() -> None:
    """Told once for each that comes later, with the other's name."""
    (problem,) = problems_of(
        {
            "connections": places(a="in-1", b="in-2", lake="lake", reports="lake/reports"),
            "bulk_syncs": [flow("x", "a", "lake", "reports"), flow("y", "b", "reports", active=False)],
        }
    )

    assert problem == (
        "bulk_syncs[1].destination_configuration.subfolder: writes to s3://lake/reports/, as 'x' (bulk_syncs[0]) does;"
        " give each sync an output of its own"
    )


def test_a_sync_does_not_feed_itself_through_another() -> None:
    """A circle of any length is told once; a chain is fine."""
    connections = places(a="b-1/a", b="b-1/b", c="b-1/c")
    circle = [flow("one", "a", "b"), flow("two", "b", "c"), flow("three", "c", "a")]

    (problem,) = problems_of({"connections": connections, "bulk_syncs": circle})

    assert problem == (
        "bulk_syncs[0]: feeds itself through another sync, 'one' -> 'two' -> 'three' -> 'one': each reads what the one"
        " before it writes"
    )
    assert parse({"connections": connections, "bulk_syncs": circle[:2]})


def test_model_syncs_are_held_to_the_same() -> None:
    """A replace writes one object, the other modes a folder; a model of one file reads one object."""
    into = {"connection": "in"}
    one = {"models": [model(configuration={"key": "a.csv"})]}

    (own,) = problems_of(document(**one, model_syncs=[model_sync(target={**into, "object": "a"})]))
    (same,) = problems_of(document(**one, model_syncs=[model_sync("x"), model_sync("y")]))
    (below,) = problems_of(document(models=[model()], model_syncs=[model_sync(target=into)]))

    assert own.startswith("model_syncs[0].target: writes to s3://acme-in/a.csv, which overlaps what it reads")
    assert same.startswith("model_syncs[1].target: writes to s3://acme-out/customers.csv, as 'x'")
    assert below.startswith("model_syncs[0].target: writes to s3://acme-in/customers.csv, which overlaps")
    assert parse(document(**one, model_syncs=[model_sync(target={**into, "object": "b"})]))
    assert parse(document(**one, model_syncs=[model_sync("x"), model_sync("y", mode="append")]))


def test_reaches() -> None:
    """What a sync reads and writes is told by the document."""
    made = accepted(
        models=[model("one", configuration={"key": "a/b.csv"}), model("many", configuration={"subfolder": "c"})],
        model_syncs=[model_sync("r", model="one"), model_sync("s", model="many", mode="snapshot")],
        bulk_syncs=[bulk_sync(destination_configuration={"subfolder": "lake"})],
    )
    replace, snapshot = made.model_syncs

    assert made.source_of(replace) == Reach(Folder("acme-in", "a/b.csv"), exact=True)
    assert made.output_of(replace) == Reach(Folder("acme-out", "one.csv"), exact=True)
    assert made.source_of(snapshot) == Reach(Folder("acme-in", "c"))
    assert made.output_of(snapshot) == Reach(Folder("acme-out", "many"))
    assert made.source_of(made.bulk_sync("copy")) == Reach(Folder("acme-in"))
    assert made.output_folder(made.bulk_sync("copy")) == Folder("acme-out", "lake")


DIRECTORIES = {"is_single_table": True, "is_directory_snapshot": True, "directory_glob_pattern": "*/*"}


@pytest.mark.parametrize(
    ("source", "table", "expected"),
    [
        ({"is_single_table": True, "single_table_name": "orders"}, "order", "'orders', its only table"),
        ({"is_single_table": True, "s3_bucket_name": "acme-in/2026"}, "orders", "'2026', its only table"),
        ({}, "2026/orders.csv.gz", "'2026/orders'"),
        ({}, "/orders/", "'orders'"),
        (DIRECTORIES, "a/orders", "its path joined by '_'"),
        ({"is_single_table": True, "single_table_name": "orders"}, "orders", None),
        ({}, "2026/orders v1.2", None),
        (DIRECTORIES, "a_orders", None),
    ],
)
def test_a_table_that_cannot_be_chooses_nothing(source: dict[str, Any], table: str, expected: str | None) -> None:
    """Its name is held to the source's layout, before all its objects are ignored."""
    made = {
        "connections": [connection("in", **source), connection("out")],
        "bulk_syncs": [bulk_sync(schemas=[table])],
    }
    problems = [] if expected is None and parse(made) else problems_of(made)

    assert [one.partition(":")[0].rpartition(".")[2] for one in problems] == ["id"] * (expected is not None)
    assert all(str(expected) in one for one in problems)


def test_a_model_syncs_fields_are_its_models() -> None:
    """Where the model chooses fields; each that is not among them is told, with what was probably meant."""
    sync = model_sync(
        fields=[{"source": "id"}, {"source": "emial"}, {"target": "x", "override_value": 1}],
        overrides=[{"field": "a", "function": "IsNull"}],
        filters=[{"field": "b", "function": "IsNull"}],
    )

    problems = problems_of(document(models=[model(fields=["id", "email"])], model_syncs=[sync]))

    assert [one.partition(":")[0] for one in problems] == [
        "model_syncs[0].fields[1].source",
        "model_syncs[0].overrides[0].field",
        "model_syncs[0].filters[0].field",
    ]
    assert problems[0].endswith(
        "found 'emial', which is not among the fields of model 'customers' (id, email); did you mean 'email'?"
    )
    assert accepted(models=[model()], model_syncs=[sync])


def test_contradictions_across_the_file_are_told_all_at_once() -> None:
    """One that is unknown, one folder for two, a circle, a mode by its name, and names that are given twice."""
    circle = [flow("to b", "a", "b", "x"), flow("to a", "b", "a", "x")]
    twice = [{"id": "t", "fields": [{"id": one, "user_output_name": "n"} for one in "xy"]}]

    problems = problems_of(
        {
            "connections": places(a="acme/a", b="acme/b", c="other"),
            "models": [model(connection="a", fields=["id"])],
            "model_syncs": [
                model_sync("upsert", mode="updateOrCreate", target={"connection": "c"}),
                model_sync("wrong field", fields=[{"source": "di"}], target={"connection": "c"}),
            ],
            "bulk_syncs": [
                *circle,
                flow("lost", "nowhere", "c"),
                flow("one", "a", "c", "same"),
                flow("other", "b", "c", "same"),
                flow("names", "a", "c", "names", schemas=twice),
            ],
        }
    )

    assert [problem.partition(": ")[0] for problem in problems] == [
        "model_syncs[0].mode",
        "bulk_syncs[5].schemas[0].fields",
        "bulk_syncs[2].source_connection",
        "model_syncs[1].fields[0].source",
        "bulk_syncs[4].destination_configuration.subfolder",
        "bulk_syncs[0]",
    ]
    assert "found 'updateOrCreate'; expected replace (default), append or snapshot" in problems[0]
    assert "'to b' -> 'to a' -> 'to b'" in problems[-1]


def test_one_bucket_has_one_region() -> None:
    """Two connections of a bucket agree on where it is."""
    (problem,) = problems_of(
        {
            "connections": [
                connection("a", s3_bucket_name="acme/a", s3_bucket_region="eu-west-1"),
                connection("b", s3_bucket_name="acme/b", s3_bucket_region="eu-west-2"),
            ]
        }
    )

    assert problem.startswith("connections[1].configuration.s3_bucket_region: found 'eu-west-2' for the bucket 'acme'")


def test_managed_notifications_of_a_bucket_do_not_overlap() -> None:
    """S3 refuses overlapping prefixes, so two source connections with managed queues stay apart."""
    outer, inner = (
        connection("a", s3_bucket_name="acme/x", **MANAGED),
        connection("b", s3_bucket_name="acme/x/y", **MANAGED),
    )
    syncs = [flow("one", "a", "out"), flow("two", "b", "out", "two")]

    (problem,) = problems_of({"connections": [outer, inner, connection("out")], "bulk_syncs": syncs})

    assert problem.startswith("connections[1].configuration.event_queue_arn: s3://acme/x/y overlaps s3://acme/x of")
    assert parse({"connections": [outer, inner, connection("out")], "bulk_syncs": syncs[:1]})


def test_lookups_name_what_there_is() -> None:
    """An unknown name is answered with those that are known."""
    made = accepted(bulk_syncs=[bulk_sync()])

    assert made.connection("in").bucket == "acme-in"
    for find in (made.connection, made.model, made.bulk_sync):
        with pytest.raises(InvalidConfiguration, match=r"nowhere: no such .*; there are: "):
            find("nowhere")


def everything() -> dict[str, Any]:
    """A document in which every list has an item with much in it."""
    return document(
        models=[model(configuration={"subfolder": "c", "skip_lines": 1}, fields=["id", "a", "b"], identifier="id")],
        model_syncs=[
            model_sync(
                filters=[
                    {"field": "a", "function": "Between", "value": [1, 2.5]},
                    {"field": "b", "function": "IsNull"},
                ],
                filter_logic="A or not B",
                override_fields=[{"target": "c", "override_value": True}],
                schedule={"frequency": "weekly"},
            )
        ],
        bulk_syncs=[
            bulk_sync(
                destination_configuration={"format": "parquet", "subfolder": "lake"},
                schedule="manual",
                on_delete="remove",
                schemas=["a", {"id": "b", "tracking_field": "t", "data_cutoff_timestamp": "2026-01-01T01:00:00+01:00"}],
            )
        ],
    )


def test_json_reads_back_equal() -> None:
    """What is deployed is what was validated; writing it again gives the same text."""
    raw = everything()
    raw["connections"][0]["configuration"] |= {
        **MANAGED,
        "csv_quote": "none",
        "csv_delimiter": "tab",
        "csv_null_values": ["", "NA"],
        "csv_column_types": {"zip": "text"},
        "s3_bucket_name": "s3://acme-in/ü b",
    }
    made = parse(raw)

    again = parse(json.loads(made.to_json()))

    assert again == made
    assert again.to_json() == made.to_json()


def _fingerprint(sync: dict[str, Any] | None = None, source: dict[str, Any] | None = None, **out: Any) -> str:
    made = parse(
        {
            "connections": [connection("in", **(source or {})), connection("out", **out)],
            "bulk_syncs": [bulk_sync() | (sync or {})],
        }
    )
    return made.fingerprint(made.bulk_syncs[0])


@pytest.mark.parametrize(
    "changed",
    [
        {"sync": {"destination_configuration": {"format": "json"}}},
        {"sync": {"destination_configuration": {"subfolder": "x"}}},
        {"sync": {"destination_configuration": {"compression": "gz"}}},
        {"sync": {"mode": "snapshot"}},
        {"sync": {"bad_rows": "quarantine"}},
        {"sync": {"schemas": ["a"]}},
        {"sync": {"normalize_names": "disabled"}},
        {"source": {"s3_bucket_name": "acme-in/x"}},
        {"source": {"skip_lines": 1}},
        {"source": {"csv_has_headers": False}},
        {"source": {"csv_column_types": {"a": "text"}}},
        {"source": {"is_single_table": True}},
        {"s3_bucket_name": "acme-out/x"},
    ],
)
def test_a_fingerprint_sees_what_shapes_the_output(changed: dict[str, Any]) -> None:
    """Twelve hexadecimal digits that change with every field that changes a byte of the output."""
    assert _fingerprint() == "2f5ff312b30f"
    assert _fingerprint(**changed) != _fingerprint()


@pytest.mark.parametrize(
    "changed",
    [
        {"sync": {"name": "other"}},
        {"sync": {"active": False}},
        {"sync": {"schedule": "daily"}},
        {"sync": {"on_delete": "remove"}},
        {"source": MANAGED},
        {"source": {"auth_mode": "iam_role", "iam_role_arn": "arn:aws:iam::123456789012:role/x"}},
        {"source": {"create_bucket": True}},
        {"create_bucket": True, "skip_lines": 3},
        {"sync": {"mode": "replicate", "destination_configuration": {"format": "csv"}}},
    ],
)
def test_a_fingerprint_sees_nothing_else(changed: dict[str, Any]) -> None:
    """Names, credentials, queues, schedules, and defaults written out leave it alone."""
    assert _fingerprint(**changed) == _fingerprint()


def test_a_fingerprint_of_a_model_sync_sees_its_model() -> None:
    """The model's fields shape the output, too."""
    plain = accepted(models=[model()], model_syncs=[model_sync()])
    fewer = accepted(models=[model(fields=["a"])], model_syncs=[model_sync()])

    assert plain.fingerprint(plain.model_syncs[0]) != fewer.fingerprint(fewer.model_syncs[0])


ODD: list[Any] = [
    [], {}, [[]], [{}], {"x": 1}, {"x": {}}, ["x", 1], [None], 0, -1, 10**400, 1.5, float("nan"), True, "x", " ",
    "\0", "\ud800", "x" * 2000, "(", "[", b"x", {1}, {1: 2}, object(),
]  # fmt: skip


def _each_place(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, below in items:
        yield from _each_place(below, (*path, key))


@pytest.mark.slow
def test_odd_values_anywhere_are_refused_not_stumbled_over() -> None:
    """Whatever stands at whatever place: problems, or a document that is written and read back; never another error."""
    whole = everything()
    whole["connections"][0]["configuration"] |= dict.fromkeys(S3Configuration.model_fields, "")
    for index, place in enumerate(_each_place(whole)):
        for odd in ODD[index % 4 :: 4]:
            raw = copy.deepcopy(whole)
            _put(raw, place, odd)
            with contextlib.suppress(InvalidConfiguration):
                made = parse(raw if place else odd)
                assert parse(json.loads(made.to_json())) == made


def _put(raw: Any, place: tuple[Any, ...], value: Any) -> None:
    for step in place[:-1]:
        raw = raw[step]
    if place:
        raw[place[-1]] = value


PATHS = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3).map("/".join)


@settings(max_examples=examples(50))
@given(PATHS, PATHS)
def test_folders_overlap_where_keys_do(one: str, other: str) -> None:
    """Two folders overlap exactly where some key is in both, by the prefixes that are granted and listed."""
    first, second = Folder("b-1", one), Folder("b-1", other)
    shared = first.prefix.startswith(second.prefix) or second.prefix.startswith(first.prefix)

    assert first.overlaps(second) == second.overlaps(first) == shared
    assert not first.overlaps(Folder("b-2", other))
    assert first.contains(first.child("x"))
    assert Folder.parse(str(first.child(other))) == first.child(other)


OPTIONS = {"csv_delimiter": "|", "skip_lines": 2}


@pytest.mark.parametrize(
    ("table", "delimiter", "skip_lines"),
    [
        ({}, "|", 2),
        ({"csv_delimiter": ";"}, ";", 2),
        ({"skip_lines": 0}, "|", 0),
        ({"csv_delimiter": "", "skip_lines": None}, "|", 2),
    ],
)
def test_an_option_of_a_table_goes_before_its_connections(
    table: dict[str, Any], delimiter: str, skip_lines: int
) -> None:
    """Also a default that is written out, and also after the document was written for deployment."""
    raw = document(
        connections=[connection("in", **OPTIONS), connection("out")],
        models=[model(configuration=table)],
        bulk_syncs=[bulk_sync(schemas=[{"id": "a", **table}])],
    )
    for made in (parse(raw), parse(json.loads(parse(raw).to_json()))):
        schema = (made.bulk_syncs[0].schemas or ())[0]
        for section in (schema, made.models[0].configuration):
            read = made.connection("in").file_options(section).read
            assert (read.delimiter, read.skip_lines) == (delimiter, skip_lines)


@pytest.mark.parametrize(
    ("source", "schema", "problem"),
    [
        (
            {"is_single_table": True, "single_table_file_format": "json"},
            {"id": "acme-in", "skip_lines": 1},
            "bulk_syncs[0].schemas[0].skip_lines: only where csv, fixed_width, log or excel are among the formats",
        ),
        (
            {"csv_delimiter": "|"},
            {"id": "a", "csv_quote": "bar"},
            "bulk_syncs[0].schemas[0].csv_quote: the same character as csv_delimiter",
        ),
        (
            {"is_single_table": True, "single_table_file_format": "excel"},
            {"id": "acme-in", "excel_sheet": "all"},
            "bulk_syncs[0].schemas[0].excel_sheet: all makes a table of each sheet, which is only where every object",
        ),
    ],
)
def test_a_tables_options_are_checked_with_its_connections(
    source: dict[str, Any], schema: dict[str, Any], problem: str
) -> None:
    raw = document(
        connections=[connection("in", **source), connection("out")], bulk_syncs=[bulk_sync(schemas=[schema])]
    )

    assert any(one.startswith(problem) for one in problems_of(raw)), problems_of(raw)


@pytest.mark.parametrize(
    ("source", "configuration", "problem"),
    [
        ({}, {"key": "book.xlsx", "excel_sheet": "all"}, "all makes a table of each sheet, and a model is one table"),
        ({}, {"excel_sheet": "all"}, "all makes a table of each sheet, and a model is one table"),
        ({"excel_sheet": "all"}, {"key": "book.xlsx"}, "not given, and connection 'in' says all: all makes a table"),
        ({"excel_sheet": "all"}, {"key": "a.bin", "file_format": "excel"}, "not given, and connection 'in' says all"),
        ({"excel_sheet": "all"}, {"key": "book.xlsx", "excel_sheet": "Orders"}, None),
        ({"excel_sheet": "all"}, {"key": "a.csv"}, None),
        ({"excel_sheet": "all"}, {"key": "a.xlsx", "file_format": "csv"}, None),
    ],
)
def test_a_model_is_no_table_for_each_sheet(
    source: dict[str, Any], configuration: dict[str, Any], problem: str | None
) -> None:
    raw = document(
        connections=[connection("in", **source), connection("out")], models=[model(configuration=configuration)]
    )

    if problem is None:
        assert parse(raw).models
        return
    assert any(one.startswith(f"models[0].configuration.excel_sheet: {problem}") for one in problems_of(raw))


def test_the_options_of_a_model_are_checked_with_its_connections() -> None:
    raw = document(
        connections=[connection("in", csv_quote="single"), connection("out")],
        models=[model(configuration={"csv_delimiter": "single"})],
    )

    assert any("models[0].configuration.csv_quote: the same character" in one for one in problems_of(raw))


RECORDED_FINGERPRINTS = [
    ({}, {}, "01760bf07286"),
    ({}, {"skip_lines": 0}, "01760bf07286"),
    ({"csv_has_headers": True, "skip_lines": 0, "csv_null_values": []}, {"skip_lines": 0}, "01760bf07286"),
    ({"skip_lines": 2}, {"skip_lines": 2}, "1f7934bfebdf"),
    ({}, {"key": "a.csv"}, "ea30a9843035"),
]


@pytest.mark.parametrize(("source", "configuration", "recorded"), RECORDED_FINGERPRINTS)
def test_a_fingerprint_of_an_unchanged_configuration_stays(
    source: dict[str, Any], configuration: dict[str, Any], recorded: str
) -> None:
    """Recorded before tables had options of their own: else every output would be stale after an upgrade."""
    made = parse(
        document(
            connections=[connection("in", **source), connection("out")],
            models=[model("m", configuration=configuration)],
            model_syncs=[model_sync("push", model="m")],
        )
    )

    assert made.fingerprint(made.model_syncs[0]) == recorded


@pytest.mark.parametrize("given", [{"csv_delimiter": ";"}, {"csv_has_headers": True}])
def test_a_fingerprint_sees_the_options_of_a_table(given: dict[str, Any]) -> None:
    """Also one that says a connection's default: the connection may come to say another."""
    plain, other = (
        parse(document(bulk_syncs=[bulk_sync(schemas=[{"id": "a", **options}])])) for options in ({}, given)
    )

    assert plain.fingerprint(plain.bulk_syncs[0]) != other.fingerprint(other.bulk_syncs[0])
