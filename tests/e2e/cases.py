"""Small files that people land in S3 and that other tools read wrongly: each is a table, with what is right of it."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldCase:
    """An object's bytes, or what makes them; options of its table; and the output's lines, or what the refusal says."""

    data: bytes | Callable[[], bytes]
    lines: tuple[str, ...] = ()
    refusal: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def make(self) -> bytes:
        """The object's bytes."""
        return self.data if isinstance(self.data, bytes) else self.data()


def _parquet_of_bytes() -> bytes:
    """A Parquet file whose text column does not say that it is text, as Impala and Hive write them."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": [7], "page": pa.array([b"https://example.org/x"], pa.binary())}), sink)
    return sink.getvalue()


_NO_HEADER = {"csv_has_headers": False}
_PEOPLE = ('{"id":1,"name":"Ada"}', '{"id":2,"name":"Ben"}')
_TEXT = b"id,name\n1,Ada\n2,Ben\n"
CASES: dict[str, FieldCase] = {
    "sep_line.csv": FieldCase(
        data=b"sep=;\r\nteil;anzahl;preis\r\n004;2;0,75\r\n", lines=('{"teil":"004","anzahl":2,"preis":"0,75"}',)
    ),
    "sep_quoted.csv": FieldCase(data=b'"SEP=;"\r\nx;y\r\n1;2\r\n', lines=('{"x":1,"y":2}',)),
    "sep_utf16.csv": FieldCase(data="sep=\t\r\nx\ty\r\n1\tžluť\r\n".encode("utf-16"), lines=('{"x":1,"y":"žluť"}',)),
    "decimals.csv": FieldCase(
        data=b"0,5;7,5\n1,25;8,5\n",
        options=_NO_HEADER,
        lines=('{"column_1":"0,5","column_2":"7,5"}', '{"column_1":"1,25","column_2":"8,5"}'),
    ),
    "commas_in_names.csv": FieldCase(
        data=b"Tag;Preis, EUR\n2026-05-01;3,5\n", lines=('{"Tag":"2026-05-01","Preis, EUR":"3,5"}',)
    ),
    "places.csv": FieldCase(
        data=b"8\tOslo, Norway\n", options=_NO_HEADER, lines=('{"column_1":8,"column_2":"Oslo, Norway"}',)
    ),
    "ragged.csv": FieldCase(
        data=b"May 1, 2026;5;sent;\nMay 2, 2026;6;\nMay 3, 2026;7;sent;\n", options=_NO_HEADER, refusal="two ways"
    ),
    "latin.csv": FieldCase(data="id,name\n1,Zoë €\n".encode("cp1252"), lines=('{"id":1,"name":"Zoë €"}',)),
    "utf8.json": FieldCase(data='{"id":1,"name":"Zoë €"}\n'.encode(), lines=('{"id":1,"name":"Zoë €"}',)),
    "nulls.csv": FieldCase(
        data=b'id,v\n1,\\N\n2,"x\\"y"\n3,N\n',
        options={"csv_escape": "backslash", "csv_null_values": ["\\N"]},
        lines=('{"id":1,"v":null}', '{"id":2,"v":"x\\"y"}', '{"id":3,"v":"N"}'),
    ),
    "names.tsv": FieldCase(data=b'id\tname\n1\t"Red" Eve\n', lines=('{"id":1,"name":"\\"Red\\" Eve"}',)),
    "escapes.csv": FieldCase(data=b'id,note\n1,"he \\"ran\\" off"\n', lines=('{"id":1,"note":"he \\"ran\\" off"}',)),
    "inner.csv": FieldCase(data=b'id,note,n\n1,"a "b, c" d",5\n2,ok,6\n', refusal="row 1 at byte 10"),
    "packed.csv": FieldCase(data=gzip.compress(_TEXT), lines=_PEOPLE),
    "plain.csv.gz": FieldCase(data=_TEXT, lines=_PEOPLE),
    "trail.json": FieldCase(
        data=b'{"Records":[{"name":"Get"},{"name":"Put"}]}',
        options={"json_records": "Records"},
        lines=('{"name":"Get"}', '{"name":"Put"}'),
    ),
    "arrays.json": FieldCase(data=b'[{"id":5},{"id":6}]\n[{"id":7}]\n', lines=('{"id":5}', '{"id":6}', '{"id":7}')),
    "trailing.csv": FieldCase(data=b"p,q\n1,2,\n3,4,\n", lines=('{"p":1,"q":2}', '{"p":3,"q":4}')),
    "ctrl_z.csv": FieldCase(data=_TEXT + b"\x1a", lines=_PEOPLE),
    "blanks.csv": FieldCase(data=_TEXT + b"   \n", lines=_PEOPLE),
    "comments.csv": FieldCase(
        data=b"# made at night\nid;sum\n1;5.50\n2 rows\n",
        options={"csv_comment": "#", "csv_skip_footer": 1},
        lines=('{"id":1,"sum":5.50}',),
    ),
    "edges.csv": FieldCase(data=b"Report;;;\nid;a;b;c\n1;2;3;4\n5;6;7;8\n", lines=(
        '{"id":1,"a":2,"b":3,"c":4}', '{"id":5,"a":6,"b":7,"c":8}',
    )),
    "pages.parquet": FieldCase(
        data=_parquet_of_bytes,
        options={"parquet_binary": "text"},
        lines=('{"id":7,"page":"https://example.org/x"}',),
    ),
    "digits.csv": FieldCase(
        data=b"id,sum\n1,98765432109876543210.75\n", options={"csv_column_types": {"sum": "float"}}, refusal="row 1"
    ),
    "lacks.csv": FieldCase(data=_TEXT, options={"csv_column_types": {"sum": "float"}}, lines=_PEOPLE),
}  # fmt: skip
