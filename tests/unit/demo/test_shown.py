"""What the demonstration shows, and how it reads what functions did."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from millrace.demo.deployed import _function_call, _told
from millrace.demo.preview import preview
from millrace.demo.screen import Screen, cell
from millrace.objects.references import ObjectRef


@pytest.mark.parametrize(
    ("key", "content"),
    [
        ("t.csv", b"a,b\n1,x\n2,\n"),
        ("t.jsonl", b'{"a": 1, "b": "x"}\n{"a": 2, "b": ""}\n'),
        ("t.json", b'[{"a": 1, "b": "x"}, {"a": 2, "b": ""}]'),
    ],
)
def test_preview_reads_every_format(key: str, content: bytes) -> None:
    """Names and the first rows, as cells."""
    assert preview(ObjectRef("b", key), content, rows=1) == (["a", "b"], [["1", "x"]])


def test_preview_of_parquet_shows_what_is_missing() -> None:
    """A null is not an empty cell."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1, None]}), sink)
    assert preview(ObjectRef("b", "t.parquet"), sink.getvalue(), rows=5) == (["a"], [["1"], ["∅"]])


def test_cell_is_one_line_and_short() -> None:
    """Line ends are shown, what is long is cut."""
    assert cell("a\r\nb") == "a␍⏎b"
    assert cell("x" * 100).endswith("…")
    assert len(cell("x" * 100)) == 25


def test_screen_without_a_person_prints_plain_lines() -> None:
    """No escape sequences, nothing cut, markup in names left alone."""
    written = io.StringIO()
    screen = Screen(Console(file=written, width=40))

    with screen.step("Look at [red]x[/red]") as step:
        step.update("never shown")
        step.count(10, 20)
        step.result = "[found]"
    screen.table(("a", "b"), [("x" * 50, "東京")])

    said = written.getvalue()
    assert "\x1b" not in said
    assert "never shown" not in said
    assert "10 of 20" in said
    assert "ok Look at [red]x[/red]: [found]" in said
    assert f"{'x' * 50}  東京" in said


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("[..] [INFO] 1|POST|DynamoDB_20120810.GetItem|200||/", "GetItem"),
        ("[..] [INFO] 1|POST|AmazonSQS.SendMessageBatch|200||/", "SendMessageBatch"),
        ("[..] [INFO] 1|GET|-|206||/bucket/a|b.csv", "S3 GET"),
        ("[..] [INFO] 1|POST|-|200|uploads=|/bucket/a.csv", "S3 POST multipart"),
        ("[..] [INFO] 1|GET|-|200|list-type=2|/bucket", "S3 GET list"),
        ("[..] [INFO] -|POST|DynamoDB_20120810.GetItem|200||/", None),
        ("second line of a key.csv", None),
    ],
)
def test_request_log_tells_what_functions_called(line: str, call: str | None) -> None:
    """The caller's own requests do not count, nor does what a newline in a key leaves behind."""
    assert _function_call(line) == call


def test_diagnosis_keeps_what_functions_told() -> None:
    """Of a log line the message and its fields, without the circumstances; metrics are left out."""
    told = {"level": "ERROR", "message": "failed", "function_name": "f", "cold_start": True, "reason": "why"}
    log = "\n".join(["plain line", json.dumps(told), '{"_aws": {}}'])
    assert _told(log).splitlines() == ["  plain line", '  ERROR failed {"reason": "why"}']
