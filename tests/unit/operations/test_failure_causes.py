"""Failures by cause: what is one reason, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from millrace.ledger.entries import BigRunFacts, Branch, Entry, Failure, State
from millrace.objects.references import ObjectRef
from millrace.operations.failure_causes import group_failures, survey_failures, to_shape
from millrace.operations.repair_commands import advise_repair
from millrace.texts import quote_for_shell
from tests.fakes import InMemoryLedger
from tests.world import NOON


def failed(
    key: str, message: str, *, error: str = "RaggedRow", branch: Branch = Branch.DATA, minutes: int = 0
) -> Entry:
    return Entry(
        sync="nightly",
        source=ObjectRef("b", key),
        state=State.FAILED,
        revision=1,
        fence=1,
        fingerprint="f",
        engine="1",
        finished=NOON - timedelta(minutes=minutes),
        failure=Failure(branch=branch, error=error, message=message),
    )


@pytest.mark.parametrize(
    ("message", "other"),
    [
        ("row 7 has 3 fields", "row 1,204 has 11 fields"),
        ("s3:GetObject on s3://in/a b.csv was denied", "s3:GetObject on s3://in/c d.csv was denied"),
        ("row 3: '1,5' is no number", "row 4: 'it\\'s' is no number"),
        ('column "a" is twice there', 'column "b c" is twice there'),
    ],
)
def test_messages_that_differ_in_values_have_one_shape(message: str, other: str) -> None:
    assert to_shape(message, ObjectRef("in", "a b.csv")) == to_shape(other, ObjectRef("in", "c d.csv"))


def test_messages_of_two_kinds_have_two_shapes() -> None:
    source = ObjectRef("in", "a.csv")

    assert to_shape("row 7 has 3 fields", source) != to_shape("row 7 has no field", source)


def test_one_cause_is_one_group_with_its_newest_examples_first() -> None:
    ledger = InMemoryLedger()
    for number in range(5):
        ledger.put(failed(f"in/2026/{number}.csv", f"row {number} is ragged", minutes=number))
    ledger.put(failed("in/other.csv", "no such bucket", error="NoSuchBucket", branch=Branch.CONFIGURATION))

    survey = survey_failures(ledger)

    assert [(cause.error, cause.count) for cause in survey.causes] == [("RaggedRow", 5), ("NoSuchBucket", 1)]
    assert [one.source.key for one in survey.causes[0].newest] == [f"in/2026/{number}.csv" for number in range(3)]
    assert survey.causes[0].example.source.key == "in/2026/0.csv"
    assert survey.causes[0].top_folders == [("s3://b/in/2026/", 5)]
    assert (survey.read, survey.is_whole) == (6, True)


def test_more_failures_than_are_read_are_not_passed_over_in_silence() -> None:
    ledger = InMemoryLedger()
    for number in range(5):
        ledger.put(failed(f"{number}.csv", "ragged", minutes=number))

    survey = survey_failures(ledger, most=3)

    assert (survey.causes[0].count, survey.read, survey.is_whole) == (3, 3, False)
    assert survey.causes[0].top_folders == [("s3://b/", 3)]


def test_an_entry_without_a_reason_is_a_cause_too() -> None:
    (cause,) = group_failures([Entry.unseen("nightly", ObjectRef("b", "k"), fingerprint="f", engine="1")])

    assert cause.error == "unknown"


class TestRepair:
    def test_a_file_is_mended_and_uploaded(self) -> None:
        advice = advise_repair(failed("in/a b.csv", "ragged"))

        assert advice.first.startswith("Mend the file and upload it")
        assert advice.command == "millrace reprocess nightly --key 'in/a b.csv'"

    def test_many_are_converted_again_by_their_state(self) -> None:
        advice = advise_repair(failed("a.csv", "denied", branch=Branch.CONFIGURATION), of_all_failed=True)

        assert "a grant" in advice.first
        assert advice.command == "millrace reprocess nightly --state failed"

    def test_a_big_run_goes_on_where_it_was_stopped(self) -> None:
        run = BigRunFacts(name="n-1", execution="n-1-2", connection="lake", home=ObjectRef("out", "x/"))
        stopped = failed("a.csv", "stopped by hand", error="RunStopped", branch=Branch.TRANSIENT)
        entry = stopped.as_built(None)

        assert advise_repair(_in_run(entry, run)).command == "millrace runs resume n-1-2"

    def test_a_big_run_that_failed_for_its_data_begins_again(self) -> None:
        run = BigRunFacts(name="n-1", execution="n-1", connection="lake", home=ObjectRef("out", "x/"))

        assert advise_repair(_in_run(failed("a.csv", "ragged"), run)).command.startswith("millrace reprocess")

    def test_an_entry_that_does_not_say_why_it_failed_is_converted_again(self) -> None:
        """Pages show what an index has, and indexes of earlier versions have no reasons."""
        entry = replace(failed("a.csv", "x"), failure=None)
        run = BigRunFacts(name="n-1", execution="n-1-2", connection="lake", home=ObjectRef("b", ".millrace/runs/n-1/"))

        for unexplained in (entry, _in_run(entry, run)):
            advice = advise_repair(unexplained)
            assert advice.command == "millrace reprocess nightly --key a.csv"
            assert "tried again by itself" in advice.first

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("in/a.csv", "in/a.csv"),
            ("it's", "'it'\"'\"'s'"),
            ("a\nb", "$'a\\nb'"),
            ("a\u202eb", "$'a\\u202eb'"),
            ("it's \\ \x1b", "$'it\\'s \\\\ \\x1b'"),
        ],
    )
    def test_a_key_is_one_word_that_no_terminal_obeys(self, text: str, word: str) -> None:
        assert quote_for_shell(text) == word


def _in_run(entry: Entry, run: BigRunFacts) -> Entry:
    return replace(entry, big_run=run)
