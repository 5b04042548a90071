"""Lineage travels with outputs and comes back as it went."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millrace.objects.lineage import Lineage
from millrace.objects.references import ObjectRef, Sequencer


def lineage_of(key: str, sync: str = "nightly", sequencer: Sequencer | None = None) -> Lineage:
    return Lineage.of(
        sync=sync,
        source=ObjectRef("in", key),
        etag="e",
        version_id=None,
        sequencer=sequencer,
        fence=3,
        fingerprint="f",
        engine="1",
    )


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=1024),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=64),
)
def test_metadata_is_ascii_below_two_kilobytes_and_reads_back_equal(key: str, sync: str) -> None:
    lineage = lineage_of(key, sync, Sequencer.parse("0A"))
    metadata = lineage.to_metadata()

    assert all(value.isascii() for value in metadata.values())
    assert sum(len(name) + len(value) for name, value in metadata.items()) < 2048
    assert Lineage.from_metadata(metadata) == lineage


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
