"""What a hostile look found on 2026-11-28, and the tests that fail without the rule that followed.

Names are ``file::test`` below ``tests/``; ``test_table`` holds each to be there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
_HERE = "simulation/test_findings.py::"
_RECONCILE = "unit/operations/test_reconcile.py::"


@dataclass(frozen=True, slots=True)
class Shown:
    """One finding, what happened, and what shows that it does so no more."""

    number: int
    what: str
    tests: tuple[str, ...]


def _scenarios(*names: str) -> tuple[str, ...]:
    return tuple(f"{_HERE}test_{name}" for name in names)


FINDINGS = (
    Shown(
        1,
        "waiting cost receipts, and work of minutes became dead letters",
        _scenarios(
            "sixty_objects_of_five_minutes_in_batches_of_ten_leave_no_dead_letter",
            "ten_files_of_one_snapshot_table_wait_for_each_other_without_a_dead_letter",
            "files_that_change_while_their_run_is_at_work_leave_no_dead_letter",
        ),
    ),
    Shown(2, "a killer took its batch along", _scenarios("a_killer_among_forty_costs_itself_alone")),
    Shown(
        3,
        "a key of hyphens took minutes",
        ("unit/planning/test_globs.py::test_a_key_made_of_hyphens_costs_no_more_than_any_other",),
    ),
    Shown(
        4,
        "a snapshot table kept bytes that were gone",
        _scenarios(
            "a_later_version_whose_upload_began_earlier_becomes_the_table",
            "a_table_whose_newest_version_is_deleted_holds_what_is_there",
            "a_reprocess_makes_the_table_of_what_is_there",
        ),
    ),
    Shown(
        5,
        "a deletion of what exists was passed over",
        _scenarios(
            "an_undelete_brings_the_output_back",
            "an_undelete_brings_a_file_back_to_its_table",
            "a_deletion_of_the_newest_version_brings_the_output_of_the_one_before",
        ),
    ),
    Shown(
        6,
        "a long error text kept its entry in flight",
        (
            *_scenarios("an_error_of_half_a_megabyte_settles_its_object"),
            "unit/ledger/test_entries.py::test_20_000_column_names_make_a_failure_of_two_kilobytes",
            "contract/test_limits.py::test_every_ledger_takes_outputs_that_do_not_fit_into_one_item",
        ),
    ),
    Shown(
        7,
        "one object that nobody may read paused a connection",
        (
            *_scenarios("an_object_that_nobody_may_read_pauses_nothing"),
            "unit/delivery/test_read_evidence.py::test_an_object_is_denied_only_after_it_was_denied_three_times",
            "unit/delivery/test_breaker.py::test_one_object_that_comes_back_again_and_again_pauses_nothing",
        ),
    ),
    Shown(
        8,
        "sizes that S3 refuses were tried again",
        (
            *_scenarios("hostile_keys_are_converted"),
            "unit/aws/test_faults.py::test_what_a_service_refuses_for_what_it_is_fails_the_object_alone",
            "unit/objects/test_lineage.py::test_the_longest_of_everything_is_within_what_s3_takes",
        ),
    ),
    Shown(9, "a message was sent to its own queue", _scenarios("what_waits_for_a_grant_is_never_sent_anew")),
    Shown(
        10,
        "a folder that keeps changing was never made into a table",
        _scenarios("a_folder_that_keeps_changing_is_made_into_a_table"),
    ),
    Shown(
        11,
        "a deployment undid a reprocess",
        _scenarios("an_invocation_of_before_a_deployment_undoes_no_reprocess"),
    ),
    Shown(
        12,
        "late writes stood where bytes came back",
        (
            *_scenarios(
                "older_bytes_do_not_stay_where_the_earlier_ones_came_back",
                "a_partition_that_only_a_late_worker_wrote_does_not_stay",
                "a_late_worker_leaves_no_output_of_an_object_that_was_removed",
            ),
            "simulation/test_mutations.py::test_fences_and_conditions_hold_where_leases_do_not",
        ),
    ),
    Shown(
        13,
        "a rebuilt ledger adopted a copy, and forgot schemas",
        (
            *_scenarios(
                "a_rebuilt_ledger_leaves_a_strangers_copy_alone", "a_rebuilt_ledger_knows_the_schema_of_a_table"
            ),
            "unit/operations/test_rebuild.py::test_an_objects_trouble_is_its_own",
        ),
    ),
    Shown(
        14,
        "a run over many files read the ledger once a file",
        ("unit/delivery/test_builds.py::test_settling_asks_the_ledger_for_files_that_changed_alone",),
    ),
    Shown(
        15,
        "a file that failed decided its table's format; small gaps of audit, comparison and dead letters",
        (
            "unit/operations/test_audit.py::test_one_that_is_gone_is_noticed",
            "unit/operations/test_reconcile.py::test_a_queue_that_is_always_full_puts_a_comparison_off_for_a_day_alone",
            "unit/delivery/test_intake.py::test_the_clock_is_looked_at_for_each_record_of_a_message",
            "unit/delivery/test_table_format.py::test_a_first_file_that_fails_decides_nothing",
            "unit/delivery/test_table_format.py::test_of_two_first_files_of_different_formats_one_is_converted",
        ),
    ),
    Shown(
        16,
        "reads were not checked",
        (
            "unit/aws/test_s3_objects.py::test_whatever_a_server_answers_the_bytes_are_right_or_refused",
            "e2e/test_large_objects.py::test_every_row_is_as_it_was",
        ),
    ),
    Shown(
        17,
        "dead letters of a user's own queue were not seen",
        (
            "unit/cli/repair/test_dead_letters.py::test_letters_of_a_queue_of_ones_own_are_seen_and_go_home",
            "unit/operations/test_doctor.py::test_a_setting_that_cannot_work_is_named_with_its_numbers",
        ),
    ),
    Shown(
        18,
        "losers of a collision stayed failed, and keys that never were left entries",
        _scenarios(
            "the_loser_of_a_collision_is_converted_when_the_winner_goes",
            "a_reprocess_of_a_key_that_never_was_leaves_nothing",
            "one_file_alone_says_that_a_table_is_made_of_it",
        ),
    ),
    Shown(
        19,
        "mutants that no test noticed",
        (
            "integration/test_mutants.py::test_faults_in_references_are_noticed",
            (
                "unit/ledger/test_sweeping.py::TestSweeping::"
                "test_only_an_output_of_this_source_under_this_or_an_earlier_fence_is_deleted"
            ),
            "unit/ledger/test_rules.py::TestClaim::test_the_same_event_of_an_object_that_waits_is_granted",
            (
                "unit/delivery/test_asking.py::"
                "test_a_run_is_asked_for_again_if_it_was_over_before_its_file_was_written_down"
            ),
            (
                "unit/ledger/test_rules.py::TestClaim::"
                "test_the_etag_of_a_listing_says_whether_work_in_flight_is_on_these_bytes"
            ),
            (
                "unit/operations/test_rebuild.py::"
                "test_an_output_is_merged_into_what_the_ledger_has_and_never_into_live_work"
            ),
            "unit/aws/test_consistent_reads.py::test_the_ledger_is_read_consistently",
            "unit/engine/types/test_proof.py::test_hexadecimal_text_is_no_number",
        ),
    ),
)


def table_of_findings() -> str:
    """Markdown: one row a finding."""
    lines = ["| finding | what happened | shown by |", "| --- | --- | --- |"]
    lines += [f"| {one.number} | {one.what} | {', '.join(f'`{name}`' for name in one.tests)} |" for one in FINDINGS]
    return "\n".join(lines)


def missing_tests() -> list[str]:
    """Names that are no test."""
    return [name for one in FINDINGS for name in one.tests if not _is_there(name)]


def _is_there(name: str) -> bool:
    file, _, test = name.partition("::")
    path = TESTS / file
    return path.is_file() and f"def {test.rpartition('::')[2]}(" in path.read_text()
