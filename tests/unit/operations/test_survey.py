"""What a run would work on is counted: by table, by why it is passed over and by why it will fail."""

from __future__ import annotations

from collections import Counter

from millrace.objects.references import ObjectRef
from millrace.operations.survey import Survey
from millrace.planning.descriptions import Description

SOURCE = ObjectRef("acme-in", "in/a.csv")


def test_nothing_is_counted_at_first() -> None:
    survey = Survey("nightly")

    assert (survey.objects, survey.size, survey.not_stale, survey.examples) == (0, 0, 0, [])


def test_an_object_is_counted_by_its_table_and_by_the_kind_of_what_will_fail() -> None:
    survey = Survey("nightly")
    survey.add(Description(source=SOURCE, sync="nightly", table="orders"), 5)
    survey.add(Description(source=SOURCE, sync="nightly", reason="PlanError: the key is too long"), 7)

    assert (survey.objects, survey.size) == (2, 12)
    assert survey.tables == Counter({"orders": 1, "": 1})
    assert survey.failing == Counter({"PlanError": 1})
    assert survey.examples == [str(SOURCE)] * 2


def test_what_is_ignored_is_counted_by_its_reason_alone() -> None:
    survey = Survey("nightly")
    survey.add(Description(source=SOURCE, sync="nightly", is_ignored=True, reason="is no file"), 5)
    survey.add(Description(source=SOURCE, sync="nightly", is_ignored=True), 5)

    assert survey.ignored == Counter({"is no file": 1, "": 1})
    assert (survey.objects, survey.size, survey.examples) == (0, 0, [])


def test_ten_objects_are_examples() -> None:
    survey = Survey("nightly")
    for number in range(12):
        survey.add(Description(source=ObjectRef("acme-in", f"in/{number:02}.csv"), sync="nightly"), 1)

    assert survey.examples == [f"s3://acme-in/in/{number:02}.csv" for number in range(10)]
    assert (survey.objects, survey.size) == (12, 12)


def test_beyond_ten_thousand_tables_only_those_that_are_known_are_counted_by_themselves() -> None:
    """A folder of a million directories is a million tables; memory stays what it is."""
    survey = Survey("nightly")
    for number in range(10_000):
        survey.add(Description(source=SOURCE, sync="nightly", table=f"t{number}"), 1)
    assert len(survey.tables) == 10_000

    for name in ("t0", "t9999", "new", "newer", "t0"):
        survey.add(Description(source=SOURCE, sync="nightly", table=name), 1)

    assert (survey.tables["t0"], survey.tables["t9999"], survey.tables["t1"]) == (3, 2, 1)
    assert survey.tables["others"] == 2
    assert "new" not in survey.tables
    assert survey.tables.total() == survey.objects == 10_005
