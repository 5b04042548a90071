"""Archives in bulk syncs: a table a member, or one file of a table; whole or absent, accounted for, cleaned up."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from millrace.config.document import parse
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from millrace.objects.store import Published
from tests.configurations import bulk_sync, connection
from tests.examples import Run
from tests.fakes import InMemoryUpload
from tests.unit.engine.formats.packing import tarred, zipped
from tests.world import World

ORDERS = b"id,amount\n1,2.50\n2,3.75\n"
EVENTS = b'{"id":1}\n{"id":2}\n{"id":3}\n'
REF = ObjectRef("acme-in", "in/export.zip")
TABLE = {"is_single_table": True, "single_table_name": "orders"}


def run_of(inputs: Mapping[ObjectRef, bytes], *, source: Mapping[str, Any] | None = None, **sync: Any) -> Run:
    document = {
        "connections": [connection("landing", "s3://acme-in/in", **source or {}), connection("lake", "s3://acme-out")],
        "bulk_syncs": [bulk_sync("nightly", to="json", **sync)],
    }
    run = Run(parse(document), inputs)
    run.work(run.uploads())
    return run


def outputs_of(run: Run) -> dict[str, str]:
    return {ref.key: data.decode() for ref, data in run.outputs().items()}


def entry_of(run: Run, ref: ObjectRef = REF) -> Entry:
    entry = run.ledger.get("nightly", ref)
    assert entry is not None
    return entry


class TestMembersAreTables:
    def test_each_member_has_its_output_below_the_archives_name(self) -> None:
        run = run_of({REF: zipped({"orders.csv": ORDERS, "a/events.jsonl": EVENTS})})

        assert outputs_of(run) == {
            "export/a/events.jsonl": EVENTS.decode(),
            "export/orders.jsonl": '{"id":1,"amount":2.50}\n{"id":2,"amount":3.75}\n',
        }
        entry = entry_of(run)
        assert (entry.state, entry.rows.read, entry.rows.written) == (State.CONVERTED, 5, 5)
        assert sorted(output.ref.key for output in entry.outputs) == sorted(outputs_of(run))

    @pytest.mark.parametrize(
        ("extension", "data"),
        [
            (".tar", tarred({"orders.csv": b"id\n1\n"})),
            (".tar.gz", gzip.compress(tarred({"orders.csv": b"id\n1\n"}), mtime=0)),
            (".tgz", gzip.compress(tarred({"orders.csv": b"id\n1\n"}), mtime=0)),
            (".tar.bz2", bz2.compress(tarred({"orders.csv": b"id\n1\n"}))),
            (".tar.xz", lzma.compress(tarred({"orders.csv": b"id\n1\n"}))),
            (".tar.gz", tarred({"orders.csv": b"id\n1\n"})),
            (".zip", gzip.compress(tarred({"orders.csv": b"id\n1\n"}), mtime=0)),
            (".tar", zipped({"orders.csv.gz": gzip.compress(b"id\n1\n")})),
        ],
    )
    def test_the_first_bytes_say_what_kind_of_archive_it_is(self, extension: str, data: bytes) -> None:
        run = run_of({ObjectRef("acme-in", f"in/export{extension}"): data})

        assert outputs_of(run) == {"export/orders.jsonl": '{"id":1}\n'}

    def test_what_a_newer_version_lacks_is_removed(self) -> None:
        run = run_of({REF: zipped({"orders.csv": ORDERS, "old.csv": b"id\n1\n"})})
        assert "export/old.jsonl" in outputs_of(run)

        run.upload(REF, zipped({"orders.csv": ORDERS}))

        assert list(outputs_of(run)) == ["export/orders.jsonl"]
        assert [output.ref.key for output in entry_of(run).outputs] == ["export/orders.jsonl"]

    def test_a_bad_member_leaves_all_as_it_was(self) -> None:
        run = run_of({REF: zipped({"orders.csv": ORDERS, "z.csv": b"id\n1\n"})})
        before = outputs_of(run)

        run.upload(REF, zipped({"a.csv": b"id\n9\n", "orders.csv": ORDERS, "z.csv": b"a,b\n1,2\n3\n"}))

        assert outputs_of(run) == before
        entry = entry_of(run)
        assert entry.state is State.FAILED
        assert entry.failure is not None
        assert "z.csv" in entry.failure.message

    def test_bad_rows_of_each_member_are_put_aside(self) -> None:
        files = {"a.csv": b"a,b\n1,2\n3\n", "b.csv": b"a,b\n1,2\n"}
        run = run_of({REF: zipped(files)}, bad_rows="quarantine")

        assert sorted(outputs_of(run)) == ["_quarantine/export/a.jsonl", "export/a.jsonl", "export/b.jsonl"]
        assert '"source": "a.csv"' in outputs_of(run)["_quarantine/export/a.jsonl"]
        rows = entry_of(run).rows
        assert (rows.read, rows.written, rows.quarantined) == (3, 2, 1)
        assert entry_of(run).state is State.QUARANTINED

    def test_the_deletion_of_the_archive_removes_them(self) -> None:
        run = run_of({REF: zipped({"a.csv": ORDERS, "b.csv": ORDERS})}, on_delete="remove")

        run.work(run.deletions([REF]))

        assert outputs_of(run) == {}

    def test_tables_are_chosen_named_filtered_and_read_by_their_schemas(self) -> None:
        schemas = [
            {"id": "export/orders", "user_output_name": "sales", "csv_delimiter": "|", "fields": ["b"]},
            {"id": "export/off", "enabled": False},
        ]
        files = {"orders.csv": b"a|b\n1|2\n", "off.csv": b"a\n1\n", "other.csv": b"a\n1\n", "notes.md": b"hello"}
        run = run_of({REF: zipped(files)}, schemas=schemas, automatically_add_new_fields="none")

        assert outputs_of(run) == {"sales.jsonl": '{"b":2}\n'}
        reason = entry_of(run).reason or ""
        assert "3 of its members are ignored" in reason
        assert "'export/off' is not enabled" in reason

    def test_an_archive_of_which_no_table_is_wanted_is_ignored(self) -> None:
        run = run_of({REF: zipped({"a.csv": ORDERS})}, schemas=["orders"])

        assert entry_of(run).state is State.IGNORED
        assert outputs_of(run) == {}

    def test_so_is_its_next_version_and_what_the_former_had_goes(self) -> None:
        run = run_of({REF: zipped({"a.csv": ORDERS})}, schemas=["export/a"])
        assert list(outputs_of(run)) == ["export/a.jsonl"]

        run.upload(REF, zipped({"b.csv": ORDERS}))

        assert entry_of(run).state is State.IGNORED
        assert outputs_of(run) == {}
        assert entry_of(run).outputs == ()

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("files", "says"),
        [
            ({}, "no members"),
            ({"readme.md": b"x"}, "no member that can be read"),
            ({"_x.csv": b"a\n", ".y.csv": b"a\n"}, "no member that can be read"),
            ({"a.csv": b"a\n1\n", "a.json": b"{}"}, "same output"),
            ({"../a.csv": b"a\n1\n"}, "leads out of the archive's own folder"),
            ({"/etc/a.csv": b"a\n1\n"}, "leads out of the archive's own folder"),
            ({f"{number}.csv": b"a\n1\n" for number in range(101)}, "more than 100 outputs"),
            ({"inner.zip": zipped({"a.csv": b"a\n1\n"})}, "archive inside"),
        ],
        ids=["empty", "foreign", "hidden", "one place", "up", "absolute", "many", "inside"],
    )
    def test_what_cannot_become_tables_fails_and_leaves_what_was_good(self, files: dict[str, bytes], says: str) -> None:
        run = run_of({REF: zipped({"a.csv": ORDERS})})
        before = outputs_of(run)

        run.upload(REF, zipped(files))

        entry = entry_of(run)
        assert entry.state is State.FAILED
        assert entry.failure is not None
        assert says in entry.failure.message
        assert outputs_of(run) == before

    def test_partitions_of_members(self) -> None:
        schemas = [{"id": "export/orders", "partition_key": "id"}]
        run = run_of({REF: zipped({"orders.csv": ORDERS})}, schemas=schemas)

        assert sorted(outputs_of(run)) == ["export/orders/id=1/orders.jsonl", "export/orders/id=2/orders.jsonl"]


class TestManyOutputs:
    """An archive has 100 outputs at most: each holds memory until all are published."""

    @pytest.mark.slow
    def test_a_hundred_members_are_the_most(self) -> None:
        run = run_of({REF: zipped({f"{number}.csv": b"id\n1\n" for number in range(100)})})

        assert len(outputs_of(run)) == 100

    def test_too_many_are_refused_before_the_first_is_read(self) -> None:
        run = run_of({REF: zipped({f"{number:03}.csv": b'"' for number in range(101)})})

        assert failure_of(run) == "ArchiveTooBig"

    @pytest.mark.parametrize(("values", "fails"), [(50, False), (51, True)])
    def test_partitions_of_all_members_are_counted(self, values: int, *, fails: bool) -> None:
        schemas = [{"id": f"export/{name}", "partition_key": "k"} for name in "ab"]
        rows = "k\n" + "".join(f"v{number}\n" for number in range(values))
        run = run_of({REF: zipped({"a.csv": rows.encode(), "b.csv": rows.encode()})}, schemas=schemas)

        assert (entry_of(run).state is State.FAILED) == fails
        assert len(outputs_of(run)) == (0 if fails else 100)
        if fails:
            assert failure_of(run) == "ArchiveTooBig"

    def test_what_was_written_of_members_before_a_bad_one_is_discarded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        uploads = list[InMemoryUpload]()
        write = InMemoryUpload.write

        def remember(upload: InMemoryUpload, data: bytes | memoryview, /) -> int:
            uploads.append(upload)
            return write(upload, data)

        monkeypatch.setattr(InMemoryUpload, "write", remember)
        run = run_of({REF: zipped({"a.csv": ORDERS, "b.csv": b'id,n\n1,"'})})

        assert failure_of(run) == "TruncatedFile"
        assert uploads
        assert all(upload.discarded for upload in uploads)


def failure_of(run: Run) -> str:
    failure = entry_of(run).failure
    assert failure is not None
    return failure.error


class TestOneFileOfATable:
    def test_members_of_it_that_are_ignored_are_named(self) -> None:
        for way in ({}, TABLE):
            files = {"a.csv": b"id\n1\n", **{f"{number}.png": b"x" for number in range(5)}}
            reason = entry_of(run_of({REF: zipped(files)}, source=way)).reason or ""

            assert reason.startswith("5 of its members are ignored: '0.png'")
            assert reason.endswith("; and 2 more")

    @pytest.mark.parametrize("mode", ["replicate", "snapshot"])
    def test_the_members_are_one_file(self, mode: str) -> None:
        files = {"a.csv": b"id,x\n1,y\n", "b.csv": b"id\n2.5\n"}
        run = run_of({REF: zipped(files)}, source=TABLE, mode=mode)
        key = {"replicate": "orders/export.jsonl", "snapshot": "orders/orders.jsonl"}[mode]

        assert outputs_of(run) == {key: '{"id":1,"x":"y"}\n{"id":2.5,"x":null}\n'}
        assert entry_of(run).rows.written == 2

    def test_it_has_the_schema_of_its_table(self) -> None:
        other = ObjectRef("acme-in", "in/0.csv")
        run = run_of({other: b"id,y\nx,7\n", REF: zipped({"a.csv": b"id\n1\n", "b.csv": b"id,z\n2,3\n"})}, source=TABLE)

        assert outputs_of(run) == {
            "orders/0.jsonl": '{"id":"x","y":7}\n',
            "orders/export.jsonl": '{"id":"1","y":null,"z":null}\n{"id":"2","y":null,"z":3}\n',
        }

    def test_members_whose_names_say_nothing_are_of_the_told_format(self) -> None:
        files = {"part-0000": b"id\n1\n", "b.txt": b"id\n2\n", "_c.json": b"{}", "d.md5": b"x"}
        run = run_of({REF: zipped(files)}, source=TABLE)

        assert (entry_of(run).reason or "").startswith("2 of its members are ignored: '_c.json'")
        assert sorted(outputs_of(run)["orders/export.jsonl"].splitlines()) == ['{"id":1}', '{"id":2}']

    @pytest.mark.parametrize("mode", ["replicate", "snapshot"])
    def test_a_member_of_another_format_fails_as_a_file_of_it_does(self, mode: str) -> None:
        run = run_of({REF: zipped({"a.csv": b"id\n1\n", "b.json": b"{}"})}, source=TABLE, mode=mode)

        failure = entry_of(run).failure
        assert failure is not None
        assert failure.error == "ForeignFormat"
        assert "'b.json'" in failure.message
        assert outputs_of(run) == {}

    def test_a_frozen_table_refuses_what_does_not_fit(self) -> None:
        other = ObjectRef("acme-in", "in/0.csv")
        inputs = {other: b"id\n7\n", REF: zipped({"a.csv": b"id\n1\n", "b.csv": b"id\nx\n"})}
        run = run_of(inputs, source=TABLE, schema_evolution="freeze")

        assert entry_of(run).failure is not None
        assert list(outputs_of(run)) == ["orders/0.jsonl"]

    def test_an_archive_without_a_readable_member_leaves_the_good_output(self) -> None:
        run = run_of({REF: zipped({"a.csv": b"id\n1\n"})}, source=TABLE)
        before = outputs_of(run)

        run.upload(REF, zipped({"a.pdf": b"x"}))

        assert outputs_of(run) == before
        assert entry_of(run).state is State.FAILED

    def test_of_several_formats_the_name_must_say_one(self) -> None:
        source = {
            "is_single_table": True,
            "is_directory_snapshot": True,
            "directory_glob_pattern": "*",
            "single_table_file_formats": ["csv", "json"],
        }
        named, unnamed = ObjectRef("acme-in", "in/t/a.json.zip"), ObjectRef("acme-in", "in/t/b.zip")
        packed = zipped({"a.json": EVENTS})
        run = run_of({named: packed, unnamed: packed}, source=source)

        assert outputs_of(run) == {"t/a.jsonl": EVENTS.decode()}
        failure = entry_of(run, unnamed).failure
        assert failure is not None
        assert "does not say its format" in failure.message


class TestRivals:
    """A member and an object of the same name have one output: the second fails, and gets it once it is free."""

    OBJECT = ObjectRef("acme-in", "in/export/a.csv")

    def test_the_archive_follows_the_object(self) -> None:
        run = run_of({self.OBJECT: b"id\n7\n", REF: zipped({"a.csv": b"id\n1\n"})}, on_delete="remove")
        assert entry_of(run).state is State.FAILED
        assert outputs_of(run) == {"export/a.jsonl": '{"id":7}\n'}

        run.work(run.deletions([self.OBJECT]))

        assert entry_of(run).state is State.CONVERTED
        assert outputs_of(run) == {"export/a.jsonl": '{"id":1}\n'}

    @pytest.mark.parametrize("is_deleted", [True, False])
    def test_the_object_follows_the_archive(self, *, is_deleted: bool) -> None:
        """Which is deleted, or lacks the member in its next version."""
        run = run_of(
            {REF: zipped({"a.csv": b"id\n1\n", "b.csv": b"id\n2\n"}), self.OBJECT: b"id\n7\n"}, on_delete="remove"
        )
        assert entry_of(run, self.OBJECT).state is State.FAILED

        if is_deleted:
            run.work(run.deletions([REF]))
        else:
            run.upload(REF, zipped({"b.csv": b"id\n2\n"}))

        assert entry_of(run, self.OBJECT).state is State.CONVERTED
        assert outputs_of(run)["export/a.jsonl"] == '{"id":7}\n'


class KilledPublisher(BaseException):
    """The process ends here."""


class TestDeath:
    @pytest.mark.slow
    @pytest.mark.parametrize("published", range(4))
    @pytest.mark.parametrize("after", ["the same archive", "one with fewer members", "none"])
    def test_who_dies_between_two_members_leaves_nothing_behind(
        self, monkeypatch: pytest.MonkeyPatch, published: int, after: str
    ) -> None:
        """KilledPublisher after so many outputs became visible; the message comes back when the lease has ended."""
        world = World(syncs=(bulk_sync(to="json", on_delete="remove"),))
        files = {f"{name}.csv": b"id\n1\n" for name in "abcd"}
        request = world.upload(zipped(files), REF)
        publish, left = InMemoryUpload.publish, [published]

        def publish_or_die(upload: InMemoryUpload, *, expected: str | None, rows: int) -> Published:
            if not left[0]:
                raise KilledPublisher
            left[0] -= 1
            return publish(upload, expected=expected, rows=rows)

        monkeypatch.setattr(InMemoryUpload, "publish", publish_or_die)
        with pytest.raises(KilledPublisher):
            world.work(request)
        monkeypatch.setattr(InMemoryUpload, "publish", publish)
        assert len(world.store.buckets["acme-out"]) == published

        kept = {"the same archive": "abcd", "one with fewer members": "a", "none": ""}[after]
        if kept:
            request = request if kept == "abcd" else world.upload(zipped({"a.csv": b"id\n1\n"}), REF)
        else:
            request = world.delete(REF)
        world.now += timedelta(hours=1)
        world.work(request, receives=2)

        assert sorted(world.store.buckets["acme-out"]) == [f"lake/export/{name}.jsonl" for name in kept]
        assert {output.ref.key for output in world.entry(REF).outputs} == set(world.store.buckets["acme-out"])
