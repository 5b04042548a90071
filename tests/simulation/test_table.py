"""The table of faults is made of what was counted."""

from __future__ import annotations

from tests.simulation.faults import Fault
from tests.simulation.findings import FINDINGS, TESTS, missing_tests, table_of_findings
from tests.simulation.schedules import IN_FORCE, NEEDS_RULE, SELDOM_MET
from tests.simulation.table import BEGIN, END, counted, rendered, written


def test_every_fault_is_met_and_every_schedule_counted() -> None:
    tally = counted(range(400))

    assert (tally.schedules, tally.broken) == (400, 0)
    not_drawn = {fault for fault, rule in NEEDS_RULE.items() if rule not in IN_FORCE}
    assert set(tally.injected) | SELDOM_MET == set(Fault) - not_drawn


def test_every_finding_names_tests_that_there_are() -> None:
    assert missing_tests() == []
    assert [finding.number for finding in FINDINGS] == list(range(1, 20))


def test_the_page_has_the_table_of_findings() -> None:
    page = (TESTS.parent / "docs" / "faults.md").read_text()

    assert table_of_findings() in page, "write it anew: python -m tests.simulation.table docs/faults.md"


def test_the_page_has_a_row_for_every_fault_of_today_and_no_other() -> None:
    page = (TESTS.parent / "docs" / "faults.md").read_text()
    table = page.partition(BEGIN)[2].partition(END)[0]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")]

    drawn = {str(fault) for fault in Fault if NEEDS_RULE.get(fault) in {None, *IN_FORCE}}
    assert set(rows[2:]) | set(map(str, SELDOM_MET)) == drawn, "write it anew: python -m tests.simulation.table"
    assert ", 0 schedules in which a promise was broken." in table


def test_the_table_stands_between_its_marks() -> None:
    table = rendered(counted(range(10)))

    text = written(f"before {BEGIN} old {END} after", table)

    assert text.startswith("before")
    assert text.endswith("after")
    assert "old" not in text
    assert table in text
