"""An archive that is one table: its members are the parts of a big run, and what comes out is one invocation's."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from millrace.big_runs import dividing
from millrace.big_runs.archive_members import unpack_tar
from millrace.big_runs.events import Phase
from millrace.engine.formats.streams.archive import Limits, open_archive
from millrace.errors import ArchiveTooBig
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from tests.configurations import bulk_sync, model_document
from tests.unit.big_runs.running import RunWorld, phases_of, twin_of
from tests.unit.big_runs.test_equal_outputs import SOURCES, content, to_csv
from tests.unit.engine.formats.packing import tarred, zipped
from tests.world import World

SINGLE = {"is_single_table": True, "single_table_name": "orders"}


def to_csv_of(number: int, rows: int = 20) -> bytes:
    """A file of its own columns; later files widen what earlier ones have."""
    lines = [f"id,amount,only{number % 3}"]
    for row in range(rows):
        amount = f"{row}.5" if number == 5 else str(row)
        lines.append(f'{number * 100 + row},{amount},"a ""{row}""\nb"')
    return ("\n".join(lines) + "\n").encode()


def csv_files(count: int = 7) -> dict[str, bytes]:
    return {f"in/{number:03}.csv": to_csv_of(number) for number in range(count)}


MIXED = {**csv_files(3), "a.jsonl": b'{"id":1,"nested":{"a":[1,2]}}\n' * 9, "b.csv.gz": gzip.compress(to_csv_of(4))}
MIXED |= {"z.parquet": SOURCES["orders.parquet"], "notes.pdf": b"%PDF", "__MACOSX/x.csv": b"id\n1\n"}


def pack_zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


PACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
    ".tar.zst": pack_zstd,
}


def pack(extension: str, files: Mapping[str, bytes]) -> bytes:
    return zipped(files) if extension == ".zip" else PACKERS[extension](tarred(files))


EXTENSIONS = (".zip", *PACKERS)


def key_of(extension: str) -> ObjectRef:
    return ObjectRef("acme-in", f"in/export{extension}")


def model_world(source: ObjectRef, *, part_bytes: int = 200, **sync: Any) -> RunWorld:
    model = {"model_from": "multi_file_archive", "key": source.key}
    return RunWorld(configuration=model_document(model, sync), part_bytes=part_bytes)


def outputs_of(world: World) -> dict[str, object]:
    keys = [key for key in world.store.buckets["acme-out"] if "/.millrace/" not in key]
    return {key: content(world, ObjectRef("acme-out", key)) for key in keys}


def assert_as_one_invocation(world: RunWorld, source: ObjectRef, data: bytes, end: str = "done") -> Entry:
    """Run it both ways; the entry of the run, whose outputs, counts and words are those of one invocation."""
    whole = twin_of(world)
    whole.one(whole.upload(data, source))
    assert world.one(world.upload(data, source)).result is State.WAITING
    assert world.drive() == end, world.entry(source)

    entry, wanted = world.entry(source), whole.entry(source)
    assert (entry.state, entry.rows, entry.version) == (wanted.state, wanted.rows, wanted.version)
    assert (entry.reason, entry.failure) == (wanted.reason, wanted.failure)
    assert outputs_of(world) == outputs_of(whole)
    assert world.homes() == []
    return entry


@pytest.mark.slow
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_an_archive_is_divided_by_its_members(extension: str) -> None:
    source = key_of(extension)
    world = model_world(source)

    entry = assert_as_one_invocation(world, source, pack(extension, MIXED))

    assert entry.state is State.CONVERTED
    assert "2 of its members are ignored" in str(entry.reason)
    phases = [phase for phase, _ in phases_of(world)]
    assert (Phase.INFLATE in phases) == (extension not in {".zip", ".tar"})
    assert Phase.SCAN not in phases
    assert phases.count(Phase.CONVERT) > 3


@pytest.mark.slow
@pytest.mark.parametrize("to", ["csv", "parquet", "json-doc"])
def test_to_every_target(to: str) -> None:
    target = {"connection": "lake", "object": "customers", "configuration": {"format": to}}
    source = key_of(".zip")

    assert_as_one_invocation(model_world(source, target=target), source, zipped(csv_files()))


def test_several_small_members_are_one_part() -> None:
    source = key_of(".tar")
    world = model_world(source, part_bytes=100_000)

    assert_as_one_invocation(world, source, tarred(csv_files()))

    assert [phase for phase, _ in phases_of(world)].count(Phase.CONVERT) == 1


@pytest.mark.slow
def test_no_more_batches_than_a_run_may_have_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dividing, "MOST_RUN_PARTS", 4)
    source = key_of(".tar")
    world = model_world(source, part_bytes=1)

    assert_as_one_invocation(world, source, tarred(csv_files(20)))

    assert 1 < [phase for phase, _ in phases_of(world)].count(Phase.CONVERT) <= 4


class TestFileOfTable:
    """An archive in the folder of a bulk sync is one file of its table."""

    @pytest.mark.slow
    @pytest.mark.parametrize("evolution", ["evolve", "rescue"])
    @pytest.mark.parametrize("extension", [".zip", ".tar.gz"])
    def test_it_fits_into_the_table_as_in_one_invocation(self, extension: str, evolution: str) -> None:
        source, first = key_of(extension), ObjectRef("acme-in", "in/a.csv")
        syncs = (bulk_sync(to="parquet", schema_evolution=evolution),)
        world = RunWorld(syncs=syncs, source=SINGLE, big_run_bytes=100)
        whole, data = twin_of(world), pack(extension, csv_files())
        for each in (world, whole):
            each.one(each.upload(b"id,extra\n1,x\n", first))
            each.one(each.upload(data, source))
        assert world.drive() == "done"

        entry, wanted = world.entry(source), whole.entry(source)
        assert (entry.rows, entry.schema_version, entry.schema_changes) == (
            wanted.rows,
            wanted.schema_version,
            wanted.schema_changes,
        )
        assert outputs_of(world) == outputs_of(whole)

    @pytest.mark.slow
    def test_a_snapshot_is_its_newest_archive(self) -> None:
        world = RunWorld(syncs=(bulk_sync(to="json", mode="snapshot"),), source=SINGLE)
        world.store.modified = datetime(2026, 11, 2, tzinfo=UTC)

        assert_as_one_invocation(world, key_of(".zip"), zipped(csv_files()))

    @pytest.mark.parametrize("extension", [".tar", ".tar.gz"])
    def test_a_member_of_another_format_is_refused_by_name(self, extension: str) -> None:
        world = RunWorld(syncs=(bulk_sync(to="json"),), source=SINGLE)

        files = {**csv_files(), "x.jsonl": b'{"id":1}\n'}
        entry = assert_as_one_invocation(world, key_of(extension), pack(extension, files), "failed")

        assert entry.failure is not None
        assert "the member 'x.jsonl'" in entry.failure.message

    @pytest.mark.slow
    def test_source_columns_name_the_member(self) -> None:
        columns = {"source_columns": ["file", "version"]}
        world = RunWorld(syncs=(bulk_sync(to="json"),), source={**SINGLE, **columns})

        assert_as_one_invocation(world, key_of(".zip"), zipped(csv_files()))

        (output,) = outputs_of(world).values()
        assert isinstance(output, bytes)
        assert b"s3://acme-in/in/export.zip/in/003.csv" in output


@pytest.mark.parametrize("extension", [".zip", ".tar", ".tar.gz"])
class TestBadRows:
    def files(self) -> dict[str, bytes]:
        return {**csv_files(), "in/004.csv": to_csv_of(4) + b"1,2,3,4,5\n" + to_csv_of(4)}

    @pytest.mark.slow
    def test_the_first_one_is_named_by_member_and_row(self, extension: str) -> None:
        source = key_of(extension)

        entry = assert_as_one_invocation(model_world(source), source, pack(extension, self.files()), "failed")

        assert entry.failure is not None
        assert f"{source.key}/in/004.csv" in entry.failure.message

    @pytest.mark.slow
    def test_they_are_put_aside_with_their_members(self, extension: str) -> None:
        source = key_of(extension)
        world = model_world(source, bad_rows="quarantine")

        entry = assert_as_one_invocation(world, source, pack(extension, self.files()))

        assert entry.rows.quarantined >= 1
        assert len(outputs_of(world)) == 2


def noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)


class TestRefusedArchives:
    """What one invocation refuses an archive for, a run does, too."""

    @pytest.mark.parametrize(
        ("extension", "data"),
        [
            (".tar", tarred(csv_files())[:4096]),
            (".tar.gz", gzip.compress(tarred(csv_files())[:4096])),
            (".tar", tarred({"a.csv": to_csv(), "b.zip": zipped({})})),
            (".tar.gz", gzip.compress(tarred({"notes.pdf": b"%PDF" * 300}))),
            (".tar.gz", gzip.compress(gzip.compress(tarred({"noise.csv": noise(2**12)})))),
        ],
        ids=["cut", "cut before it was packed", "archive inside", "nothing to read", "packed twice"],
    )
    def test_with_the_same_words(self, extension: str, data: bytes) -> None:
        source = key_of(extension)

        entry = assert_as_one_invocation(model_world(source), source, data, "failed")

        assert entry.state is State.FAILED

    def test_one_that_was_cut_while_it_is_packed(self) -> None:
        source = key_of(".tar.gz")
        world = model_world(source)
        world.one(world.upload(gzip.compress(tarred({"noise.csv": noise(2**16)}))[:-200], source))

        assert world.drive() == "failed"

        failure = world.entry(source).failure
        assert failure is not None
        assert (failure.error, "the gz file stops before its end" in failure.message) == ("TruncatedFile", True)

    @pytest.mark.parametrize("limits", [Limits(total_bytes=50_000), Limits(ratio=5, free_bytes=20_000)])
    def test_a_tar_is_not_unpacked_beyond_the_limits_of_one_invocation(self, limits: Limits) -> None:
        unpacked = list[int]()

        with pytest.raises(ArchiveTooBig):
            unpack_tar(
                io.BytesIO(gzip.compress(tarred({"a.csv": b"1\n" * 2**18}))),
                len,
                on_bytes=unpacked.append,
                frame_bytes=10_000,
                workers=1,
                limits=limits,
            )

        assert max(unpacked) <= max(limits.free_bytes, 50_000)

    @pytest.mark.parametrize(
        "data",
        [gzip.compress(b""), zipped({}), zipped({"a.csv": b"id\n1\n"})],
        ids=["nothing packed", "no member", "one member"],
    )
    def test_what_has_no_two_members_stays_with_one_invocation(self, data: bytes) -> None:
        source = key_of(".tgz")
        world = model_world(source)

        assert world.one(world.upload(data, source)).result is not State.WAITING
        assert world.machine.inputs == {}

    def test_tables_of_their_own_stay_with_one_invocation(self) -> None:
        world = RunWorld(syncs=(bulk_sync(to="json"),))

        assert world.one(world.upload(zipped(csv_files()), key_of(".zip"))).result is State.CONVERTED
        assert world.machine.inputs == {}


def test_a_sparse_member_is_read_as_it_was_before_it_was_packed() -> None:
    """Of a sparse file a tar holds the pieces that are no zeros."""
    source = key_of(".tar")
    data = sparse_tar("in/sparse.csv", b"\n" * 512) + tarred(csv_files(2))
    with open_archive(io.BytesIO(data), source.key) as archive:
        assert [member.place is None for member in archive.members] == [False, False, True]

    assert_as_one_invocation(model_world(source), source, data)


def sparse_tar(name: str, data: bytes) -> bytes:
    """A member of GNU's old sparse kind, behind as many zeros that are not there (GNU tar, "Storing Sparse Files")."""
    header = bytearray(512)
    fields = {0: name.encode(), 100: b"0000644\0", 108: b"0000000\0", 116: b"0000000\0", 124: b"%011o\0" % len(data)}
    fields |= {136: b"00000000000\0", 148: b" " * 8, 156: b"S", 257: b"ustar  \0"}
    fields |= {386: b"%011o\0" % 512, 398: b"%011o\0" % len(data), 483: b"%011o\0" % (512 + len(data))}
    for at, field in fields.items():
        header[at : at + len(field)] = field
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data


def test_a_part_that_takes_too_long_says_that_members_are_not_cut() -> None:
    source = key_of(".zip")
    world = model_world(source)
    world.one(world.upload(zipped(csv_files()), source))
    world.remaining = 3

    assert world.drive() == "failed"

    failure = world.entry(source).failure
    assert failure is not None
    assert failure.error == "TooBig"
    assert "divide its largest files" in failure.message


def test_a_member_whose_checksum_is_wrong_fails_with_its_name() -> None:
    source = key_of(".zip")
    data = zipped(csv_files(), zipfile.ZIP_STORED).replace(b"300,0,", b"301,0,", 1)

    entry = assert_as_one_invocation(model_world(source), source, data, "failed")

    assert entry.failure is not None
    assert "in/003.csv" in entry.failure.message
