"""Files made to exhaust whoever reads them, and what becomes of each."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from millrace.engine.formats.avro import container as avro
from millrace.engine.formats.varints import as_zigzag
from millrace.engine.options import Compression, FixedField, WorkSizes
from tests.hostile import thrift
from tests.hostile.packing import deflate_repeated, zip_repeated
from tests.hostile.streams import Repeated, many
from tests.unit.engine.formats import workbooks
from tests.unit.engine.formats.packing import IDENTIFIER, chunk, pack_lz4, snappy_chunk

MB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A hostile file; ``refused`` is the error's class, None where it is converted right, ``says`` what it names."""

    source: str
    target: str
    make: Callable[[], BinaryIO]
    refused: str | None = None
    says: tuple[str, ...] = ()
    rows: int | None = None
    seconds: float = 20
    mb: int = 600
    read: dict[str, Any] = field(default_factory=dict)
    archive: str | None = None


_NULLS_IN_A_LIST = b'{"a":[' + b"null," * 999 + b"null]}\n"


def _stream(*pieces: tuple[bytes, int]) -> Callable[[], BinaryIO]:
    return lambda: cast("BinaryIO", Repeated(*pieces))


def _made(make: Callable[[], bytes]) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(make())


def _parquet(table: Callable[[], pa.Table], **options: Any) -> Callable[[], BinaryIO]:
    def make() -> BinaryIO:
        file = io.BytesIO()
        pq.write_table(table(), file, **options)
        return file

    return make


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def _new_keys(rows: int, keys: int = 10) -> bytes:
    """JSON lines, each with keys that no other has."""
    lines = [",".join(f'"k{row}_{key}":1' for key in range(keys)) for row in range(rows)]
    return "".join(f"{{{line}}}\n" for line in lines).encode()


def _zip_bomb() -> bytes:
    return zip_repeated("a.csv", b"1,1\n" * (MB // 4), 512)


def _zip_lies() -> bytes:
    """A member whose size is said to be 1 kB, while it holds 400 MB."""
    data = bytearray(zip_repeated("a.csv", b"1,1\n" * (MB // 4), 400))
    size = (400 * MB).to_bytes(4, "little")
    while (at := data.find(size)) >= 0:
        data[at : at + 4] = (1000).to_bytes(4, "little")
    return bytes(data)


def _zip_overlapping() -> bytes:
    """A zip whose list names the same packed bytes a thousand times."""
    single = _zip({"000.csv": b"1,1\n" * MB})
    end = single.rfind(b"PK\x05\x06")
    start = int.from_bytes(single[end + 16 : end + 20], "little")
    listed = single[start:end]
    entries = b"".join(listed.replace(b"000.csv", b"%03d.csv" % number) for number in range(1000))
    tail = bytearray(single[end:])
    tail[8:10] = tail[10:12] = (1000).to_bytes(2, "little")
    tail[12:16] = len(entries).to_bytes(4, "little")
    return single[:start] + entries + bytes(tail)


def _quine() -> bytes:
    """A gzip in a gzip in a gzip: only the outermost is opened."""
    data = b"a\n1\n"
    for _ in range(10):
        data = gzip.compress(data)
    return data


_SOON = WorkSizes(unpacked_freely=64 * MB)
"""A bomb that takes seconds to get to 256 MB, the default, is recognized sooner; that of zstd has the default."""
_ZEROS = bytes(10 * MB)
_ROWS = b"1,1\n" * (10 * MB // 4)


def _zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


def _page_of_zeros(size: int, told: int) -> bytes:
    """One text of zeros, packed by zstd in frames; the footer tells another size."""
    frame = _zstd(bytes(10 * MB))
    packed = _zstd((size - 4).to_bytes(4, "little") + bytes(10 * MB - 4)) + frame * (size // (10 * MB) - 1)
    head = thrift.page_header(packed=len(packed), unpacked=size, values=1)
    return thrift.text_file(head + packed, rows=1, codec=thrift.ZSTD, unpacked=told)


def _page_that_lies() -> bytes:
    packed = bytes(pa.Codec("snappy").compress(b"\x01\0\0\0x", asbytes=True))
    head = thrift.page_header(packed=len(packed), unpacked=2**31 - 1, values=1)
    return thrift.text_file(head + packed, rows=1, codec=thrift.SNAPPY, unpacked=100)


def _dictionary(length: int, rows: int) -> bytes:
    pages, dictionary = thrift.dictionary_of_one(length, rows)
    return thrift.text_file(
        pages, rows=rows, codec=thrift.UNCOMPRESSED, unpacked=len(pages), dictionary_bytes=dictionary
    )


def _shared_texts(rows: int, length: int) -> pa.Table:
    return pa.table({"id": range(rows), "text": pa.DictionaryArray.from_arrays(pa.array([0] * rows), ["x" * length])})


def _avro(items: str, data: bytes) -> bytes:
    """A file of one row with a list of items."""
    return _avro_of(_record({"name": "a", "type": {"type": "array", "items": items}}), 1, data)


def _record(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "r", "fields": list(fields)}


def _avro_of(schema: Any, rows: int, data: bytes, codec: str = "deflate") -> bytes:
    file = io.BytesIO()
    avro.AvroSink(file, schema, codec, {}).write(rows, data)
    return file.getvalue()


def _avro_bomb(size_mb: int) -> bytes:
    """A block whose packed bytes are small."""
    packed = deflate_repeated(bytes(MB), size_mb)
    whole = _avro_of("bytes", 1, b"")
    sync = whole[-avro.SYNC_BYTES :]
    head = whole[: whole.index(sync) + avro.SYNC_BYTES]
    return head + b"\2" + as_zigzag(len(packed)) + packed + sync


def _orc(table: pa.Table) -> bytes:
    file = io.BytesIO()
    orc.write_table(table, file, compression="zstd")
    return file.getvalue()


def _workbook_bomb() -> bytes:
    return zip_repeated("xl/worksheets/s1.xml", b" " * MB, 2048, {"xl/workbook.xml": b"<workbook/>"})


NULLS = bytes(6_000_000)
CASES: dict[str, Case] = {
    # one thing that does not end
    "a CSV field of 1 GB": Case(
        source="csv",
        target="parquet",
        make=_stream((b'a,b\n1,"', 1), (b"x" * MB, 1024), (b'"\n', 1)),
        refused="TooBig",
        says=("byte 4",),
    ),
    "a CSV header of 1 GB": Case(source="csv", target="parquet", make=_stream((b"x" * MB, 1024)), refused="TooBig"),
    "a CSV line of 1 GB, many fields": Case(
        source="csv", target="parquet", make=_stream((b"a,b\n", 1), (b"1," * MB, 512)), refused="TooBig"
    ),
    "a CSV field of 1 GB of doubled quotes": Case(
        source="csv", target="csv", make=_stream((b'a,b\n1,"', 1), (b'""' * MB, 512)), refused="TooBig"
    ),
    "a CSV field of 1 GB in UTF-16": Case(
        source="csv", target="csv", make=_stream((b"\xff\xfea\0\n\0", 1), (b"x\0" * MB, 512)), refused="TooBig"
    ),
    "a CSV field of 30 MB": Case(
        source="csv", target="parquet", make=_stream((b'a,b\n1,"', 1), (b"x" * MB, 30), (b'"\n', 1)), rows=1
    ),
    "a CSV field of 30 MB to JSON": Case(
        source="csv", target="json", make=_stream((b'a,b\n1,"', 1), (b"\x01" * MB, 30), (b'"\n', 1)), rows=1, mb=850
    ),
    "a line of fixed width of 1 GB": Case(
        source="fixed_width",
        target="parquet",
        make=_stream((b"x" * MB, 1024)),
        read={"fixed_width": (FixedField(name="a", start=1, length=4),)},
        refused="TooBig",
    ),
    "a line of a log of 1 GB": Case(
        source="log", target="parquet", make=_stream((b"x" * MB, 1024)), read={"log_preset": "alb"}, refused="TooBig"
    ),
    "a line of a log of 30 MB of escapes": Case(
        source="log",
        target="csv",
        make=_stream((b'a b c [t] "', 1), (b'\\"' * (MB // 2), 30), (b'" 200 1\n', 1)),
        read={"log_preset": "nginx"},
        rows=1,
    ),
    "a line of a log of 30 MB that does not fit": Case(
        source="log",
        target="csv",
        make=_stream((b'a b c [t] "', 1), (b'\\"' * (MB // 2), 30), (b"\n", 1)),
        read={"log_preset": "nginx"},
        refused="MisfitLine",
    ),
    "a million fields of a log": Case(
        source="log",
        target="csv",
        make=_stream((b"#Fields:", 1), (b" x" * (MB // 2), 4), (b"\n", 1)),
        read={"log_preset": "w3c"},
        refused="TooBig",
    ),
    "Avro: a list of a trillion nulls": Case(
        source="avro",
        target="json",
        make=_made(lambda: _avro("null", as_zigzag(2**40) + b"\0")),
        refused="TooBig",
    ),
    "Avro: 2 million values in a list": Case(
        source="avro",
        target="json",
        make=_made(lambda: _avro("int", as_zigzag(2_000_000) + b"\2" * 2_000_000 + b"\0")),
        rows=1,
    ),
    "Avro: a block of 6 MB of missing values": Case(
        source="avro",
        target="parquet",
        make=_made(
            lambda: _avro_of(_record(*({"name": f"c{n}", "type": ["null", "int"]} for n in range(100))), 60_000, NULLS)
        ),
        rows=60_000,
        mb=300,
    ),
    "Avro: a block that unpacks to 2 GB": Case(
        source="avro", target="csv", make=_made(lambda: _avro_bomb(2048)), refused="TooBig", says=("67,108,864",)
    ),
    "ORC: a text of 100 kB in each of 2,000 rows": Case(
        source="orc", target="parquet", make=_made(lambda: _orc(pa.table({"a": ["x" * 100_000] * 2_000}))), rows=2_000
    ),
    "ORC: 5 million rows of one value": Case(
        source="orc",
        target="parquet",
        make=_made(lambda: _orc(pa.table({"a": pa.array([7] * 5_000_000, pa.int32())}))),
        rows=5_000_000,
        seconds=60,
    ),
    "XML: a text of 1 GB": Case(
        source="xml",
        target="csv",
        make=_stream((b"<a><b><c>", 1), (b"x" * MB, 1024)),
        refused="TooBig",
        says=("byte 3",),
    ),
    "XML: an attribute of 1 GB": Case(
        source="xml", target="csv", make=_stream((b'<a><b c="', 1), (b"x" * MB, 1024)), refused="TooBig"
    ),
    "XML: a comment of 1 GB": Case(
        source="xml", target="csv", make=_stream((b"<a><!--", 1), (b"x" * MB, 1024)), refused="TooBig"
    ),
    "XML: ten million children in a row": Case(
        source="xml", target="csv", make=_stream((b"<a><b>", 1), (b"<c/>" * (MB // 4), 40)), refused="TooBig"
    ),
    "XML: a billion laughs": Case(
        source="xml",
        target="csv",
        make=_made(
            lambda: (
                b'<!DOCTYPE a [<!ENTITY l0 "lol">'
                + b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
                + b"]><a><b>&l9;</b></a>"
            )
        ),
        refused="MalformedFile",
        says=("document type",),
    ),
    "XML: a million deep": Case(
        source="xml", target="csv", make=_stream((b"<a>", 1_000_000)), refused="MalformedFile", says=("deep",)
    ),
    "Excel: two cells at the ends of a sheet": Case(
        source="excel",
        target="csv",
        make=_made(lambda: workbooks.xlsx({"One": {"A1": "><v>1</v>", "XFD1048576": "><v>1</v>"}})),
        refused="TooBig",
    ),
    "Excel: a sheet of 2 GB": Case(source="excel", target="csv", make=_made(_workbook_bomb), refused="TooBig"),
    "Excel: 40,000 rows of ten cells": Case(
        source="excel",
        target="parquet",
        make=_made(lambda: workbooks.xlsx({"One": workbooks.grid(*[tuple(range(10))] * 40_000)})),
        rows=39_999,
        seconds=30,
        mb=400,
    ),
    "a JSON text of 1 GB": Case(
        source="json", target="parquet", make=_stream((b'{"a": "', 1), (b"x" * MB, 1024), (b'"}', 1)), refused="TooBig"
    ),
    "a JSON text of 30 MB": Case(
        source="json", target="csv", make=_stream((b'{"a": "', 1), (b"x" * MB, 30), (b'"}', 1)), rows=1
    ),
    "a JSON number of 1 GB": Case(
        source="json",
        target="parquet",
        make=_stream((b'{"a": ', 1), (b"1" * MB, 1024), (b"}", 1)),
        refused="TooBig",
    ),
    "a JSON number of 30 MB": Case(
        source="json", target="parquet", make=_stream((b'{"a": ', 1), (b"1" * MB, 30), (b"}", 1)), rows=1
    ),
    "128 MB of spaces before JSON": Case(
        source="json", target="parquet", make=_stream((b" " * MB, 128), (b'{"a": 1}', 1)), rows=1, mb=250
    ),
    "128 MB of spaces behind JSON": Case(
        source="json", target="parquet", make=_stream((b'{"a": 1}', 1), (b" " * MB, 128)), rows=1, mb=250
    ),
    "128 MB of spaces between JSON": Case(
        source="json",
        target="parquet",
        make=_stream((b'[{"a": 1},', 1), (b" " * MB, 128), (b'{"a": 2}]', 1)),
        rows=2,
        mb=250,
    ),
    "128 MB of empty lines": Case(
        source="csv", target="parquet", make=_stream((b"a,b\n", 1), (b"\n" * MB, 128)), rows=0, mb=520
    ),
    # columns
    "a million CSV columns": Case(
        source="csv",
        target="csv",
        make=_made(lambda: many(1_000_000, "c{}", ",") + b"\n" + many(1_000_000, "{}", ",")),
        refused="TooBig",
    ),
    "a million CSV columns of one name": Case(
        source="csv", target="parquet", make=_stream((b"a," * 10**6, 1), (b"a\n", 1)), refused="TooBig"
    ),
    "a million commas without a header": Case(
        source="csv",
        target="parquet",
        make=_stream((b"," * 10**6 + b"\n", 20)),
        read={"has_headers": False},
        refused="TooBig",
    ),
    "3 million keys in a JSON object": Case(
        source="json",
        target="json",
        make=_made(lambda: b"{" + many(3_000_000, '"k{}":1', ",") + b"}"),
        refused="TooBig",
        says=("commas",),
        mb=700,
    ),
    "300,000 keys in an object of a JSON object": Case(
        source="json",
        target="json",
        make=_made(lambda: b'{"a": {' + many(300_000, '"k{}":1', ",") + b"}}"),
        rows=1,
        mb=300,
    ),
    "the last of 300,000 keys twice": Case(
        source="json",
        target="json",
        make=_made(lambda: b"{" + many(300_000, '"k{}":1', ",") + b',"k299999":1}'),
        refused="MalformedFile",
        says=("k299999", "twice"),
        mb=300,
    ),
    "a new key in each of 30,000 JSON lines": Case(
        source="json", target="parquet", make=_made(lambda: many(30_000, '{"k{}":1}\n')), refused="TooBig"
    ),
    "ten new keys in each of 3,000 JSON lines": Case(
        source="json", target="parquet", make=_made(lambda: _new_keys(3000)), refused="TooBig", mb=300
    ),
    "ten new keys in each of 1,950 JSON lines": Case(
        source="json",
        target="parquet",
        make=_made(lambda: _new_keys(1950)),
        refused="TooBig",
        says=("1,950 objects", "19,500 different names", "nearly empty"),
        mb=300,
    ),
    "20,000 keys in JSON lines, and 20,000 lines of one": Case(
        source="json",
        target="parquet",
        make=_made(lambda: _new_keys(200, 100) + b'{"k0_0":1}\n' * 20_000),
        refused="TooBig",
        says=("20,200 objects", "nearly empty"),
        mb=300,
    ),
    "2,000 keys, one in each JSON line": Case(
        source="json", target="parquet", make=_made(lambda: many(2_000, '{"k{}":1}\n')), rows=2000
    ),
    "a JSON row of ten million empty arrays": Case(
        source="json",
        target="json",
        make=_stream((b'{"a":[', 1), (b"[]," * MB, 10), (b"[]]}", 1)),
        refused="TooBig",
        says=("2,000,000 commas",),
    ),
    "nulls in lists of objects with 1,000 fields": Case(
        source="json",
        target="parquet",
        make=_made(lambda: b'{"a":[{' + many(1000, '"k{}":1', ",") + b"}]}\n" + _NULLS_IN_A_LIST * 20),
        rows=21,
        mb=450,
    ),
    "60,000 nulls in one list of objects with 1,000 fields": Case(
        source="json",
        target="parquet",
        make=_made(lambda: b'{"a":[{' + many(1000, '"k{}":1', ",") + b'}]}\n{"a":[' + b"null," * 60_000 + b"null]}"),
        refused="TooBig",
        says=("row 2 at byte ", "60,001 items in a[]", "4,194,304"),
    ),
    "objects of 2,000 names, one in each": Case(
        source="json",
        target="parquet",
        make=_made(lambda: b'{"a":[' + b",".join([many(2000, '{"k{}":1}', ",")] * 50) + b"]}"),
        refused="TooBig",
        says=("2,000 different names",),
    ),
    # depth
    "JSON 100,000 deep": Case(
        source="json",
        target="json",
        make=_stream((b'{"a":', 100_000), (b"1", 1), (b"}", 100_000)),
        refused="MalformedFile",
        says=("deep",),
    ),
    "JSON arrays 100 million deep": Case(
        source="json",
        target="json",
        make=_stream((b'{"a":', 1), (b"[" * MB, 100), (b"]" * MB, 100), (b"}", 1)),
        refused="MalformedFile",
    ),
    "JSON arrays 50 million deep": Case(
        source="json",
        target="json",
        make=_stream((b'{"a":', 1), (b"[" * MB, 50), (b"]" * MB, 50), (b"}", 1)),
        refused="MalformedFile",
    ),
    "JSON arrays that never close": Case(
        source="json", target="json", make=_stream((b"[" * MB, 1024)), refused="MalformedFile"
    ),
    "a JSON list of 300,000 rows in one document": Case(
        source="json",
        target="json",
        make=_made(lambda: b'{"r":[' + many(300_000, '{"k":{}}', ",") + b"]}"),
        read={"json_records": "r"},
        rows=300_000,
    ),
    "a JSON document around whose rows is a text of 1 GB": Case(
        source="json",
        target="json",
        make=_stream((b'{"x":"', 1), (b"x" * MB, 1024), (b'","r":[{"a":1}]}', 1)),
        read={"json_records": "r"},
        refused="TooBig",
        says=("document 1",),
    ),
    "a JSON list whose first element never closes": Case(
        source="json",
        target="json",
        make=_stream((b'{"r":[', 1), (b"[" * MB, 1024)),
        read={"json_records": "r"},
        refused="MalformedFile",
        says=("row 1",),
    ),
    "a JSON object on the way with 1,000,000 members": Case(
        source="json",
        target="json",
        make=_made(lambda: b"{" + many(1_000_000, '"k{}":1', ",") + b"}"),
        read={"json_records": "r"},
        refused="TooBig",
        seconds=60,
    ),
    "JSON documents on the way, 100 million deep": Case(
        source="json",
        target="json",
        make=_stream((b"[" * MB, 100)),
        read={"json_records": "r"},
        refused="MalformedFile",
    ),
    "a parent's member that every one of 12,000 rows repeats": Case(
        source="json",
        target="json",
        make=_made(lambda: b'{"o":"' + b"x" * 60_000 + b'","r":[' + many(12_000, '{"k":{}}', ",") + b"]}"),
        read={"json_records": "r", "json_parent_fields": ("o",)},
        rows=12_000,
        seconds=60,
    ),
    # compressed
    "a gzip bomb of 10 GB": Case(
        source="csv",
        target="csv",
        make=lambda: cast("BinaryIO", Repeated((gzip.compress(_ROWS), 1000))),
        refused="TooBig",
        says=("bomb",),
        read={"compression": Compression.GZIP, "work": _SOON},
    ),
    "a gzip bomb of 10 GB in one field": Case(
        source="csv",
        target="csv",
        make=lambda: cast("BinaryIO", Repeated((gzip.compress(_ZEROS), 1000))),
        refused="TooBig",
        read={"compression": Compression.GZIP},
    ),
    "a bzip2 bomb of 10 GB": Case(
        source="csv",
        target="csv",
        make=lambda: cast("BinaryIO", Repeated((bz2.compress(_ROWS[:MB]), 10_000))),
        refused="TooBig",
        says=("bomb",),
        read={"compression": Compression.BZIP2, "work": _SOON},
    ),
    "a zstd bomb of 10 GB": Case(
        source="json",
        target="csv",
        make=lambda: cast("BinaryIO", Repeated((_zstd(b'{"a":1}\n' * MB), 1000))),
        refused="TooBig",
        says=("bomb",),
        read={"compression": Compression.ZSTD},
    ),
    "a zstd frame that wants 2 GB of memory": Case(
        source="csv",
        target="csv",
        make=_made(lambda: b"\x28\xb5\x2f\xfd\x00\xa8" + b"\x02" * 100),
        refused="MalformedFile",
        read={"compression": Compression.ZSTD},
    ),
    "100,000 empty gzip members": Case(
        source="csv",
        target="csv",
        make=lambda: cast("BinaryIO", Repeated((gzip.compress(b"a\n1\n"), 1), (gzip.compress(b""), 100_000))),
        rows=1,
        read={"compression": Compression.GZIP},
    ),
    "a gzip name of 1 GB": Case(
        source="csv",
        target="csv",
        make=_stream((b"\x1f\x8b\x08\x08\0\0\0\0\0\xff", 1), (b"x" * MB, 1024)),
        refused="TruncatedFile",
        read={"compression": Compression.GZIP},
    ),
    "gzips in one another": Case(
        source="csv",
        target="csv",
        make=_made(_quine),
        refused="MalformedFile",
        says=("packed twice", "gz"),
        read={"compression": Compression.GZIP},
    ),
    "an xz bomb of 10 GB": Case(
        source="csv",
        target="csv",
        make=lambda: cast("BinaryIO", Repeated((lzma.compress(_ROWS), 1000))),
        refused="TooBig",
        says=("bomb",),
        read={"work": _SOON},
    ),
    "an xz file that wants 128 MB of memory": Case(
        source="csv",
        target="csv",
        make=_made(lambda: lzma.compress(b"a\n1\n", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**27}])),
        refused="TooBig",
        says=("memory",),
    ),
    "an LZ4 bomb of 10 GB": Case(
        source="csv",
        target="csv",
        make=lambda: cast("BinaryIO", Repeated((pack_lz4(_ZEROS), 1000))),
        refused="TooBig",
    ),
    "a snappy chunk of 16 MB": Case(
        source="csv",
        target="csv",
        make=_stream((IDENTIFIER, 1), (b"\0\xff\xff\xff", 1), (b"x" * MB, 16)),
        refused="MalformedFile",
        says=("chunk",),
    ),
    "a snappy chunk that says it has 4 GB of content": Case(
        source="csv",
        target="csv",
        make=_made(lambda: IDENTIFIER + chunk(0, b"sums" + b"\xff\xff\xff\xff\x0f" + b"x" * 100)),
        refused="MalformedFile",
        says=("65,536 are the most",),
    ),
    "200,000 snappy chunks without content": Case(
        source="csv",
        target="csv",
        make=_stream((IDENTIFIER, 1), (chunk(0xFE, b""), 200_000), (snappy_chunk(b"a\n1\n"), 1)),
        rows=1,
    ),
    # archives
    "a zip bomb": Case(
        source="csv",
        target="csv",
        make=_made(_zip_bomb),
        archive="x.zip",
        refused="ArchiveTooBig",
        says=("a.csv", "bomb"),
    ),
    "a zip that lies about a size": Case(
        source="csv", target="csv", make=_made(_zip_lies), archive="x.zip", refused="MalformedFile"
    ),
    "a zip of overlapping members": Case(
        source="csv", target="csv", make=_made(_zip_overlapping), archive="x.zip", refused="ArchiveTooBig"
    ),
    "a zip in a zip": Case(
        source="csv",
        target="csv",
        make=_made(lambda: _zip({"b.zip": _zip({"a.csv": b"a\n"})})),
        archive="x.zip",
        refused="BadArchive",
        says=("b.zip",),
    ),
    "a zip of 20,000 members": Case(
        source="csv",
        target="csv",
        make=_made(lambda: _zip({f"{n}.csv": b"" for n in range(20_000)})),
        archive="x.zip",
        refused="ArchiveTooBig",
        says=("10,000",),
    ),
    "a tar.gz bomb of 10 GB": Case(
        source="csv",
        target="csv",
        make=lambda: cast("BinaryIO", Repeated((gzip.compress(_ZEROS), 1000))),
        archive="x.tar.gz",
        refused="TooBig",
        says=("bomb",),
    ),
    # Parquet
    "20,000 Parquet rows that share 50 kB": Case(
        source="parquet", target="json", make=_parquet(lambda: _shared_texts(20_000, 50_000)), rows=20_000, seconds=30
    ),
    "a Parquet dictionary of one text for a billion rows": Case(
        source="parquet", target="csv", make=_made(lambda: _dictionary(100_000, 10**9)), refused="TooBig"
    ),
    "a Parquet dictionary text of 30 MB": Case(
        source="parquet", target="csv", make=_made(lambda: _dictionary(30 * MB, 3)), rows=3
    ),
    "a Parquet page of 1 GB, as the footer tells": Case(
        source="parquet", target="csv", make=_made(lambda: _page_of_zeros(1000 * MB, 1000 * MB)), refused="TooBig"
    ),
    "a Parquet page of 1 GB of which the footer does not tell": Case(
        source="parquet", target="csv", make=_made(lambda: _page_of_zeros(1000 * MB, 1000)), refused="TooBig"
    ),
    "a Parquet page said to be of 2 GB": Case(
        source="parquet", target="csv", make=_made(_page_that_lies), refused="TooBig"
    ),
    "30,000 Parquet columns": Case(
        source="parquet",
        target="csv",
        make=_made(lambda: thrift.text_file(b"", rows=0, codec=0, unpacked=0, names=tuple(map(str, range(30_000))))),
        refused="TooBig",
    ),
}
