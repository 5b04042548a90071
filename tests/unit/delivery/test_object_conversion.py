"""Which opened objects can be divided, by their head alone."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile

import pytest

from millrace.delivery.object_conversion import can_be_cut
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from millrace.planning.plans import Plan
from tests.configurations import bulk_sync, document, model_document

HEADER = b"id,note\n"
ROW = b"1,abcdefgh\n"
CSV = HEADER + ROW * 20
XML = b"<rows>" + b"<row><id>1</id></row>" * 50 + b"</rows>"


def plan_of(key: str) -> Plan:
    (plan,) = Planner(document(bulk_sync(to="json"))).plan(ObjectRef("acme-in", f"in/{key}"))
    assert isinstance(plan, Plan)
    return plan


def archive_plan(key: str) -> Plan:
    """Its members are one table."""
    ref = ObjectRef("acme-in", f"in/{key}")
    (plan,) = Planner(model_document({"model_from": "multi_file_archive", "key": ref.key})).plan(ref)
    assert isinstance(plan, Plan)
    return plan


def is_cut(plan: Plan, data: bytes, part_bytes: int = 64) -> bool:
    stream = io.BytesIO(data)
    answer = can_be_cut(plan, stream, part_bytes)
    assert stream.tell() == 0, "who converts it reads it from its beginning"
    return answer


@pytest.mark.parametrize(
    ("part_bytes", "expected"), [(64, True), (len(CSV) // 2 + len(ROW), True), (len(CSV) + 1, False)]
)
def test_text_of_two_parts_or_more_is_cut(part_bytes: int, *, expected: bool) -> None:
    """The second of these sizes gives exactly two."""
    assert is_cut(plan_of("orders.csv"), CSV, part_bytes) is expected


@pytest.mark.parametrize("key", ["orders.csv.gz", "orders.csv.bz2"])
def test_compressed_text_is_inflated_first_so_its_own_size_says_nothing(key: str) -> None:
    pack = gzip.compress if key.endswith("gz") else bz2.compress

    assert is_cut(plan_of(key), pack(CSV), part_bytes=2**30)
    assert not is_cut(plan_of(key), pack(b""))


@pytest.mark.parametrize(
    ("key", "data"),
    [
        ("orders.xml", XML),
        ("orders.xml.gz", gzip.compress(XML)),
        ("orders.parquet", b"PAR1 no parquet"),
        ("orders.csv", CSV.decode().encode("utf-16")),
        ("orders.csv.gz", gzip.compress(CSV.decode().encode("utf-16"))),
        ("orders.csv.gz", gzip.compress(CSV)[:12]),
        ("orders.csv", b""),
    ],
    ids=["XML", "gzip of XML", "no Parquet", "UTF-16", "gzip of UTF-16", "a cut gzip", "nothing"],
)
def test_what_is_of_another_format_or_damaged_is_one_invocations(key: str, data: bytes) -> None:
    """That says what is wrong with it, as ever."""
    assert not is_cut(plan_of(key), data, part_bytes=8)


def zipped(*names: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return sink.getvalue()


def tarred(*names: str) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(CSV)
            archive.addfile(member, io.BytesIO(CSV))
    return sink.getvalue()


@pytest.mark.parametrize(
    ("key", "data", "expected"),
    [
        ("export.zip", zipped("a.csv", "b.csv"), True),
        ("export.zip", zipped("a.csv"), False),
        ("export.zip", zipped("a.csv", "read me.pdf"), False),
        ("export.zip", b"PK no zip", False),
        ("export.tar", tarred("a.csv", "b.csv"), True),
        ("export.tar.gz", gzip.compress(tarred("a.csv", "b.csv")), True),
        ("export.tar.gz", gzip.compress(tarred("a.csv", "b.csv"))[:40], False),
        ("export.tar.gz", gzip.compress(b"too short for a tar"), False),
    ],
    ids=["zip", "one member", "one table", "no zip", "tar", "tar.gz", "a cut tar.gz", "no tar"],
)
def test_an_archive_is_cut_at_its_members(key: str, data: bytes, *, expected: bool) -> None:
    """A tar names its members all over the file, so its beginning is enough."""
    assert is_cut(archive_plan(key), data, part_bytes=2**30) is expected
