"""What is fuzzed: for each reader files of our own making to begin with, and what is done with the mutated bytes."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from millrace.config.document import load
from millrace.engine.destination import Destination
from millrace.engine.formats.registry import FORMATS
from millrace.engine.formats.streams.archive import Limits, open_archive
from millrace.engine.one_file import convert
from millrace.engine.options import (
    BadRows,
    Compression,
    FileFormat,
    FixedField,
    LogPreset,
    OutputCompression,
    ReadOptions,
    SourceColumn,
    TableTypes,
    Trim,
    WriteOptions,
    output_compressions,
)
from millrace.engine.recipe import Recipe
from millrace.errors import DataError, InvalidConfiguration, MessageError, MillraceError
from millrace.objects.messages import parse_message
from tests.unit.engine.formats.builders import Memory
from tests.unit.engine.formats.packing import pack_lz4, pack_snappy
from tests.unit.engine.formats.workbooks import grid, ods, xlsb, xlsx

MOST_OUTPUT = 64 * 2**20
CSV = (
    b'id,name,born,ratio\n1,"Ada, ""the first""",1815-12-10,1.5\n2,\xc3\xa9l\xc3\xa8ve,,-0.25\n,,,\n'
    b'3,"two\nlines",2024-02-29T10:00:00Z,1e5\n'
)
LINES = (
    b'{"a": 1, "b": [1.5, null, {"c": "\\u00e9\\n"}], "d": {"e": true}}\n{"a": 9007199254740993, "f": "x"}\n'
    b'{"a": -0, "b": [], "d": {"e": null, "g": 1e400}}\n'
)
DOCUMENTS = (
    b'{"o": "x", "r": {"s": [{"a": 1, "b": [1.5]}, {"a": 2.50}], "t": []}, "m": {"id": 7}}\n'
    b'{"r": {"s": [{"a": "\\u00e9"}], "u": null, "v": [5]}, "m": {}}\n'
)
COLUMNS = tuple(SourceColumn)
WIDE = TableTypes.WIDE
ARRAY = b"[" + b",".join(LINES.splitlines()) + b"]"
FIXED = b"0001Ada   :  1.50\n0002Bob   : 12.25\r\n\n0003\n0004Z\xc3\xa9     -3.00\n"
LAYOUT = (FixedField(name="id", start=1, length=4), FixedField(name="name", start=5, length=6, trim=Trim.RIGHT))
ALB = (
    b"https 2026-11-28T10:00:00.186641Z app/a 192.0.2.7:2817 10.0.0.1:80 0.1 0.2 0.3 200 200 0 57 "
    b'"GET https://a:443/ HTTP/1.1" "a \\"b\\" (x)" - - arn "Root=1" "a" "-" 1 2026-11-28T10:00:00Z "f" "-" "-"\n'
) * 3
S3_ACCESS = (
    b'79a5 b [28/Nov/2026:10:00:38 +0000] 192.0.2.3 79a5 3E REST.GET.OBJECT k "GET /b/k HTTP/1.1" 200 - 113 1130 7 5 '
    b'"-" "agent/0.4" - s9= SigV4\n'
) * 3
CLOUDFRONT = b"#Version: 1.0\n#Fields: date time sc-bytes c-ip\n" + b"2026-11-28\t10:00:00\t392\t192.0.2.4\n" * 3
FLOW = b"version srcaddr dstaddr log-status\n5 192.0.2.1 - NODATA\n5 192.0.2.1 192.0.2.9 OK\n"
XML = (
    b'<?xml version="1.0"?><a><b c="1"><d>x &amp; y</d><e><![CDATA[<z>]]></e></b><b c="2"><d>1.5</d><f><g/></f></b></a>'
)
MESSAGE = {
    "Records": [
        {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": "b"},
                "object": {"key": "a+b%2Fc.csv", "size": 1, "eTag": "x", "sequencer": "0A1B2C"},
            },
        }
    ]
}


@dataclass(frozen=True, slots=True)
class FuzzTarget:
    """``attempt`` may return, or raise an error of the branch ``refuses``; whatever else it raises is a find."""

    seeds: Callable[[], list[bytes]]
    attempt: Callable[[bytes], None]
    refuses: type[MillraceError]


class _Bounded(Memory):
    """A sink that ends what grows without measure."""

    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override] # all that is written are these
        if self.tell() > MOST_OUTPUT:
            raise AssertionError(f"more than {MOST_OUTPUT:,} bytes are written")
        return super().write(data)


def _convert(
    source: FileFormat, compression: Compression = Compression.NONE, **options: Any
) -> Callable[[bytes], None]:
    """A conversion, whose target and options are taken from the bytes, so that a find is one file."""
    targets = (FileFormat.JSON, FileFormat.CSV, FileFormat.PARQUET)

    def attempt(data: bytes) -> None:
        choice = len(data)
        recipe = Recipe(
            source_format=source,
            target_format=targets[choice % 3],
            read=ReadOptions(
                compression=compression,
                has_headers=choice % 5 != 0,
                bad_rows=BadRows.QUARANTINE if choice % 2 else BadRows.FAIL,
                **options,
            ),
            write=WriteOptions(),
        )
        convert(io.BytesIO(data), recipe, Destination(_Bounded, _Bounded)).rows.check()

    return attempt


def _archive(name: str) -> Callable[[bytes], None]:
    limits = Limits(members=100, member_bytes=2**20, total_bytes=2**22, free_bytes=2**20)

    def attempt(data: bytes) -> None:
        with open_archive(io.BytesIO(data), name, limits=limits) as archive:
            for member in archive.members:
                with member.open() as file:
                    while file.read(2**16):
                        pass

    return attempt


def _parse(data: bytes) -> None:
    parse_message(data.decode(errors="replace"))


def _configure(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for extension in ("yaml", "json"):
            path = Path(folder) / f"c.{extension}"
            path.write_bytes(data)
            with contextlib.suppress(InvalidConfiguration):
                load(path)


def _table() -> pa.Table:
    return pa.table(
        {
            "id": pa.array([1, 2, None] * 20),
            "name": pa.array(["Ada", "", None] * 20),
            "many": pa.array([[1.5, None], [], None] * 20),
            "deep": pa.array([{"a": "x", "b": None}, None, {"a": "y", "b": 1}] * 20),
            "paid": pa.array([True, False, None] * 20),
        }
    )


def _parquet(**options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(_table(), file, **options)
    return file.getvalue()


def _avros() -> list[bytes]:
    return [_written(FileFormat.AVRO, compression) for compression in output_compressions(FileFormat.AVRO)]


def _workbooks() -> list[bytes]:
    cells = grid(("a", "b"), (1, "x"), (2.5, None), (None, "y"))
    row = '<table:table-row><table:table-cell office:value-type="float" office:value="7"/></table:table-row>'
    return [xlsx({"One": cells}), xlsx({"One": {**cells, "C3": ' t="e"><v>#N/A</v>'}}), xlsb(("a",), (1.0,)), ods(row)]


def _orcs() -> list[bytes]:
    return [_written(FileFormat.ORC, compression) for compression in output_compressions(FileFormat.ORC)]


def _written(file_format: FileFormat, compression: OutputCompression) -> bytes:
    sink, table = Memory(), _table()
    writer = FORMATS[file_format].write(sink, table.schema, WriteOptions(compression=compression))
    for batch in table.to_batches():
        writer.write(batch)
    writer.close()
    return sink.getvalue()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../a.csv", CSV)
        archive.writestr("b/c.json", LINES)
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("a.csv", "é/" + "x" * 120 + ".csv"):
            info = tarfile.TarInfo(name)
            info.size = len(CSV)
            archive.addfile(info, io.BytesIO(CSV))
    return file.getvalue()


def _messages() -> list[bytes]:
    own = {"millrace": 1, "kind": "created", "bucket": "b", "key": "k", "sequencer": "0A", "size": 3}
    bridge = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "b"}, "object": {"key": "k", "size": 1, "sequencer": "0A", "etag": "x"}},
    }
    notice = {"Type": "Notification", "Message": json.dumps(MESSAGE)}
    return [json.dumps(one).encode() for one in (MESSAGE, own, bridge, notice)]


def _configurations() -> list[bytes]:
    text = (Path(__file__).parents[2] / "examples/starter.yaml").read_bytes()
    return [text, json.dumps(yaml.safe_load(text), default=str).encode()]


def _zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


TARGETS: dict[str, FuzzTarget] = {
    "csv": FuzzTarget(lambda: [CSV, CSV.decode().encode("utf-16")], _convert(FileFormat.CSV), DataError),
    "json": FuzzTarget(lambda: [LINES, ARRAY], _convert(FileFormat.JSON), DataError),
    "json records": FuzzTarget(
        lambda: [DOCUMENTS, b"[" + DOCUMENTS.replace(b"}}\n{", b"}},{") + b"]"],
        _convert(FileFormat.JSON, json_records="r.*", json_parent_fields=("o", "x=m.id"), source_columns=COLUMNS),
        DataError,
    ),
    "type hints": FuzzTarget(
        lambda: [LINES, ARRAY],
        _convert(FileFormat.JSON, type_hints={"a": "decimal(20,2)", "f": "timestamptz", "d": "float"}, types=WIDE),
        DataError,
    ),
    "parquet": FuzzTarget(
        lambda: [_parquet(), _parquet(compression="zstd", data_page_version="2.0"), _parquet(compression="none")],
        _convert(FileFormat.PARQUET),
        DataError,
    ),
    "avro": FuzzTarget(_avros, _convert(FileFormat.AVRO), DataError),
    "orc": FuzzTarget(_orcs, _convert(FileFormat.ORC), DataError),
    "excel": FuzzTarget(_workbooks, _convert(FileFormat.EXCEL), DataError),
    "xml": FuzzTarget(lambda: [XML, XML.decode().encode("utf-16")], _convert(FileFormat.XML), DataError),
    "fixed_width": FuzzTarget(
        lambda: [FIXED, FIXED.decode().encode("utf-16")],
        _convert(FileFormat.FIXED_WIDTH, fixed_width=LAYOUT),
        DataError,
    ),
    "alb": FuzzTarget(lambda: [ALB], _convert(FileFormat.LOG, log_preset=LogPreset.ALB), DataError),
    "s3_access": FuzzTarget(lambda: [S3_ACCESS], _convert(FileFormat.LOG, log_preset=LogPreset.S3_ACCESS), DataError),
    "cloudfront": FuzzTarget(
        lambda: [CLOUDFRONT], _convert(FileFormat.LOG, log_preset=LogPreset.CLOUDFRONT), DataError
    ),
    "vpc_flow": FuzzTarget(lambda: [FLOW], _convert(FileFormat.LOG, log_preset=LogPreset.VPC_FLOW), DataError),
    "gz": FuzzTarget(
        lambda: [gzip.compress(CSV), gzip.compress(CSV[:20]) + gzip.compress(CSV[20:])],
        _convert(FileFormat.CSV, Compression.GZIP),
        DataError,
    ),
    "zst": FuzzTarget(lambda: [_zstd(CSV)], _convert(FileFormat.CSV, Compression.ZSTD), DataError),
    "xz": FuzzTarget(lambda: [lzma.compress(CSV)], _convert(FileFormat.CSV, Compression.XZ), DataError),
    "lz4": FuzzTarget(lambda: [pack_lz4(CSV)], _convert(FileFormat.CSV, Compression.LZ4), DataError),
    "snappy": FuzzTarget(
        lambda: [pack_snappy(CSV), pack_snappy(CSV, block=20)], _convert(FileFormat.CSV, Compression.SNAPPY), DataError
    ),
    "bz2": FuzzTarget(lambda: [bz2.compress(CSV)], _convert(FileFormat.CSV, Compression.BZIP2), DataError),
    "zip": FuzzTarget(lambda: [_zip()], _archive("x.zip"), DataError),
    "tar": FuzzTarget(lambda: [_tar()], _archive("x.tar"), DataError),
    "tgz": FuzzTarget(lambda: [gzip.compress(_tar())], _archive("x.tar.gz"), DataError),
    "message": FuzzTarget(_messages, _parse, MessageError),
    "configuration": FuzzTarget(_configurations, _configure, InvalidConfiguration),
}
