"""One row a field of the configuration: a valid value, an invalid one, the default, and the effect on outputs.

The effect is seen through planner and worker: what the outputs are with the default, and with the valid value. Fields
without an effect on an output name the suite that shows theirs.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.config.document import Document, parse
from millrace.config.object_filter_fields import OBJECT_FILTER_FIELDS
from millrace.config.reference import TOP, by_place
from millrace.engine.formats.streams.decompression import open_plain
from millrace.engine.formats.streams.first_bytes import name_compression
from millrace.engine.option_list import OPTION_OF_NAME
from millrace.errors import InvalidConfiguration
from millrace.objects.references import ObjectRef
from tests.configurations import bulk_sync, connection
from tests.examples import KEY, Run
from tests.places import TESTS

CONNECTION: Final = "connections[]"
S3: Final = "connections[].configuration"
BULK: Final = "bulk_syncs[]"
DESTINATION: Final = "bulk_syncs[].destination_configuration"
SCHEMA: Final = "bulk_syncs[].schemas[]"
FIELD: Final = "bulk_syncs[].schemas[].fields[]"
FILTER: Final = "filters[]"
MODEL: Final = "models[]"
MODEL_CONFIGURATION: Final = "models[].configuration"
MODEL_SYNC: Final = "model_syncs[]"
TARGET: Final = "model_syncs[].target"
TARGET_CONFIGURATION: Final = "model_syncs[].target.configuration"
MAPPING: Final = "model_syncs[].fields[]"
CONSTANT: Final = "model_syncs[].override_fields[]"
OVERRIDE: Final = "model_syncs[].overrides[]"
WEBHOOK: Final = "webhooks[]"
TABLES: Final = "arn:aws:s3tables:us-east-1:123456789012:bucket/acme-tables"
WEBHOOKS_SUITE: Final = "unit/notices/test_webhooks.py"

ORDERS = "id,region,email,changed\n1,EU,a@x,2026-01-02\n2,US,,2025-01-01\n"
FIRST = '{"id":1,"region":"EU","email":"a@x","changed":"2026-01-02"}\n'
SECOND = '{"id":2,"region":"US","email":null,"changed":"2025-01-01"}\n'
REQUIRED: Final = "required"
NOTHING: dict[str, str] = {}

Raw = dict[str, Any]
Outputs = Mapping[str, Any]
"""Texts by keys below the destination's folder, ... being any text; of a Parquet file only that it is one."""


def _base() -> Raw:
    return {
        "connections": [
            connection("landing", "s3://acme-in/in", enable_event_notifications=True, event_queue_arn="managed"),
            connection("lake", "s3://acme-out/lake"),
            connection("spare", "s3://acme-spare/in"),
        ],
    }


def _bulk() -> Raw:
    return {**_base(), "bulk_syncs": [bulk_sync("nightly", to="json")]}


def _webhook() -> Raw:
    return _bulk() | {"webhooks": [{"name": "ops", "url": "https://x.example/h", "secret": "millrace/webhook"}]}


def _schema() -> Raw:
    return {**_base(), "bulk_syncs": [bulk_sync("nightly", to="json", schemas=[{"id": "orders"}])]}


def _field() -> Raw:
    raw = _schema()
    raw["bulk_syncs"][0]["schemas"][0]["fields"] = [{"id": "email"}]
    return raw


def _filter() -> Raw:
    raw = _schema()
    raw["bulk_syncs"][0]["schemas"][0]["filters"] = [{"field": "region", "function": "Equality", "value": "EU"}]
    return raw


def _model_sync() -> Raw:
    return {
        **_base(),
        "models": [{"name": "orders", "connection": "landing", "configuration": {"key": "in/orders.csv"}}],
        "model_syncs": [
            {"name": "push", "model": "orders", "target": {"connection": "lake", "configuration": {"format": "json"}}}
        ],
    }


def _mapping() -> Raw:
    raw = _model_sync()
    raw["model_syncs"][0]["fields"] = [{"source": "id"}]
    return raw


def _constant() -> Raw:
    raw = _mapping()
    raw["model_syncs"][0]["override_fields"] = [{"target": "system", "override_value": "shop"}]
    return raw


def _override() -> Raw:
    raw = _mapping()
    raw["model_syncs"][0]["overrides"] = [{"field": "id", "function": "Equality", "value": 1, "override": 9}]
    return raw


PLACES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    CONNECTION: (_bulk, ("connections", 0)),
    S3: (_bulk, ("connections", 0, "configuration")),
    BULK: (_bulk, ("bulk_syncs", 0)),
    DESTINATION: (_bulk, ("bulk_syncs", 0, "destination_configuration")),
    SCHEMA: (_schema, ("bulk_syncs", 0, "schemas", 0)),
    FIELD: (_field, ("bulk_syncs", 0, "schemas", 0, "fields", 0)),
    FILTER: (_filter, ("bulk_syncs", 0, "schemas", 0, "filters", 0)),
    MODEL: (_model_sync, ("models", 0)),
    MODEL_CONFIGURATION: (_model_sync, ("models", 0, "configuration")),
    MODEL_SYNC: (_model_sync, ("model_syncs", 0)),
    TARGET: (_model_sync, ("model_syncs", 0, "target")),
    TARGET_CONFIGURATION: (_model_sync, ("model_syncs", 0, "target", "configuration")),
    MAPPING: (_mapping, ("model_syncs", 0, "fields", 0)),
    CONSTANT: (_constant, ("model_syncs", 0, "override_fields", 0)),
    OVERRIDE: (_override, ("model_syncs", 0, "overrides", 0)),
    WEBHOOK: (_webhook, ("webhooks", 0)),
}
"""A sound document for each object of the configuration, and the steps to it there."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One field. ``context`` holds in every case, ``needs`` with the valid value only; ... removes a field.

    ``deep`` are values elsewhere in the document, by their steps. ``shown`` is the suite that shows the effect where no
    output does, and a word that stands in it.
    """

    place: str
    name: str
    valid: Any
    invalid: Any
    says: str
    default: Any
    before: Outputs = field(default_factory=dict)
    after: Outputs = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=lambda: {"in/orders.csv": ORDERS})
    deleted: tuple[str, ...] = ()
    context: Raw = field(default_factory=dict)
    needs: Raw = field(default_factory=dict)
    deep: Mapping[tuple[Any, ...], Any] = field(default_factory=dict)
    shown: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.place}.{self.name}"

    def document(self, **given: Any) -> Raw:
        """The sound document with the fields that are given."""
        make, steps = PLACES[self.place]
        raw: Raw = copy.deepcopy(make())
        for path, value in self.deep.items():
            _set(raw, path, value)
        for name, value in {**self.context, **given}.items():
            _set(raw, (*steps, name), value)
        return raw

    @property
    def without(self) -> Raw:
        """The field not given."""
        return self.document(**{self.name: ...})

    @property
    def with_valid(self) -> Raw:
        """The valid value."""
        return self.document(**self.needs, **{self.name: self.valid})


def _set(raw: Any, steps: tuple[Any, ...], value: Any) -> None:
    for step in steps[:-1]:
        raw = raw[step]
    if value is ...:
        raw.pop(steps[-1], None)
    else:
        raw[steps[-1]] = value


def _outputs(raw: Raw, row: Row) -> Outputs:
    refs = {path: ObjectRef("acme-in", path) for path in row.files}
    inputs = {refs[path]: text if isinstance(text, bytes) else text.encode() for path, text in row.files.items()}
    run = Run(parse(raw), inputs)
    run.work(run.uploads())
    run.work(run.deletions(refs[path] for path in row.deleted))
    return {ref.key.removeprefix("lake/"): _text(data) for ref, data in run.outputs().items()}


def _text(data: bytes) -> str:
    compression = name_compression(data)
    plain = open_plain(BytesIO(data), compression).read(2**20) if compression else data
    return "PAR1" if plain.startswith(b"PAR1") else plain.decode()


def _one(text: Any, key: str = "orders.jsonl") -> Outputs:
    return {key: text}


AS_IT_IS = _one(FIRST + SECOND)
SESSIONS = "integration/test_sessions.py"
TOPOLOGY = "infra/test_topology.py"
AUTH: Raw = {"auth_mode": "access_key_and_secret", "aws_credentials_secret": "millrace/landing"}
INLINE: Raw = {
    "auth_mode": "access_key_and_secret",
    "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key": "x" * 40,
}
NO_INLINE: Raw = {"aws_access_key_id": ..., "aws_secret_access_key": ...}
SINGLE: Raw = {"is_single_table": True}
DIRECTORIES: Raw = {"is_single_table": True, "is_directory_snapshot": True, "directory_glob_pattern": "*"}
EU: Raw = {"field": "region", "function": "Equality", "value": "EU"}
SINGLE_TABLE: Final = {("connections", 0, "configuration", "is_single_table"): True}
TWO: Final = {"in/a.csv": "id\n1\n", "in/b.csv": "id\n2\n"}
WIDER: Final = {"in/a.csv": "id\n1\n", "in/b.csv": "id\nx\n"}
BROKEN: Final = {"in/orders.csv": "id,a\n1,2\n3\n"}
PUT_ASIDE: Final = {"orders.jsonl": '{"id":1,"a":2}\n', "_quarantine/orders.jsonl": ...}
EMAIL_FIRST = (
    '{"email":"a@x","id":1,"region":"EU","changed":"2026-01-02"}\n'
    '{"email":null,"id":2,"region":"US","changed":"2025-01-01"}\n'
)
OBFUSCATED = EMAIL_FIRST.replace("a@x", hmac.new(KEY, b"a@x", hashlib.sha256).hexdigest())
CUT = {"tracking_field": "changed", "data_cutoff_timestamp": "2026-01-01T00:00:00Z"}
NO_OPTIONS: Raw = dict.fromkeys([*OPTION_OF_NAME, *OBJECT_FILTER_FIELDS])
IDS = '{"id":1}\n{"id":2}\n'


def _parquet(values: pa.Array) -> bytes:
    file = BytesIO()
    pq.write_table(pa.table({"a": values}), file)
    return file.getvalue()


BYTES_IN_PARQUET = _parquet(pa.array([b"x"]))
NAN_IN_PARQUET = _parquet(pa.array([math.nan]))


def _csv(
    name: str, valid: Any, invalid: Any, says: str, default: Any, text: str | bytes, before: Any, after: str
) -> Row:
    """A field of the CSV dialect; ``before`` None: the file cannot be read."""
    return Row(
        place=S3,
        name=name,
        valid=valid,
        invalid=invalid,
        says=says,
        default=default,
        files={"in/orders.csv": text},
        before=NOTHING if before is None else _one(before),
        after=_one(after),
    )


# A table: a row of code a field reads better than thirty lines.
# fmt: off
ROWS = [
    Row(place=CONNECTION, name="name", valid="inbox", invalid="a/b", says="found 'a/b'", default=REQUIRED,
        deep={("bulk_syncs", 0, "source_connection"): "inbox"}, after=AS_IT_IS),
    Row(place=CONNECTION, name="type", valid="s3", invalid="gcs", says="'s3'", default="s3", before=AS_IT_IS,
        after=AS_IT_IS),
    Row(place=CONNECTION, name="configuration", valid=connection("x", "acme-in/in")["configuration"], invalid="s3",
        says="expected an object", default=REQUIRED, after=AS_IT_IS),

    Row(place=S3, name="auth_mode", valid="iam_role", invalid="password", says="'iam_role'",
        default="access_key_and_secret", context={"aws_credentials_secret": "millrace/landing"},
        needs={"iam_role_arn": "arn:aws:iam::123456789012:role/r", "aws_credentials_secret": ...},
        shown=(SESSIONS, "iam_role")),
    Row(place=S3, name="aws_access_key_id", valid="AKIAIOSFODNN7EXAMPLE", invalid=7, says="not shown", default=None,
        context=AUTH, needs={"aws_secret_access_key": "x" * 40, "aws_credentials_secret": ...},
        shown=(SESSIONS, "aws_access_key_id")),
    Row(place=S3, name="aws_secret_access_key", valid="x" * 40, invalid=7, says="not shown", default=None, context=AUTH,
        needs={"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_credentials_secret": ...},
        shown=(SESSIONS, "aws_secret_access_key")),
    Row(place=S3, name="aws_credentials_secret", valid="millrace/landing", invalid="a b", says="Secrets Manager",
        default=None, context=INLINE, needs=NO_INLINE, shown=(SESSIONS, "aws_credentials_secret")),
    Row(place=S3, name="iam_role_arn", valid="arn:aws:iam::123456789012:role/r", invalid="role/r", says="a role's ARN",
        default=REQUIRED, context={"auth_mode": "iam_role"}, shown=(SESSIONS, "iam_role_arn")),
    Row(place=S3, name="s3_bucket_name", valid="s3://acme-in/in/sub", invalid="https://acme", says="s3://bucket/folder",
        default=REQUIRED, files={"in/a.csv": "id\n1\n", "in/sub/b.csv": "id\n2\n"}, after=_one('{"id":2}\n',
        "b.jsonl")),
    Row(place=S3, name="s3_bucket_region", valid="eu-west-1", invalid="eu-west-1a", says="an AWS region",
        default=REQUIRED, shown=(SESSIONS, "eu-west-1")),
    Row(place=S3, name="create_bucket", valid=True, invalid="yes", says="true, false", default=False,
        shown=(TOPOLOGY, "create_bucket")),
    Row(place=S3, name="enable_event_notifications", valid=True, invalid="yes", says="true, false", default=False,
        context={"event_queue_arn": ...}, needs={"event_queue_arn": "managed"}, before=AS_IT_IS, after=AS_IT_IS,
        shown=(TOPOLOGY, "rate(15 minutes)")),
    Row(place=S3, name="event_queue_arn", valid="managed", invalid="queue", says="an SQS queue's ARN",
        default=REQUIRED, shown=(TOPOLOGY, "own_queue_arns")),
    Row(place=S3, name="is_single_table", valid=True, invalid="yes", says="true, false", default=False,
        before=AS_IT_IS, after=_one(FIRST + SECOND, "in/orders.jsonl")),
    Row(place=S3, name="is_directory_snapshot", valid=True, invalid="yes", says="true, false", default=False,
        context=SINGLE, needs={"directory_glob_pattern": "*"}, files={"in/east/a.csv": "id\n1\n"},
        before=_one('{"id":1}\n', "in/east/a.jsonl"), after=_one('{"id":1}\n', "east/a.jsonl")),
    Row(place=S3, name="single_table_name", valid="sales", invalid="a/b", says="a table's name", default=None,
        context=SINGLE, before=_one(FIRST + SECOND, "in/orders.jsonl"), after=_one(FIRST + SECOND,
        "sales/orders.jsonl")),
    Row(place=S3, name="single_table_file_format", valid="json", invalid="xlsx", says="'csv'", default="csv",
        context=SINGLE, files={"in/a.csv": "id\n1\n", "in/b.json": '{"id":2}\n'},
        before=_one('{"id":1}\n', "in/a.jsonl"), after=_one('{"id":2}\n', "in/b.jsonl")),
    Row(place=S3, name="single_table_file_formats", valid=["json"], invalid=["csv", "csv"], says="each format once",
        default=["csv"], context=DIRECTORIES, files={"in/x/a.csv": "id\n1\n", "in/y/b.json": '{"id":2}\n'},
        before=_one('{"id":1}\n', "x/a.jsonl"), after=_one('{"id":2}\n', "y/b.jsonl")),
    Row(place=S3, name="directory_glob_pattern", valid="x*", invalid="a**b", says="'**' as a whole segment",
        default=REQUIRED, context=DIRECTORIES, files={"in/x1/a.csv": "id\n1\n", "in/y/b.csv": "id\n2\n"},
        after=_one('{"id":1}\n', "x1/a.jsonl")),
    _csv("csv_has_headers", valid=False, invalid="no", says="true, false", default=True, text="id\n1\n",
         before='{"id":1}\n', after='{"column_1":"id"}\n{"column_1":"1"}\n'),
    _csv("skip_lines", 1, -1, "at least 0", 0, "note\nid\n1\n", '{"note":"id"}\n{"note":"1"}\n', '{"id":1}\n'),
    _csv("csv_skip_footer", 1, -1, "at least 0", 0, "a,b\n1,2\nTotal,2\n\n",
         '{"a":"1","b":2}\n{"a":"Total","b":2}\n', '{"a":1,"b":2}\n'),
    _csv("csv_comment", "#", 5, "text", None, "a,b\n#x,y\n1,2\n",
         '{"a":"#x","b":"y"}\n{"a":"1","b":"2"}\n', '{"a":1,"b":2}\n'),
    _csv("csv_delimiter", "semicolon", "--", "one ASCII character", None, "a,b;c,d\n1,2;3,4\n", None,
         '{"a_b":"1,2","c_d":"3,4"}\n'),
    _csv("csv_quote", "single", "--", "one ASCII character", None, "a,b\n1,'2'\n", None, '{"a":1,"b":2}\n'),
    _csv("csv_escape", "backslash", "--", "one ASCII character", None, 'a,b\n1,"x\\\\y"\n',
         '{"a":1,"b":"x\\\\\\\\y"}\n', '{"a":1,"b":"x\\\\y"}\n'),
    _csv("csv_quotes", "lenient", "loose", "'lenient'", "strict", 'a,b\n"x, y","a "b" c"\n', None,
         '{"a":"x, y","b":"a \\"b\\" c"}\n'),
    _csv("csv_encoding", "latin-1", "klingon", "a text encoding", "utf-8", "a\nü\n".encode("latin-1"), None,
         '{"a":"ü"}\n'),
    _csv("csv_null_values", ["NA"], "NA", "expected a list", [], "a,b\nNA,1\n", '{"a":"NA","b":1}\n',
         '{"a":null,"b":1}\n'),
    _csv("csv_infer_types", valid=False, invalid="no", says="true, false", default=True, text="a\n1\n",
         before='{"a":1}\n', after='{"a":"1"}\n'),
    _csv("csv_column_types", {"a": "text"}, {"a": "number"}, "'text'", {}, "a,b\n1,1\n", '{"a":1,"b":1}\n',
         '{"a":"1","b":1}\n'),

    Row(place=S3, name="json_records", valid="r", invalid="a..b", says="is no path", default=None,
        files={"in/orders.json": '{"r":[{"a":1},{"a":2}]}'}, before=_one('{"r":[{"a":1},{"a":2}]}\n'),
        after=_one('{"a":1}\n{"a":2}\n')),
    Row(place=S3, name="json_parent_fields", valid=["owner"], invalid="owner", says="expected a list", default=[],
        context={"json_records": "r"}, files={"in/orders.json": '{"r":[{"a":1}],"owner":"x"}'},
        before=_one('{"a":1}\n'), after=_one('{"a":1,"owner":"x"}\n')),
    Row(place=S3, name="parquet_binary", valid="text", invalid="utf8", says="'text'", default="base64",
        files={"in/orders.parquet": BYTES_IN_PARQUET}, before=_one('{"a":"eA=="}\n'), after=_one('{"a":"x"}\n')),
    Row(place=S3, name="json_non_finite", valid="null", invalid="none", says="'null'", default="text",
        files={"in/orders.parquet": NAN_IN_PARQUET}, before=_one('{"a":"NaN"}\n'), after=_one('{"a":null}\n')),

    Row(place=S3, name="source_columns", valid=["row"], invalid=["line"], says="'row'", default=[],
        before=AS_IT_IS, after=_one(FIRST.replace("}", ',"_row":1}') + SECOND.replace("}", ',"_row":2}'))),

    Row(place=S3, name="type_hints", valid={"a": "decimal(5,2)"}, invalid={"a": "number"}, says="is no type",
        default={}, files={"in/orders.csv": "a,b\n1,x\n"}, before=_one('{"a":1,"b":"x"}\n'),
        after=_one('{"a":1.00,"b":"x"}\n')),
    Row(place=S3, name="types", valid="wide", invalid="widest", says="'wide'", default="exact",
        shown=("unit/engine/tables/test_wide.py", "a_column_has_the_widest_type")),

    Row(place=S3, name="fixed_width", valid=[{"name": "id", "start": 1, "length": 4}], invalid=[{"name": "id"}],
        says="fixed_width", default=[],
        shown=("unit/engine/formats/test_fixed_width.py", "fields_are_cut_at_their_characters")),
    Row(place=S3, name="log_preset", valid="alb", invalid="syslog", says="'alb'", default=None,
        shown=("unit/engine/formats/test_log.py", "a_line_has_its_presets_fields")),
    Row(place=S3, name="excel_sheet", valid="Orders", invalid=7, says="expected text", default=None,
        shown=("unit/engine/formats/test_excel.py", "a_sheet_is_chosen_by_its_name")),
    Row(place=S3, name="xml_row", valid="a/b", invalid=7, says="expected text", default=None,
        shown=("unit/engine/formats/test_xml.py", "a_path_says_which_elements_are_rows")),

    Row(place=BULK, name="name", valid="daily", invalid="a#b", says="found 'a#b'", default=REQUIRED, after=AS_IT_IS,
        shown=("unit/objects/test_lineage.py", "sync")),
    Row(place=BULK, name="source_connection", valid="spare", invalid="nowhere", says="not among the connections",
        default=REQUIRED, after=NOTHING),
    Row(place=BULK, name="destination_connection", valid="spare", invalid="nowhere", says="not among the connections",
        default=REQUIRED, after=_one(FIRST + SECOND, "in/orders.jsonl")),
    Row(place=BULK, name="destination_configuration", valid={"format": "json"}, invalid="csv",
        says="expected an object",
        default={"format": "csv", "subfolder": "", "compression": None, "catalog": None, "database": None,
                 "table_bucket": None},
        before=_one(ORDERS, "orders.csv"),
        after=AS_IT_IS),
    Row(place=BULK, name="mode", valid="snapshot", invalid="update", says="'snapshot'", default="replicate",
        deep=SINGLE_TABLE, files=TWO, before={"in/a.jsonl": '{"id":1}\n', "in/b.jsonl": '{"id":2}\n'},
        after=_one('{"id":2}\n', "in/in.jsonl")),
    Row(place=BULK, name="active", valid=False, invalid="no", says="true, false", default=True, before=AS_IT_IS,
        after=NOTHING),
    Row(place=BULK, name="on_delete", valid="remove", invalid="drop", says="'remove'", default="keep",
        deleted=("in/orders.csv",), before=AS_IT_IS, after=NOTHING),
    Row(place=BULK, name="bad_rows", valid="quarantine", invalid="skip", says="'quarantine'", default="fail",
        files=BROKEN, before=NOTHING, after=PUT_ASIDE),
    Row(place=BULK, name="schemas", valid=["b"], invalid=[], says="at least one item", default=None, files=TWO,
        before={"a.jsonl": '{"id":1}\n', "b.jsonl": '{"id":2}\n'}, after=_one('{"id":2}\n', "b.jsonl")),
    Row(place=BULK, name="automatically_add_new_fields", valid="none", invalid="some", says="'none'", default="all",
        context={"schemas": [{"id": "orders", "fields": ["id"]}]}, before=AS_IT_IS, after=_one(IDS)),
    Row(place=BULK, name="automatically_add_new_objects", valid="all", invalid="some", says="'none'", default=None,
        context={"schemas": ["b"]}, files=TWO, before=_one('{"id":2}\n', "b.jsonl"),
        after={"a.jsonl": '{"id":1}\n', "b.jsonl": '{"id":2}\n'}),
    Row(place=BULK, name="schema_evolution", valid="rescue", invalid="widen", says="'rescue'", default="evolve",
        deep=SINGLE_TABLE, files=WIDER, before={"in/a.jsonl": '{"id":1}\n', "in/b.jsonl": '{"id":"x"}\n'},
        after={"in/a.jsonl": '{"id":1,"_rescued":null}\n', "in/b.jsonl": '{"id":null,"_rescued":{"id":"x"}}\n'}),
    Row(place=BULK, name="normalize_names", valid="disabled", invalid=True, says="'disabled'", default="enabled",
        files={"in/orders.csv": "Order ID\n1\n"}, before=_one('{"order_id":1}\n'), after=_one('{"Order ID":1}\n')),
    Row(place=BULK, name="disable_record_timestamps", valid=False, invalid="no", says="true, false", default=True,
        files={"in/orders.csv": "id\n1\n"}, before=_one('{"id":1}\n'),
        after=_one('{"id":1,"_millrace_synced_at":"2026-11-22T12:00:00.000000Z"}\n')),
    Row(place=BULK, name="schedule", valid="daily", invalid="often", says="rate(15 minutes)", default=None,
        shown=("infra/test_topology.py", "cron(")),
    Row(place=BULK, name="notify", valid="runs", invalid="all", says="'none', 'failures', 'runs' or 'objects'",
        default="failures", shown=("unit/notices/test_entry_events.py", "test_each_level_has_those_before_it")),
    Row(place=DESTINATION, name="format", valid="parquet", invalid="xlsx", says="'parquet'", default="csv",
        before=_one(ORDERS, "orders.csv"), after=_one("PAR1", "orders.parquet")),
    Row(place=DESTINATION, name="subfolder", valid="reports", invalid="../x", says="'..'", default="", before=AS_IT_IS,
        after=_one(FIRST + SECOND, "reports/orders.jsonl")),
    Row(place=DESTINATION, name="compression", valid="gz", invalid="snappy", says="none, gz, zst, bz2", default=None,
        before=AS_IT_IS, after=_one(FIRST + SECOND, "orders.jsonl.gz")),

    Row(place=DESTINATION, name="catalog", valid="glue", invalid="hive", says="'glue'", default=None,
        context={"format": "parquet"}, deep=SINGLE_TABLE,
        shown=("unit/catalog/test_keeping.py", "test_the_first_file_makes_the_table")),
    Row(place=DESTINATION, name="database", valid="sales", invalid="Sales", says="small letters", default=None,
        context={"format": "parquet", "catalog": "glue"}, deep=SINGLE_TABLE,
        shown=("infra/test_grants.py", "test_keeps_the_tables_of_named_databases")),
    Row(place=DESTINATION, name="table_bucket", valid=TABLES, invalid="acme-tables", says="ARN of an S3 table bucket",
        default=None, context={"format": "iceberg", "database": "sales"}, deep=SINGLE_TABLE,
        shown=("unit/catalog/iceberg/test_table_buckets.py", "test_the_first_file_makes_namespace_and_table")),
    Row(place=SCHEMA, name="id", valid="orders", invalid="orders.csv", says="without its extension", default=REQUIRED,
        after=AS_IT_IS),
    Row(place=SCHEMA, name="enabled", valid=False, invalid="no", says="true, false", default=True, before=AS_IT_IS,
        after=NOTHING),
    Row(place=SCHEMA, name="fields", valid=["email"], invalid=["x", "x"], says="named twice", default=None,
        before=AS_IT_IS, after=_one(EMAIL_FIRST)),
    Row(place=SCHEMA, name="filters", valid=[EU], invalid="EU", says="expected a list", default=[], before=AS_IT_IS,
        after=_one(FIRST)),
    Row(place=SCHEMA, name="partition_key", valid="region", invalid=7, says="text", default=None, before=AS_IT_IS,
        after={"orders/region=EU/orders.jsonl": FIRST, "orders/region=US/orders.jsonl": SECOND}),
    Row(place=SCHEMA, name="tracking_field", valid="changed", invalid=7, says="text", default=None,
        needs={"data_cutoff_timestamp": "2026-01-01T00:00:00Z"}, before=AS_IT_IS, after=_one(FIRST)),
    Row(place=SCHEMA, name="data_cutoff_timestamp", valid="2026-01-01T00:00:00Z", invalid="2026-01-01T00:00:00",
        says="2026", default=None, context={"tracking_field": "changed"}, before=AS_IT_IS, after=_one(FIRST)),
    Row(place=SCHEMA, name="disable_data_cutoff", valid=True, invalid="no", says="true, false", default=False,
        context=CUT, before=_one(FIRST), after=AS_IT_IS),
    Row(place=SCHEMA, name="user_output_name", valid="sales/all", invalid="a//b", says="empty segments", default=None,
        before=AS_IT_IS, after=_one(FIRST + SECOND, "sales/all.jsonl")),

    Row(place=FIELD, name="id", valid="email", invalid=7, says="text", default=REQUIRED, after=_one(EMAIL_FIRST)),
    Row(place=FIELD, name="enabled", valid=False, invalid="no", says="true, false", default=True,
        before=_one(EMAIL_FIRST), files={"in/orders.csv": ORDERS},
        after=_one('{"id":1,"region":"EU","changed":"2026-01-02"}\n{"id":2,"region":"US","changed":"2025-01-01"}\n')),
    Row(place=FIELD, name="obfuscated", valid=True, invalid="yes", says="true, false", default=False,
        before=_one(EMAIL_FIRST), after=_one(OBFUSCATED)),
    Row(place=FIELD, name="user_output_name", valid="Mail", invalid=7, says="text", default=None,
        before=_one(EMAIL_FIRST), after=_one(EMAIL_FIRST.replace('"email"', '"Mail"'))),

    Row(place=FILTER, name="field", valid="region", invalid=7, says="text", default=REQUIRED, after=_one(FIRST)),
    Row(place=FILTER, name="function", valid="Inequality", invalid="Like", says="'Equality'", default=REQUIRED,
        after=_one(SECOND)),
    Row(place=FILTER, name="value", valid="US", invalid=["US"], says="one value", default=REQUIRED, after=_one(SECOND)),
    Row(place=FILTER, name="label", valid="B", invalid="BB", says="found 'BB'", default=None, before=_one(FIRST),
        after=_one(FIRST), shown=("unit/engine/transform/test_filters.py", "label")),

    Row(place=MODEL, name="name", valid="clients", invalid="a/b", says="found 'a/b'", default=REQUIRED,
        deep={("model_syncs", 0, "model"): "clients"}, after=_one(FIRST + SECOND, "clients.jsonl")),
    Row(place=MODEL, name="connection", valid="spare", invalid="nowhere", says="not among the connections",
        default=REQUIRED, after=NOTHING),
    Row(place=MODEL, name="configuration", valid={"key": "in/b.csv"}, invalid="in/b.csv", says="expected an object",
        default={"model_from": None, "key": None, "file_format": None, "subfolder": ""} | NO_OPTIONS, files=TWO,
        before=_one(IDS), after=_one('{"id":2}\n')),
    Row(place=MODEL, name="fields", valid=["region", "id"], invalid=["id", "id"], says="each field once", default=None,
        before=AS_IT_IS, after=_one('{"region":"EU","id":1}\n{"region":"US","id":2}\n')),
    Row(place=MODEL, name="identifier", valid="id", invalid=7, says="text", default=None,
        files={"in/orders.csv": "id\n1\n1\n"}, before=_one('{"id":1}\n{"id":1}\n'), after=NOTHING),
    Row(place=MODEL, name="duplicate_identifiers", valid="last_wins", invalid="first_wins", says="'last_wins'",
        default="error", context={"identifier": "id"}, files={"in/orders.csv": "id,a\n1,x\n1,y\n"}, before=NOTHING,
        after=_one('{"id":1,"a":"y"}\n')),
    Row(place=MODEL_CONFIGURATION, name="model_from", valid="multi_file_archive", invalid="files", says="'single_file'",
        default=None, needs={"key": ...}, files={"in/orders.csv": "id\n1\n", "in/z.csv": "id\n2\n"},
        before=_one('{"id":1}\n'), after=_one(IDS)),
    Row(place=MODEL_CONFIGURATION, name="key", valid="in/b.csv", invalid="elsewhere/b.csv", says="not below the folder",
        default=None, files=TWO, before=_one(IDS), after=_one('{"id":2}\n')),
    Row(place=MODEL_CONFIGURATION, name="file_format", valid="json", invalid="xlsx", says="'json'", default=None,
        files={"in/orders.csv": '{"id":1}\n'}, before=_one(""), after=_one('{"id":1}\n')),
    Row(place=MODEL_CONFIGURATION, name="subfolder", valid="sub", invalid="..", says="'..'", default="",
        context={"key": ...}, files={"in/a.csv": "id\n1\n", "in/sub/b.csv": "id\n2\n"}, before=_one(IDS),
        after=_one('{"id":2}\n')),

    Row(place=MODEL_SYNC, name="name", valid="daily", invalid="a#b", says="found 'a#b'", default=REQUIRED,
        after=AS_IT_IS, shown=("unit/objects/test_lineage.py", "sync")),
    Row(place=MODEL_SYNC, name="model", valid="orders", invalid="nothing", says="not among the models",
        default=REQUIRED,
        after=AS_IT_IS),
    Row(place=MODEL_SYNC, name="target", valid={"connection": "lake"}, invalid="lake", says="expected an object",
        default=REQUIRED, after=_one(ORDERS, "orders.csv")),
    Row(place=MODEL_SYNC, name="mode", valid="append", invalid="updateOrCreate", says="replace (default)",
        default="replace", before=AS_IT_IS, after=_one(FIRST + SECOND, "orders/orders.jsonl")),
    Row(place=MODEL_SYNC, name="active", valid=False, invalid="no", says="true, false", default=True, before=AS_IT_IS,
        after=NOTHING),
    Row(place=MODEL_SYNC, name="fields", valid=[{"source": "id"}], invalid=[], says="at least one item", default=None,
        before=AS_IT_IS, after=_one(IDS)),
    Row(place=MODEL_SYNC, name="override_fields", valid=[{"target": "x", "override_value": 1}], invalid=[{}],
        says="required", default=[], files={"in/orders.csv": "id\n1\n"}, before=_one('{"id":1}\n'),
        after=_one('{"id":1,"x":1}\n')),
    Row(place=MODEL_SYNC, name="overrides", valid=[{"field": "region", "function": "IsNotNull", "override": "-"}],
        invalid=[{}], says="required", default=[], before=AS_IT_IS,
        after=_one((FIRST + SECOND).replace('"EU"', '"-"').replace('"US"', '"-"'))),
    Row(place=MODEL_SYNC, name="filters", valid=[EU], invalid=[{}], says="required", default=[], before=AS_IT_IS,
        after=_one(FIRST)),
    Row(place=MODEL_SYNC, name="filter_logic", valid="NOT A", invalid="A AND", says="a filter's letter", default=None,
        context={"filters": [EU]}, before=_one(FIRST), after=_one(SECOND)),
    Row(place=MODEL_SYNC, name="bad_rows", valid="quarantine", invalid="skip", says="'quarantine'", default="fail",
        files=BROKEN, before=NOTHING, after=PUT_ASIDE),
    Row(place=MODEL_SYNC, name="schedule", valid="daily", invalid="often", says="rate(15 minutes)", default=None,
        shown=("infra/test_topology.py", "cron(")),
    Row(place=MODEL_SYNC, name="notify", valid="runs", invalid="all", says="'none', 'failures', 'runs' or 'objects'",
        default="failures", shown=("unit/notices/test_entry_events.py", "class TestModelEvents")),
    Row(place=TARGET, name="connection", valid="spare", invalid="nowhere", says="not among the connections",
        default=REQUIRED, after=_one(FIRST + SECOND, "in/orders.jsonl")),
    Row(place=TARGET, name="object", valid="crm/all", invalid="a//b", says="empty segments", default=None,
        before=AS_IT_IS, after=_one(FIRST + SECOND, "crm/all.jsonl")),
    Row(place=TARGET, name="configuration", valid={"format": "json"}, invalid="csv", says="expected an object",
        default={"format": "csv", "compression": None, "catalog": None, "database": None, "table_bucket": None},
        before=_one(ORDERS, "orders.csv"), after=AS_IT_IS),
    Row(place=TARGET_CONFIGURATION, name="format", valid="json-doc", invalid="xlsx", says="'json-doc'", default="csv",
        files={"in/orders.csv": "id\n1\n"}, before=_one("id\n1\n", "orders.csv"), after=_one(..., "orders.json")),
    Row(place=TARGET_CONFIGURATION, name="compression", valid="bz2", invalid="zstd", says="none, gz, zst, bz2",
        default=None, before=AS_IT_IS, after=_one(FIRST + SECOND, "orders.jsonl.bz2")),
    Row(place=TARGET_CONFIGURATION, name="catalog", valid="glue", invalid="hive", says="'glue'", default=None,
        context={"format": "parquet"},
        shown=("unit/catalog/test_models.py", "test_the_output_is_in_a_folder_of_its_own")),
    Row(place=TARGET_CONFIGURATION, name="database", valid="sales", invalid="Sales", says="small letters",
        default=None, context={"format": "iceberg"},
        shown=("infra/test_iceberg.py", "test_reaches_the_tables_of_its_databases_alone")),
    Row(place=TARGET_CONFIGURATION, name="table_bucket", valid=TABLES, invalid="acme-tables",
        says="ARN of an S3 table bucket", default=None, context={"format": "iceberg", "database": "sales"},
        shown=("unit/catalog/iceberg/test_table_buckets.py", "test_a_model_is_a_table_too")),
    Row(place=MAPPING, name="source", valid="region", invalid=7, says="text", default=REQUIRED,
        after=_one('{"region":"EU"}\n{"region":"US"}\n')),
    Row(place=MAPPING, name="target", valid="key", invalid=7, says="text", default=None, before=_one(IDS),
        after=_one(IDS.replace("id", "key"))),
    Row(place=MAPPING, name="override_value", valid="x", invalid=[1], says="text, a number", default=None,
        before=_one(IDS), after=_one('{"id":"x"}\n{"id":"x"}\n')),
    Row(place=CONSTANT, name="target", valid="source", invalid=7, says="text", default=REQUIRED,
        after=_one('{"id":1,"source":"shop"}\n{"id":2,"source":"shop"}\n')),
    Row(place=CONSTANT, name="override_value", valid=True, invalid=[1], says="text, a number", default=REQUIRED,
        after=_one('{"id":1,"system":true}\n{"id":2,"system":true}\n')),
    Row(place=OVERRIDE, name="field", valid="id", invalid=7, says="text", default=REQUIRED,
        after=_one('{"id":9}\n{"id":2}\n')),
    Row(place=OVERRIDE, name="function", valid="Inequality", invalid="Like", says="'Equality'", default=REQUIRED,
        after=_one('{"id":1}\n{"id":9}\n')),
    Row(place=OVERRIDE, name="value", valid=2, invalid=[2], says="one value", default=REQUIRED,
        after=_one('{"id":1}\n{"id":9}\n')),
    Row(place=OVERRIDE, name="override", valid=7, invalid=[7], says="text, a number", default=None,
        before=_one('{"id":null}\n{"id":2}\n'), after=_one('{"id":7}\n{"id":2}\n')),

    Row(place=WEBHOOK, name="name", valid="alerts", invalid="a/b", says="found 'a/b'", default=REQUIRED,
        shown=(WEBHOOKS_SUITE, "test_two_of_one_name_are_refused")),
    Row(place=WEBHOOK, name="url", valid="https://y.example/h", invalid="http://y.example/h", says="https://host/path",
        default=REQUIRED, shown=(WEBHOOKS_SUITE, "class TestWebhookAddresses")),
    Row(place=WEBHOOK, name="secret", valid="acme/hook", invalid="a b", says="Secrets Manager secret",
        default=REQUIRED, shown=(WEBHOOKS_SUITE, "class TestWebhookSignatures")),
    Row(place=WEBHOOK, name="syncs", valid=["nightly"], invalid=["weekly"], says="not among the syncs", default=None,
        shown=("infra/test_webhooks.py", "test_a_rule_chooses_what_its_webhook_asks_for")),
    Row(place=WEBHOOK, name="events", valid=["run.failed"], invalid=["run.began"], says="'run.failed'", default=None,
        shown=("infra/test_webhooks.py", "test_a_rule_chooses_what_its_webhook_asks_for")),
    Row(place=WEBHOOK, name="format", valid="polytomic", invalid="slack", says="'standard' or 'polytomic'",
        default="standard", shown=(WEBHOOKS_SUITE, "class TestVendorsFormat")),
    Row(place=WEBHOOK, name="active", valid=False, invalid="no", says="true, false", default=True,
        shown=(WEBHOOKS_SUITE, "test_what_is_not_active_gets_nothing")),
]
# A model keeps the names of its fields, which a bulk sync brings into one form.
OF_MODELS = {"csv_delimiter": _one('{"a,b":"1,2","c,d":"3,4"}\n')}
BOTH = {"a.jsonl": '{"id":1}\n', "b.jsonl": '{"id":2}\n'}
LATER = "2100-01-01T00:00:00Z"
OF_A_FOLDER: Raw = {"place": MODEL_CONFIGURATION, "context": {"key": ...}, "files": TWO, "before": _one(IDS)}
ROWS += [
    Row(place=S3, name="include", valid=["a*"], invalid=[], says="at least one item", default=None, files=TWO,
        before=BOTH, after=_one('{"id":1}\n', "a.jsonl")),
    Row(place=S3, name="exclude", valid=["a*"], invalid=[], says="at least one item", default=None, files=TWO,
        before=BOTH, after=_one('{"id":2}\n', "b.jsonl")),
    Row(place=S3, name="newer_than", valid=LATER, invalid="2100-01-01", says="2100-01-01", default=None, files=TWO,
        before=BOTH, after=NOTHING),
    Row(place=SCHEMA, name="include", valid=["*.tsv"], invalid=[], says="at least one item", default=None,
        before=AS_IT_IS, after=NOTHING),
    Row(place=SCHEMA, name="exclude", valid=["orders*"], invalid=[], says="at least one item", default=None,
        before=AS_IT_IS, after=NOTHING),
    Row(place=SCHEMA, name="newer_than", valid=LATER, invalid="2100-01-01", says="2100-01-01", default=None,
        before=AS_IT_IS, after=NOTHING),
    Row(**OF_A_FOLDER, name="include", valid=["a*"], invalid=[], says="at least one item", default=None,
        after=_one('{"id":1}\n')),
    Row(**OF_A_FOLDER, name="exclude", valid=["a*"], invalid=[], says="at least one item", default=None,
        after=_one('{"id":2}\n')),
    Row(**OF_A_FOLDER, name="newer_than", valid=LATER, invalid="2100-01-01", says="2100-01-01", default=None,
        after=NOTHING),
]
# fmt: on
OPTION_ROWS = [row for row in ROWS if row.place == S3 and row.name in OPTION_OF_NAME]
ROWS += [replace(row, place=SCHEMA, default=None) for row in OPTION_ROWS]
ROWS += [
    replace(
        row,
        place=MODEL_CONFIGURATION,
        default=None,
        after=OF_MODELS.get(row.name, row.after),
        context={**row.context, "key": next(iter(row.files))},
    )
    for row in OPTION_ROWS
]


def _problems(raw: Raw) -> list[str]:
    with pytest.raises(InvalidConfiguration) as refused:
        parse(raw)
    return refused.value.problems


def _section(document: Document, row: Row) -> Any:
    found: Any = document
    for step in PLACES[row.place][1]:
        found = found[step] if isinstance(step, int) else getattr(found, step)
    return found


def _path(row: Row) -> str:
    steps = (*PLACES[row.place][1], row.name)
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def _same(outputs: Outputs, expected: Outputs) -> bool:
    return outputs.keys() == expected.keys() and all(expected[key] in (text, ...) for key, text in outputs.items())


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_valid_value_is_taken(row: Row) -> None:
    """With what it needs."""
    assert parse(row.with_valid)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_invalid_value_is_refused(row: Row) -> None:
    """By the path of its field, in words that say what is expected."""
    problems = _problems(row.document(**{row.name: row.invalid}))

    assert any(problem.startswith(_path(row)) and row.says in problem for problem in problems), problems


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("blank", [..., "", None], ids=["left out", "empty", "null"])
def test_it_has_its_default(row: Row, blank: Any) -> None:
    """Left out or blank; what is required is asked for."""
    raw = row.document(**{row.name: blank})

    if row.default == REQUIRED:
        assert any(one.startswith(_path(row)) and ("required" in one or "needs" in one) for one in _problems(raw))
    else:
        assert _section(parse(raw), row).model_dump(mode="json")[row.name] == row.default


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in ROWS if row.shown is None or row.after], ids=str)
def test_its_effect_is_seen_in_outputs(row: Row) -> None:
    """What is written with the default, and with the valid value."""
    if row.default != REQUIRED:
        assert _same(before := _outputs(row.without, row), row.before), before
    assert _same(after := _outputs(row.with_valid, row), row.after), after


@pytest.mark.parametrize("row", [row for row in ROWS if row.shown is not None], ids=str)
def test_its_effect_is_seen_elsewhere(row: Row) -> None:
    """In the suite that is named."""
    assert row.shown is not None
    suite, word = row.shown

    assert word in (TESTS / suite).read_text(encoding="utf-8")


def test_effects_are_effects() -> None:
    """The valid value is not the default, and the outputs are others; `type` has one value alone."""
    told = [row for row in ROWS if row.shown is None and row.default != REQUIRED and str(row) != "connections[].type"]

    assert [str(row) for row in told if row.valid == row.default or row.before == row.after] == []


def test_every_field_has_its_row() -> None:
    """A field that is added without one is noticed; the lists of the whole file have theirs in test_document."""
    fields = {
        f"{place}.{name}" for place, section in by_place().items() for name in section.model_fields if place != TOP
    }

    assert sorted(map(str, ROWS)) == sorted(fields)
