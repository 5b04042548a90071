"""What a file is by its first bytes."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from millrace.engine.formats.streams.first_bytes import is_tar, is_zip, name_compression, name_other
from millrace.engine.options import Compression
from millrace.errors import MalformedFile
from tests.unit.engine.formats.builders import converted


def tar(name: str = "a.csv", *, form: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        info = tarfile.TarInfo(name)
        info.size = 4
        archive.addfile(info, io.BytesIO(b"a\n1\n"))
    return file.getvalue()


def zipped(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_are_known_by_the_sum_of_their_header(form: int) -> None:
    assert is_tar(tar(form=form))
    assert is_tar(tar("ü" * 20, form=form))


def test_old_tars_have_no_mark_and_are_known() -> None:
    old = bytearray(tar(form=tarfile.USTAR_FORMAT))
    old[257:265] = bytes(8)
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old[:512])

    assert is_tar(bytes(old))


@pytest.mark.parametrize("text", [b"", b"a,b\n" * 300, b"0" * 600, b" " * 600, b"7" * 148 + b"0000000 " + b"1" * 400])
def test_texts_are_no_tars(text: bytes) -> None:
    assert not is_tar(text)
    assert name_other(text) is None


def written(write: Callable[[pa.Table, io.BytesIO], None], rows: int) -> bytes:
    file = io.BytesIO()
    write(pa.table({"a": pa.array(range(rows), pa.int64()), "b": pa.array(["x"] * rows, pa.string())}), file)
    return file.getvalue()


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_columnar_files_are_known_under_any_name(rows: int) -> None:
    assert name_other(written(pq.write_table, rows)) == "a Parquet file"
    assert name_other(written(orc.write_table, rows)) == "an ORC file"


@pytest.mark.parametrize("text", [b"PAR1,PAR2\n1,2\n", b"ORC,Name\n1,a\n", b"ORC\tName\r\n1\ta\r\n", b"%PDF,a\n1,2\n"])
def test_headers_that_begin_like_other_formats_are_texts(text: bytes) -> None:
    assert name_other(text) is None


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"BZh91AY&SY", Compression.BZIP2),
        (b"BZh1\x17rE8P\x90", Compression.BZIP2),
        (b"BZh91A", Compression.BZIP2),
        (b"BZhandler,a\n", None),
        (b"BZh9,a\n", None),
        (b"BZh0" + b"1AY&SY", None),
        (b"P*M\x18", Compression.ZSTD),
        (b"PM,a\n", None),
        (b"", None),
    ],
)
def test_marks_that_may_begin_a_text(head: bytes, expected: Compression | None) -> None:
    assert name_compression(head) is expected


OTHERS = {
    "tar": tar(),
    "zip": zipped(a=b"a\n1\n"),
    "empty zip": zipped(),
    "7z": b"7z\xbc\xaf\x27\x1c" + bytes(40),
    "rar": b"Rar!\x1a\x07\x01\0" + bytes(40),
    "compress": b"\x1f\x9d\x90abc",
    "old lz4": b"\x02\x21\x4c\x18abc",
    "avro": b"Obj\x01" + bytes(30),
    "xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
}


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("source", ["csv", "json"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_what_is_no_text_is_refused_by_rule(data: bytes, source: str, encoding: str) -> None:
    """Whatever the encoding: as latin-1 every byte is a character."""
    with pytest.raises(MalformedFile, match="is no text"):
        converted(data, source, "json", encoding=encoding)


def test_a_zip_is_known() -> None:
    assert is_zip(zipped(a=b"1"))
    assert is_zip(zipped())
    assert not is_zip(tar())
