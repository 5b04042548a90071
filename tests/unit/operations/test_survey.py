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
