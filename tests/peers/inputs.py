"""The inputs that tell whether a tool keeps values: each a small file, and what its column says, value by value."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

LATE = 24_000
"""A row behind every tool's default sample: DuckDB looks at 20,480 rows, Polars at 100, pyarrow at a block of 1 MiB."""
_PAD = "x" * 60
_LONG_NAME = "n" * 100_000

Said = tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A file, and what its columns say: texts of CSV, JSON values of JSON, printed values of Parquet; None is missing.

    ``group`` is the row of the documents' table. ``renamed`` is true where names must change: then what counts is that
    every value is there, and under its own name wherever that name is given once.
    """

    group: str
    title: str
    extension: str
    write: Callable[[Path], object]
    columns: dict[str, Said]
    renamed: bool = False

    @property
    def name(self) -> str:
        """Group and title in one, unique."""
        return f"{self.group}: {self.title}"


def _csv(group: str, title: str, *texts: str | None, before: Said = ()) -> Input:
    """A CSV file of a number and the text as it stands in the file; None is nothing between the delimiters."""
    every = (*before, *texts)
    content = "".join(f"{text},{_PAD}\n" for text in ("v", *("" if text is None else text for text in every)))
    said = tuple(None if text is None else text.strip('"') for text in every)
    return Input(
        group=group,
        title=title,
        extension="csv",
        write=lambda path: path.write_bytes(content.encode()),
        columns={"v": said},
    )


def _bytes(
    group: str, title: str, content: bytes, columns: dict[str, Said], *, renamed: bool = False, extension: str = "csv"
) -> Input:
    return Input(
        group=group,
        title=title,
        extension=extension,
        write=lambda path: path.write_bytes(content),
        columns=columns,
        renamed=renamed,
    )


def _json(title: str, *values: str | None, before: Said = ()) -> Input:
    """JSON lines whose field is the JSON value as it stands in the file; None is no field at all."""
    every = (*before, *values)
    fields = ["" if value is None else f',"v":{value}' for value in every]
    content = "".join(f'{{"pad":"{_PAD}"{field}}}\n' for field in fields).encode()
    return _bytes("JSON", title, content, {"v": every}, extension="jsonl")


def _parquet(title: str, values: pa.Array, said: Said, **options: object) -> Input:
    return Input(
        group="Parquet",
        title=title,
        extension="parquet",
        write=lambda path: pq.write_table(pa.table({"v": values}), path, **options),
        columns={"v": said},
    )


_MANY = tuple(str(number) for number in range(100_000, 100_000 + LATE))
_NUMBERS = "long and exact numbers"
_TURNS = f"a column that turns at row {LATE:,}"
_NULLS = "words that some take for missing"
_LOOKS = "texts that look like numbers or booleans"
_TIMES = "dates and times"
_HEADERS = "headers"
_BYTES = "encodings and line ends"
_DIGITS_50 = "12345678901234567890123456789012345678901234567.891"
_DIGITS_38 = "12345678901234567890123456789012345.678"
_NANOS = "2026-03-01T10:00:00.123456789"

INPUTS = (
    _csv("leading zeros", "`00501` among numbers", "10001", "00501", "90210"),
    _csv("leading zeros", f"`00501` at row {LATE:,}", "00501", before=_MANY),
    _csv(_NUMBERS, "`12345678901234567890`", "1", "12345678901234567890"),
    _csv(_NUMBERS, "`123456789012345678901234567890`", "1", "123456789012345678901234567890"),
    _csv(_NUMBERS, "2^53+1 beside `1.5`", "1.5", "9007199254740993"),
    _csv(_NUMBERS, "`10.10`", "10.10", "20.25"),
    _csv(_NUMBERS, "`0.1234567890123456789`", "0.1234567890123456789", "0.5000000000000000000"),
    _csv(_TURNS, "integers, then a text", "none", before=_MANY),
    _csv(_TURNS, "integers, then `2.5`", "2.5", before=_MANY),
    _csv(_TURNS, "dates, then a text", "soon", before=("2026-03-01",) * LATE),
    _csv(_NULLS, "`NA` among texts", "DE", "NA", "US"),
    _csv(_NULLS, "`null` among texts", "null", "x"),
    _csv(_NULLS, "`n/a` among texts", "n/a", "x"),
    _csv(_NULLS, "`NaN` among numbers", "NaN", "1.5"),
    _csv(_NULLS, "`NA` among numbers", "NA", "15"),
    _csv("missing against empty", '`,,` and `,"",`', None, '""', "x"),
    _csv(_LOOKS, "`+1`", "+1", "+2"),
    _csv(_LOOKS, "` 5 `", " 5 ", " 6 "),
    _csv(_LOOKS, "`1e400`", "1e400", "1.5"),
    _csv(_LOOKS, "`1e5`", "1e5", "1.5"),
    _csv(_LOOKS, "`-0`", "-0", "1"),
    _csv(_LOOKS, "`1_000`", "1_000", "2_000"),
    _csv(_LOOKS, "`0x1F`", "0x1F", "0x2A"),
    _csv(_LOOKS, "`TRUE`", "TRUE", "FALSE"),
    _csv(_LOOKS, "`True`", "True", "False"),
    _csv(_LOOKS, "`t`", "t", "f"),
    _csv(_TIMES, "`01/02/2024`", "01/02/2024", "03/04/2024"),
    _csv(_TIMES, "nine digits of a second", _NANOS, "2026-03-01T10:00:00.000000001"),
    _csv(_TIMES, "mixed offsets", "2026-03-01T10:00:00+02:00", "2026-03-01T10:00:00-05:00"),
    _csv(_TIMES, "one offset, not UTC", "2026-03-01T10:00:00+02:00", "2026-03-02T10:00:00+02:00"),
    _csv(_TIMES, "year 9999 and year 1", "9999-12-31", "0001-01-01"),
    _bytes(_HEADERS, "a name twice", b"a,a\n1,2\n", {"a": ("1",)}, renamed=True),
    _bytes(
        _HEADERS,
        "a name twice beside what it could be renamed to",
        b"a,a,a_1,a.1,a_2,a_duplicated_0\n1,2,3,4,5,6\n",
        {"a_1": ("3",), "a.1": ("4",), "a_2": ("5",), "a_duplicated_0": ("6",)},
        renamed=True,
    ),
    _bytes(_HEADERS, "`a` and `A`", b"a,A\n1,2\n", {"a": ("1",), "A": ("2",)}, renamed=True),
    _bytes(_HEADERS, "an empty name", b"a,,c\n1,2,3\n", {"a": ("1",), "c": ("3",)}, renamed=True),
    _bytes(_HEADERS, "a name of 100 kB", f"a,{_LONG_NAME}\n1,2\n".encode(), {"a": ("1",), _LONG_NAME: ("2",)}),
    _bytes(_BYTES, "latin-1, untold", "a,v\n1,café\n".encode("latin-1"), {"v": ("café",)}),
    _bytes(_BYTES, "UTF-16 with its mark", "a,v\n1,café\n".encode("utf-16"), {"v": ("café",)}),
    _bytes(_BYTES, "UTF-8 with its mark", "v,a\ncafé,1\n".encode("utf-8-sig"), {"v": ("café",)}),
    _bytes(_BYTES, "a NUL in a text", b"a,v\n1,x\0y\n", {"v": ("x\0y",)}),
    _bytes(_BYTES, "CR line ends", b"a,v\r1,x\r2,y\r", {"v": ("x", "y")}),
    _bytes(_BYTES, "mixed line ends", b"a,v\r\n1,x\n2,y\r3,z\n", {"v": ("x", "y", "z")}),
    _bytes(_BYTES, "CRLF within quotes", b'a,v\n1,"x\r\ny"\n2,z\n', {"v": ("x\r\ny", "z")}),
    _json("integers of 25 digits", "1234567890123456789012345", "1"),
    _json("2^53+1 beside 1.5", "9007199254740993", "1.5"),
    _json("`1.0` beside `1`", "1.0", "1"),
    _json("`10.10`", "10.10", "20.25"),
    _json("`1e400`", "1e400", "1.5"),
    _json("number, text, object in one field", "1", '"a"', '{"b":2}'),
    _json("`true` beside a text", "true", '"true"'),
    _json("a text that looks like a date", '"2026-03-01"', '"2026-03-02"'),
    _json("a text of digits", '"00501"', '"10001"'),
    _json(f"a field first seen at row {LATE:,}", '"x"', before=(None,) * LATE),
    _json(f"integers, then `2.5` at row {LATE:,}", "2.5", before=_MANY),
    _json(f"integers, then a text at row {LATE:,}", '"none"', before=_MANY),
    _bytes("JSON", "a key twice", b'{"v":1,"v":2}\n', {"v": ("1 and 2",)}, extension="jsonl"),
    _bytes("JSON", "half a surrogate pair", b'{"v":"\\ud800"}\n', {"v": ('"\\ud800"',)}, extension="jsonl"),
    _parquet("uint64", pa.array([2**64 - 1], pa.uint64()), (str(2**64 - 1),)),
    _parquet("decimal of 50 digits", pa.array([Decimal(_DIGITS_50)], pa.decimal256(50, 3)), (_DIGITS_50,)),
    _parquet("decimal of 38 digits", pa.array([Decimal(_DIGITS_38)], pa.decimal128(38, 3)), (_DIGITS_38,)),
    _parquet(
        "lists in lists, with nulls",
        pa.array([[[1, None], None, []], None, []], pa.list_(pa.list_(pa.int64()))),
        ("[[1,null],null,[]]", None, "[]"),
    ),
    _parquet(
        "a map",
        pa.array([[("k", 1), ("l", None)], None], pa.map_(pa.string(), pa.int64())),
        ('{"k":1,"l":null}', None),
    ),
    _parquet("an object that is null", pa.array([{"a": 1}, None], pa.struct([("a", pa.int64())])), ('{"a":1}', None)),
    _parquet(
        "int96 times",
        pa.array([1_772_359_200_123_456_789], pa.timestamp("ns")),
        (_NANOS,),
        use_deprecated_int96_timestamps=True,
    ),
    _parquet("nanoseconds", pa.array([1_772_359_200_123_456_789], pa.timestamp("ns")), (_NANOS,)),
    _parquet(
        "a time zone",
        pa.array([1_772_359_200_000_000], pa.timestamp("us", "Europe/Berlin")),
        ("2026-03-01T10:00:00 Europe/Berlin",),
    ),
    _parquet("a dictionary", pa.array(["x", "y", None, "x"]).dictionary_encode(), ("x", "y", None, "x")),
    _parquet("a column of type null", pa.nulls(2), (None, None)),
    _parquet("binary that is no text", pa.array([b"\xff\x00"]), ("base64 /wA=",)),
    _parquet("float32", pa.array([0.1], pa.float32()), ("0.10000000149011612",)),
    _parquet("half a float", pa.array([1.5], pa.float16()), ("1.5",)),
    _parquet("NaN and missing", pa.array([float("nan"), None]), ("NaN", None)),
)


def json_text(value: object) -> str:
    """A value as JSON, without spaces."""
    return json.dumps(value, separators=(",", ":"))
