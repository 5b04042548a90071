"""Connections: one row a field, then the conditions between fields."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from millrace.config.connection import AccessKeys, ExecutionRole, IamRole, ManagedQueue, QueueArn
from millrace.config.layout import DirectorySnapshot, Folder, MultiTable, SingleTable
from millrace.config.s3_configuration import S3Configuration
from millrace.engine.options import BadRows, Compression, FileFormat, FixedField, Quotes, ReadOptions
from tests.unit.config.builders import connection, parsed_connection, problems_of

ROLE = "arn:aws:iam::123456789012:role/millrace"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:uploads"
ONE_TABLE: dict[str, Any] = {"is_single_table": True}
DIRECTORIES: dict[str, Any] = {
    "is_single_table": True,
    "is_directory_snapshot": True,
    "directory_glob_pattern": "*",
}
KEYS: dict[str, Any] = {"auth_mode": "access_key_and_secret"}
NOTIFIED: dict[str, Any] = {"enable_event_notifications": True}

LAYOUT: list[dict[str, Any]] = [{"name": "a", "start": 1, "length": 4}]
# field, what it takes beside it, a valid value, what is kept of it, an invalid value, what the problem says
ROWS: list[tuple[str, dict[str, Any], Any, Any, Any, str]] = [
    ("auth_mode", {}, "execution_role", "execution_role", "password", "'access_key_and_secret', 'iam_role'"),
    ("aws_credentials_secret", KEYS, "millrace/in", "millrace/in", "a b", "Secrets Manager"),
    ("iam_role_arn", {"auth_mode": "iam_role"}, ROLE, ROLE, "millrace", "a role's ARN"),
    ("s3_bucket_name", {}, "s3://acme/x/", Folder("acme", "x"), "https://acme", "s3://bucket/folder"),
    ("s3_bucket_region", {}, "us-gov-west-1", "us-gov-west-1", "us-east-1a", "an AWS region"),
    ("create_bucket", {}, True, True, "yes", "true, false"),
    ("csv_has_headers", {}, False, False, 0, "true, false"),
    ("enable_event_notifications", {"event_queue_arn": "managed"}, True, True, "true", "true, false"),
    ("event_queue_arn", NOTIFIED, QUEUE, QUEUE, "uploads", "an SQS queue's ARN"),
    ("is_single_table", {}, True, True, 1, "true, false"),
    ("is_directory_snapshot", DIRECTORIES, True, True, "no", "true, false"),
    ("single_table_name", ONE_TABLE, "orders", "orders", "a/b", "a table's name"),
    ("single_table_file_format", ONE_TABLE, "json", "json", "json-doc", "csv, json, parquet"),
    ("single_table_file_formats", DIRECTORIES, ["csv", "json"], ("csv", "json"), [], "at least one item"),
    ("directory_glob_pattern", DIRECTORIES, "a=*/**/b/", "a=*/**/b", "a**/b", "'**' as a whole segment"),
    ("skip_lines", {}, 2, 2, -1, "at least 0"),
    ("csv_delimiter", {}, "tab", "\t", "||", "one ASCII character"),
    ("csv_quote", {}, "'", "'", "<>", "one ASCII character"),
    ("csv_escape", {}, "backslash", "\\", "\n", "one ASCII character"),
    ("csv_quotes", {}, "lenient", "lenient", "loose", "'strict' or 'lenient'"),
    ("csv_encoding", {}, "Latin-1", "iso8859-1", "klingon", "text encoding"),
    ("csv_null_values", {}, ["", "NA"], ("", "NA"), "NA", "expected a list"),
    ("csv_infer_types", {}, False, False, "off", "true, false"),
    ("csv_column_types", {}, {"zip": "text", "x": ""}, {"zip": "text"}, {"zip": "string"}, "'text', 'integer'"),
    ("csv_skip_footer", {}, 1, 1, -1, "at least 0"),
    ("csv_comment", {}, "#", "#", 5, "text"),
    ("json_records", {}, "data.items", "data.items", "a..b", "is no path"),
    ("json_parent_fields", {"json_records": "r"}, ["o", "x=m.id"], ("o", "x=m.id"), ["r"], "leads to the rows"),
    ("parquet_binary", {}, "text", "text", "utf8", "'base64' or 'text'"),
    ("json_non_finite", {}, "null", "null", "none", "'text', 'null' or 'error'"),
    ("source_columns", {}, ["row", "file"], ("row", "file"), ["row", "row"], "each value once"),
    ("type_hints", {}, {"a": "decimal(5,2)", "b": ""}, {"a": "decimal(5,2)"}, {"a": "number"}, "is no type"),
    ("types", {}, "wide", "wide", "widest", "'exact' or 'wide'"),
    ("fixed_width", {}, LAYOUT, (FixedField(**LAYOUT[0]),), [{"name": "a", "start": 0, "length": 1}], "start"),
    ("excel_sheet", {}, "Orders", "Orders", 7, "expected text"),
    ("xml_row", {}, "a/b", "a/b", 7, "expected text"),
    ("log_preset", {}, "alb", "alb", "syslog", "'apache', 'nginx', 'alb'"),
    ("include", {}, ["*.csv", "/_x/**/"], ("*.csv", "_x/**"), [], "at least one item"),
    ("exclude", {}, ["a[b]"], ("a[b]",), ["a[b"], "closed by a ']'"),
    ("newer_than", {}, "2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01", "timezone"),
]
DEFAULTS: dict[str, Any] = {
    "aws_access_key_id": None,
    "aws_secret_access_key": None,
    "aws_credentials_secret": None,
    "iam_role_arn": None,
    "create_bucket": False,
    "csv_has_headers": True,
    "enable_event_notifications": False,
    "event_queue_arn": None,
    "is_single_table": False,
    "is_directory_snapshot": False,
    "single_table_name": None,
    "single_table_file_format": "csv",
    "single_table_file_formats": ("csv",),
    "directory_glob_pattern": None,
    "skip_lines": 0,
    "csv_delimiter": None,
    "csv_quote": None,
    "csv_escape": None,
    "csv_quotes": "strict",
    "csv_skip_footer": 0,
    "csv_comment": None,
    "json_records": None,
    "json_parent_fields": (),
    "parquet_binary": "base64",
    "json_non_finite": "text",
    "source_columns": (),
    "type_hints": {},
    "types": "exact",
    "csv_encoding": "utf-8",
    "csv_null_values": (),
    "csv_infer_types": True,
    "csv_column_types": {},
    "fixed_width": (),
    "log_preset": None,
    "xml_row": None,
    "excel_sheet": None,
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_field_keeps_a_valid_value(row: tuple[str, dict[str, Any], Any, Any, Any, str]) -> None:
    """Each field of the contract takes what it should."""
    field, beside, valid, kept, _, _ = row

    made = parsed_connection(**{**beside, field: valid})

    assert getattr(made.configuration, field) == kept


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_field_refuses_an_invalid_value(row: tuple[str, dict[str, Any], Any, Any, Any, str]) -> None:
    """The problem begins with the field's path and says what is accepted."""
    field, beside, _, _, invalid, says = row

    problems = problems_of({"connections": [connection(**{**beside, field: invalid})]})

    assert any(p.startswith(f"connections[0].configuration.{field}") and says in p for p in problems), problems


def test_every_field_has_a_row() -> None:
    """A field added without a test is noticed."""
    in_secrets_test = {"aws_access_key_id", "aws_secret_access_key"}

    assert {row[0] for row in ROWS} | in_secrets_test == set(S3Configuration.model_fields)


@pytest.mark.parametrize("blank", ["", None])
@pytest.mark.parametrize("field", DEFAULTS)
def test_blank_means_the_default(field: str, blank: str | None) -> None:
    """Empty text and null are not given, and every default is the contract's."""
    made = parsed_connection(**{field: blank})

    assert getattr(made.configuration, field) == DEFAULTS[field]
    assert made == parsed_connection()


def test_the_default_auth_mode_is_access_keys() -> None:
    """[doc] Defaults to Access Key and Secret, both of which are then required."""
    problems = problems_of({"connections": [connection(auth_mode=...)]})

    assert [p.split(":")[0].rpartition(".")[2] for p in problems] == ["aws_access_key_id", "aws_secret_access_key"]
    assert all("execution_role" in p for p in problems)


@pytest.mark.parametrize("field", ["s3_bucket_name", "s3_bucket_region"])
@pytest.mark.parametrize("value", [..., "", None])
def test_bucket_and_region_are_required(field: str, value: Any) -> None:
    """[doc] Required; blank is not given."""
    assert problems_of({"connections": [connection(**{field: value})]}) == [
        f"connections[0].configuration.{field}: required, but not given"
    ]


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"auth_mode": "iam_role"}, "iam_role_arn: required with auth_mode iam_role"),
        ({"iam_role_arn": ROLE}, "iam_role_arn: not used with auth_mode execution_role"),
        ({"aws_access_key_id": "x"}, "aws_access_key_id: not used with auth_mode execution_role"),
        ({**KEYS, "aws_access_key_id": "x"}, "aws_secret_access_key: required"),
        (
            {**KEYS, "aws_credentials_secret": "s", "aws_access_key_id": "x"},
            "aws_access_key_id: given twice",
        ),
        (NOTIFIED, "event_queue_arn: required where enable_event_notifications is true"),
        ({"event_queue_arn": "managed"}, "event_queue_arn: not used while enable_event_notifications is false"),
        ({"is_directory_snapshot": True, "directory_glob_pattern": "*"}, "only where is_single_table is true"),
        ({**DIRECTORIES, "directory_glob_pattern": ""}, "directory_glob_pattern: required"),
        ({"directory_glob_pattern": "*"}, "directory_glob_pattern: only where is_directory_snapshot is true"),
        ({"single_table_name": "t"}, "single_table_name: only where is_single_table is true and"),
        ({**DIRECTORIES, "single_table_name": "t"}, "single_table_name: only where"),
        ({**DIRECTORIES, "single_table_file_format": "json"}, "single_table_file_format: only where"),
        ({**ONE_TABLE, "single_table_file_formats": ["json"]}, "single_table_file_formats: only where"),
        (
            {**ONE_TABLE, "single_table_file_format": "parquet", "skip_lines": 1},
            "skip_lines: only where csv, fixed_width, log or excel are among the formats, which are: parquet",
        ),
        ({**DIRECTORIES, "single_table_file_formats": ["json"], "csv_delimiter": ","}, "csv_delimiter: only where csv"),
        ({**DIRECTORIES, "single_table_file_formats": ["json", "json"]}, "each format once"),
        ({"csv_delimiter": '"'}, "csv_quote: the same character as csv_delimiter"),
        ({"csv_delimiter": "|", "csv_escape": "|"}, "csv_escape: the same character as csv_delimiter"),
        ({"csv_delimiter": "|", "csv_escape": "bar"}, "csv_escape: the same character as csv_delimiter"),
        ({"external_id": "mine"}, "external_id: read-only"),
        ({"aws_user": "arn:aws:iam::123456789012:user/u"}, "aws_user: read-only"),
        ({"s3_bucket_nme": "x"}, "s3_bucket_nme: unknown field; did you mean 's3_bucket_name'?"),
        ({"colour": "x"}, "colour: unknown field; accepted are auth_mode"),
        ({"subfolder": "x"}, "subfolder: misplaced field; it belongs in bulk_syncs[].destination_configuration"),
    ],
)
def test_contradictions_are_refused(fields: dict[str, Any], line: str) -> None:
    """Each condition between fields is held, in words."""
    problems = problems_of({"connections": [connection(**fields)]})

    assert any(line in problem for problem in problems), problems


@pytest.mark.parametrize(
    "fields",
    [
        {**ONE_TABLE, "single_table_file_format": "parquet", "skip_lines": 0},
        {"single_table_file_format": "csv", "is_directory_snapshot": False, "single_table_file_formats": ["csv"]},
        {"csv_quote": '"', "csv_escape": '"'},
        {"external_id": "", "aws_user": None},
        {**DIRECTORIES, "single_table_file_formats": ["json", "csv"], "skip_lines": 3},
    ],
)
def test_a_default_written_out_is_no_contradiction(fields: dict[str, Any]) -> None:
    """A form that shows every field with its default pastes in."""
    assert parsed_connection(**fields)


def test_all_problems_come_at_once() -> None:
    """Wrong values, missing fields, contradictions and unknown fields of all items are told together."""
    broken = connection("in", s3_bucket_region="nowhere", skip_lines=-1, iam_role_arn=ROLE, colour="red")

    problems = problems_of({"connections": [broken, 3, connection("out", s3_bucket_name=...)], "extra": 1})

    assert [problem.split(":")[0] for problem in problems] == [
        "connections[0].configuration.s3_bucket_region",
        "connections[0].configuration.skip_lines",
        "connections[0].configuration.colour",
        "connections[0].configuration.iam_role_arn",
        "connections[1]",
        "connections[2].configuration.s3_bucket_name",
        "extra",
    ]


@pytest.mark.parametrize(
    ("text", "bucket", "path"),
    [
        ("s3://polytomic/dataset", "polytomic", "dataset"),
        ("polytomic/dataset", "polytomic", "dataset"),
        ("polytomic", "polytomic", ""),
        ("s3://polytomic/", "polytomic", ""),
        ("polytomic/a/b c/ü+%/", "polytomic", "a/b c/ü+%"),
        ("my.bucket-1/x", "my.bucket-1", "x"),
    ],
)
def test_bucket_and_folder_in_three_spellings(text: str, bucket: str, path: str) -> None:
    """[doc] s3://bucket/folder, bucket/folder or bucket."""
    made = parsed_connection(s3_bucket_name=text)

    assert (made.bucket, made.folder, made.root) == (bucket, path, Folder(bucket, path))


@pytest.mark.parametrize(
    "text",
    [
        "s3://", "ab", "Acme", "acme_in", "-acme", "acme-", "a..b", "192.168.5.4", "xn--acme", "acme-s3alias",
        "acme--x-s3", "a" * 64, "arn:aws:s3:::acme", "s3a://acme", "https://acme.s3.amazonaws.com/x", "acme//x",
        "acme/a//b", "acme/a/../b", "acme/./b", "acme/a*", "acme/a?", "acme/${aws:username}", "acme/a\nb",
        "acme/" + "x" * 701, 12, ["acme"],
    ],
)  # fmt: skip
def test_what_is_no_bucket_or_folder(text: Any) -> None:
    """S3's naming rules; segments that tools resolve, and characters that widen a policy, are refused."""
    (problem,) = problems_of({"connections": [connection(s3_bucket_name=text)]})

    assert problem.startswith("connections[0].configuration.s3_bucket_name: found ")


def test_authentication_is_one_of_three() -> None:
    """The fields become a union once."""
    role = parsed_connection(auth_mode="iam_role", iam_role_arn=ROLE)

    assert parsed_connection().auth == ExecutionRole()
    assert parsed_connection(**KEYS, aws_credentials_secret="millrace/in").auth == AccessKeys(secret="millrace/in")
    assert role.auth == IamRole(ROLE, str(role.external_id))


def test_the_external_id_is_stable_and_the_connections_own() -> None:
    """The same connection has the same id for ever; another name, role or bucket has another."""
    fields = {"auth_mode": "iam_role", "iam_role_arn": ROLE}
    first = parsed_connection(**fields)
    others = [
        parsed_connection(**{**fields, "iam_role_arn": ROLE + "2"}),
        parsed_connection(**fields, s3_bucket_name="other"),
    ]

    assert first.external_id == "millrace-in-7bf7b802263c39cb0bbe"
    assert parsed_connection(**fields, s3_bucket_name="acme-in/sub", skip_lines=1).external_id == first.external_id
    assert first.external_id not in {other.external_id for other in others}
    assert parsed_connection().external_id is None


def test_the_layout_is_one_of_three() -> None:
    """Three booleans become one union; a single table is named after its folder, else its bucket."""
    named = parsed_connection(**ONE_TABLE, single_table_name="t", single_table_file_format="parquet")

    assert parsed_connection().layout == MultiTable()
    assert named.layout == SingleTable("t", FileFormat.PARQUET)
    assert parsed_connection(**ONE_TABLE, s3_bucket_name="b-1/a/orders").layout == SingleTable("orders", FileFormat.CSV)
    assert parsed_connection(**ONE_TABLE, s3_bucket_name="b-1").layout == SingleTable("b-1", FileFormat.CSV)
    assert parsed_connection(**DIRECTORIES).layout == DirectorySnapshot("*", (FileFormat.CSV,))


def test_notifications_are_one_of_three() -> None:
    """None, a managed queue, or the user's own."""
    assert parsed_connection().notifications is None
    assert parsed_connection(**NOTIFIED, event_queue_arn="managed").notifications == ManagedQueue()
    assert parsed_connection(**NOTIFIED, event_queue_arn=QUEUE).notifications == QueueArn(QUEUE)


def test_reading_follows_the_connection() -> None:
    """Every reading field arrives in the options; none of them is lost."""
    made = parsed_connection(
        csv_has_headers=False,
        skip_lines=2,
        csv_delimiter=";",
        csv_quote="none",
        csv_escape="\\",
        csv_quotes="lenient",
        csv_encoding="cp1252",
        csv_null_values=["NA"],
        csv_infer_types=False,
        csv_column_types={"zip": "text"},
    )

    assert made.read_options(Compression.GZIP, bad_rows=BadRows.QUARANTINE) == ReadOptions(
        compression=Compression.GZIP,
        has_headers=False,
        skip_lines=2,
        delimiter=";",
        quote="",
        escape="\\",
        quotes=Quotes.LENIENT,
        encoding="cp1252",
        null_values=("NA",),
        infer_types=False,
        column_types={"zip": "text"},
        bad_rows=BadRows.QUARANTINE,
    )
    assert parsed_connection().read_options() == ReadOptions()


@pytest.mark.parametrize("name", ["", None, " in", "a#b", "a/b", "x" * 65, "a\nb", 7])
def test_what_is_no_name(name: Any) -> None:
    """Names are short, printable text that can stand in a ledger's key."""
    (problem,) = problems_of({"connections": [{**connection(), "name": name}]})

    assert problem.startswith("connections[0].name: ")
