"""Archives: members are read in the order of their names, hostile ones are refused, nothing is written to a path."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.file_names import ARCHIVE_EXTENSIONS, is_archive
from millrace.engine.formats.streams.archive import Archive, Limits, open_archive
from millrace.engine.options import READ_EXTENSIONS, Compression, FileFormat
from millrace.errors import ArchiveTooBig, BadArchive, DataError, MalformedFile, TruncatedFile
from tests.properties import examples
from tests.unit.engine.formats.packing import tarred, zipped

A, B = b"id,x\n1,a\n", b"id,x\n2,b\n"
Files = Mapping[str, bytes]


def packed(files: Files, extension: str) -> bytes:
    """An archive of the kind that the extension names."""
    if extension == ".zip":
        return zipped(files)
    plain = tarred(files)
    match extension.rpartition(".")[2]:
        case "gz" | "tgz":
            return gzip.compress(plain)
        case "bz2":
            return bz2.compress(plain)
        case "zst":
            return bytes(pa.compress(plain, "zstd", asbytes=True))
    return plain


def listed(data: bytes, name: str = "x.zip", **options: Any) -> Archive:
    """What an archive lists."""
    with open_archive(io.BytesIO(data), name, **options) as archive:
        return archive


def contents(data: bytes, name: str = "x.zip", **options: Any) -> dict[str, bytes]:
    """The members' bytes, each read twice."""
    found = {}
    with open_archive(io.BytesIO(data), name, **options) as archive:
        for member in archive.members:
            with member.open() as file:
                found[member.name] = file.read()
            with member.open() as file:
                file.seek(1)
                assert file.read() == found[member.name][1:]
    return found


@pytest.mark.parametrize("extension", ARCHIVE_EXTENSIONS)
def test_members_come_by_name_whatever_the_archives_order(extension: str) -> None:
    files = {"b.csv": B, "é.jsonl": b"{}", "a/z.csv": A, "./a.csv": A}

    found = contents(packed(files, extension), "x" + extension.upper())

    assert list(found.items()) == [("a.csv", A), ("a/z.csv", A), ("b.csv", B), ("é.jsonl", b"{}")]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_method_of_a_zip_is_read(method: int) -> None:
    assert contents(zipped({"a.csv": A}, method)) == {"a.csv": A}


@pytest.mark.parametrize("extension", ARCHIVE_EXTENSIONS)
def test_an_archive_of_nothing_has_no_members(extension: str) -> None:
    assert listed(packed({}, extension), "x" + extension) == Archive((), ())


def test_names_are_only_names() -> None:
    names = ["../../etc/passwd.csv", "/etc/x.csv", "C:\\x.csv", "a\nb.csv"]

    for extension in (".zip", ".tar"):
        assert sorted(contents(packed(dict.fromkeys(names, A), extension), extension)) == sorted(names)


def test_what_is_no_table_is_ignored_with_the_reason() -> None:
    files = {"__MACOSX/._a.csv": b"", ".hidden.csv": b"", "a/.b/c.csv": b"", "README.md": b"", "a.csv": A}

    found = listed(zipped({**files, "dir.csv/": b""}))

    assert [one.name for one in found.members] == ["a.csv"]
    assert {one.name: one.reason for one in found.ignored} == {
        "__MACOSX/._a.csv": "macOS keeps its own notes in __MACOSX",
        ".hidden.csv": "a part of its name begins with a dot",
        "a/.b/c.csv": "a part of its name begins with a dot",
        "README.md": f"its extension is none of {', '.join(READ_EXTENSIONS)}",
        "dir.csv/": "it is a directory",
    }


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (tarfile.SYMTYPE, "it is a link or a device"),
        (tarfile.LNKTYPE, "it is a link or a device"),
        (tarfile.CHRTYPE, "it is a link or a device"),
        (tarfile.FIFOTYPE, "it is a link or a device"),
        (tarfile.DIRTYPE, "it is a directory"),
    ],
)
def test_what_is_no_file_of_a_tar_is_ignored(kind: bytes, reason: str) -> None:
    other = tarfile.TarInfo("a.csv")
    other.type, other.linkname = kind, "/etc/passwd"

    found = listed(tarred({}, other), "x.tar")

    assert (found.members, [one.reason for one in found.ignored]) == ((), [reason])


def test_a_link_in_a_zip_is_ignored() -> None:
    made = io.BytesIO()
    link = zipfile.ZipInfo("a.csv")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(link, "/etc/passwd")

    assert [one.reason for one in listed(made.getvalue()).ignored] == ["it is a link or a device"]


def test_a_members_extension_says_how_it_is_read() -> None:
    files = {"a.tsv": A, "b.csv.gz": gzip.compress(B), "c.dat": A, "d.json": b"{}"}

    known = {one.name: one.known for one in listed(zipped(files)).members}
    csv_alone = listed(zipped(files), file_format=FileFormat.CSV)

    assert (known["a.tsv"].delimiter, known["b.csv.gz"].compression) == ("\t", Compression.GZIP)
    assert list(known) == ["a.tsv", "b.csv.gz", "d.json"]
    assert [one.name for one in csv_alone.members] == ["a.tsv", "b.csv.gz", "c.dat"]
    assert csv_alone.ignored[0].reason == "it is a json file, and others are asked for"


@pytest.mark.parametrize("name", ["b.zip", "b.TGZ", "b.tar.bz2", "b.7z", "b.rar"])
def test_an_archive_in_an_archive_is_refused(name: str) -> None:
    with pytest.raises(BadArchive, match=f"'{name}' is an archive inside the archive"):
        listed(zipped({"a.csv": A, name: b""}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("extension", [".zip", ".tar"])
def test_two_members_of_one_name_are_refused(extension: str) -> None:
    with pytest.raises(BadArchive, match=r"two members have the name 'a.csv'"):
        listed(packed({"a.csv": A, "./a.csv": B}, extension), extension)


def test_an_encrypted_member_is_refused_by_name() -> None:
    data = bytearray(zipped({"a.csv": A}))
    data[data.index(b"PK\x01\x02") + 8] |= 1

    with pytest.raises(BadArchive, match=r"'a.csv' is encrypted"):
        listed(bytes(data))


def test_an_unknown_method_is_refused_by_name() -> None:
    data = bytearray(zipped({"a.csv": A}))
    data[data.index(b"PK\x01\x02") + 10] = 99

    with pytest.raises(BadArchive, match=r"'a.csv' is packed by the method 99"):
        listed(bytes(data))


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(members=2), "more than 2 members"),
        (Limits(member_bytes=99_999), r"'b.csv' has 100,000 bytes unpacked; 99,999 are the most"),
        (Limits(total_bytes=100_000), r"has 1\d\d,\d\d\d bytes unpacked; 100,000 are the most"),
        (Limits(ratio=20, free_bytes=1000), "more than 20 times as large unpacked"),
    ],
)
@pytest.mark.parametrize("extension", [".zip", ".tar.gz", ".tar.zst"])
def test_limits_hold(extension: str, limits: Limits, told: str) -> None:
    data = packed({"a.csv": A, "b.csv": b"\n" * 100_000, "c.txt": B}, extension)

    with pytest.raises(ArchiveTooBig, match=told):
        listed(data, "x" + extension, limits=limits)


def test_a_small_file_may_be_packed_as_tightly_as_it_likes() -> None:
    assert contents(zipped({"a.csv": b"\n" * 1_000_000}))["a.csv"] == b"\n" * 1_000_000


def test_members_that_share_their_bytes_are_counted_each() -> None:
    data = zipped({f"{number}.csv": b"\n" * 10_000 for number in range(20)})

    with pytest.raises(ArchiveTooBig, match="the archive becomes more than 30 times as large"):
        listed(data, limits=Limits(ratio=30, free_bytes=100_000))


def test_a_long_name_in_a_tar_takes_bounded_memory() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("x" * 2**21 + ".csv"))

    with pytest.raises(ArchiveTooBig, match="one name in it"):
        listed(made.getvalue(), "x.tar")


def test_a_full_disk_is_said_to_be_full() -> None:
    class Full(io.BytesIO):
        def write(self, _data: Any) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(ArchiveTooBig, match="the disk is full after 9 bytes"):
        contents(zipped({"a.csv": A}), limits=Limits(open_spool=Full))


def test_half_a_zip_is_truncated() -> None:
    data = zipped({"a.csv": A, "b.csv": B})

    for end in (0, 5, len(data) // 2, len(data) - 30):
        with pytest.raises(TruncatedFile, match="before its list of members"):
            listed(data[:end])


def test_half_a_tar_is_truncated_even_between_members() -> None:
    data = tarred({"a.csv": A, "b.csv": B})

    for end in (0, 100, 515, 1024, 1300, 2048):
        with pytest.raises(TruncatedFile):
            listed(data[:end], "x.tar")


def test_a_damaged_header_is_no_end_of_a_tar() -> None:
    data = bytearray(tarred({"a.csv": A, "b.csv": B}))
    data[1024] ^= 1

    with pytest.raises(MalformedFile, match="damaged at byte 1,024"):
        listed(bytes(data), "x.tar")


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_what_is_no_archive_is_malformed(name: str) -> None:
    with pytest.raises(MalformedFile):
        listed(b"id,x\n" * 1000, name)


def test_a_damaged_member_is_named() -> None:
    data = bytearray(zipped({"a.csv": A, "b.csv": B}, zipfile.ZIP_STORED))
    data[data.index(B)] ^= 1

    with pytest.raises(MalformedFile, match=r"'b.csv' in the zip archive is damaged: Bad CRC-32"):
        contents(bytes(data))


def test_the_sources_own_errors_stay_what_they_are() -> None:
    class Lost(io.BytesIO):
        lost = False

        def read(self, size: int | None = -1) -> bytes:
            if self.lost:
                raise ConnectionError("lost")
            return super().read(size)

    for extension in (".zip", ".tar"):
        source = Lost(packed({"a.csv": A}, extension))
        with open_archive(source, extension) as archive, contextlib.ExitStack() as stack:
            source.lost = True
            stack.enter_context(pytest.raises(ConnectionError))
            with archive.members[0].open() as file:
                file.read()


def test_a_member_without_a_name_is_ignored() -> None:
    data = zipped({"a.csv": A, "": B})

    found = listed(data)

    assert [member.name for member in found.members] == ["a.csv"]
    assert [(one.name, one.reason) for one in found.ignored] == [("", "it has no name")]


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(st.sampled_from([".zip", ".tar", ".tar.gz"]), st.data())
def test_whatever_the_bytes_the_error_is_ours(extension: str, drawn: st.DataObject) -> None:
    data = bytearray(packed({"a.csv": A, "b.csv": B * 50}, extension))
    for at, value in drawn.draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=6)):
        data[at] = value
    cut = drawn.draw(st.integers(0, len(data)) | st.just(len(data)))

    with contextlib.suppress(DataError):
        contents(bytes(data[:cut]), "x" + extension)


def test_archives_are_told_by_their_names() -> None:
    assert all(is_archive(name) for name in ("a.zip", "A.TAR", "a.tar.gz", "a.Tgz", "a.tar.zst"))
    assert not any(is_archive(name) for name in ("a.gz", "zip", "a.zip.csv"))
