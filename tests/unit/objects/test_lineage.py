"""Lineage travels with outputs and comes back as it went."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.objects.lineage import Lineage
from millrace.objects.references import ObjectRef, Sequencer


def lineage_of(
    key: str,
    sync: str = "nightly",
    sequencer: Sequencer | None = None,
    *,
    table: str | None = None,
    version_id: str | None = None,
) -> Lineage:
    return Lineage.of(
        sync=sync,
        source=ObjectRef("in", key),
        etag="e",
        version_id=version_id,
        sequencer=sequencer,
        fence=3,
        fingerprint="f",
        engine="1",
        owner=ObjectRef("in", table) if table else None,
    )


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=1024),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=64),
)
def test_metadata_is_ascii_below_two_kilobytes_and_reads_back_equal(key: str, sync: str) -> None:
    lineage = lineage_of(key, sync, Sequencer.parse("0A"))
    metadata = lineage.to_metadata()

    assert all(value.isascii() for value in metadata.values())
    assert count_bytes(metadata) <= 2048
    reread = Lineage.from_metadata(metadata)
    assert reread is not None
    assert reread.is_of(sync, ObjectRef("in", key))
    assert reread == lineage or reread.source.startswith("sha256:")


def test_an_output_says_the_same_with_the_native_kernel_and_without() -> None:
    marked = Lineage.of(
        sync="s", source=ObjectRef("in", "a"), etag="e", version_id=None, sequencer=None, fence=1, fingerprint="f",
        engine="0.1.0+native",
    )  # fmt: skip

    assert marked.inside_file()["millrace.engine"] == "0.1.0"
    assert marked.to_metadata()["millrace-engine"] == "0.1.0"


def count_bytes(metadata: dict[str, str]) -> int:
    """As S3 counts, with the rows that are added at the end."""
    with_rows = metadata | {"millrace-rows": str(2**63)}
    return sum(len(name.encode()) + len(value.encode()) for name, value in with_rows.items())


def test_143_cyrillic_letters_in_folder_and_name_are_within_what_s3_takes() -> None:
    """Quoted, each letter has six bytes; the source and its table together had more than 2 KB."""
    folder, name = "д" * 143, "ж" * 143
    lineage = lineage_of(f"{folder}/{name}.csv", table=folder, version_id="v" * 32)
    metadata = lineage.to_metadata()

    reread = Lineage.from_metadata(metadata)

    assert count_bytes(metadata) <= 2048
    assert reread is not None
    assert reread.is_of("nightly", ObjectRef("in", folder))
    assert reread.owner_ref() == ObjectRef("in", folder)
    assert reread.version_id == "v" * 32


def test_the_longest_of_everything_is_within_what_s3_takes() -> None:
    key = "😀" * 256
    lineage = lineage_of(key, "😀" * 64, Sequencer.parse("F" * 64), table=key[:-1], version_id="v" * 1024)
    metadata = lineage.to_metadata()

    reread = Lineage.from_metadata(metadata)

    assert count_bytes(metadata) <= 2048
    assert reread is not None
    assert reread.is_of("😀" * 64, ObjectRef("in", key[:-1]))
    assert not reread.is_of("😀" * 64, ObjectRef("in", key))


def test_addresses_read_back_as_long_as_they_fit() -> None:
    lineage = lineage_of("a b.csv", table="a")

    assert lineage.source_ref() == ObjectRef("in", "a b.csv")
    assert lineage.owner_ref() == ObjectRef("in", "a")
    assert lineage_of("a b.csv").owner_ref() is None


def test_an_output_of_no_event_has_no_place_in_an_order() -> None:
    reread = Lineage.from_metadata(lineage_of("a").to_metadata())

    assert reread is not None
    assert reread.sequencer is None


@pytest.mark.parametrize(("length", "is_carried"), [(1024, True), (1025, False)])
def test_an_address_of_up_to_1024_bytes_is_carried_as_it_is(length: int, *, is_carried: bool) -> None:
    ref = ObjectRef("in", "k" * (length - len("s3://in/")))
    lineage = lineage_of(ref.key)

    assert lineage.is_of("nightly", ref)
    assert (lineage.source == str(ref)) == is_carried


@pytest.mark.parametrize(("over", "is_carried"), [(0, True), (1, False)])
def test_the_longer_address_is_hashed_first_and_only_where_the_sum_is_too_long(over: int, *, is_carried: bool) -> None:
    """Room is kept for the rows, which are counted last: 20 digits."""
    longer, shorter = "a" * 900, "b" * 800
    spare = 2048 - 1 - count_bytes(lineage_of(longer, table=shorter, version_id="v").to_metadata())
    lineage = lineage_of(longer, table=shorter, version_id="v" * (1 + spare + over))

    reread = Lineage.from_metadata(lineage.to_metadata())

    assert reread is not None
    assert reread.version_id == lineage.version_id
    assert reread.owner_ref() == ObjectRef("in", shorter)
    assert (reread.source == f"s3://in/{longer}") == is_carried
    assert reread.is_of("nightly", ObjectRef("in", shorter))


def test_lineage_belongs_to_one_source_under_one_sync() -> None:
    lineage = lineage_of("a b.csv")

    assert lineage.is_of("nightly", ObjectRef("in", "a b.csv"))
    assert not lineage.is_of("hourly", ObjectRef("in", "a b.csv"))
    assert not lineage.is_of("nightly", ObjectRef("in", "a+b.csv"))


def test_a_strangers_metadata_is_no_lineage() -> None:
    assert Lineage.from_metadata({}) is None
    assert Lineage.from_metadata({"millrace-sync": "x", "owner": "me"}) is None


def test_what_is_inside_the_file_is_the_same_for_the_same_bytes() -> None:
    assert lineage_of("a", sequencer=Sequencer.parse("1")).inside_file() == lineage_of("a").inside_file()
