"""The table of faults is made of what was counted."""

from __future__ import annotations

from tests.simulation.faults import Fault
from tests.simulation.schedules import IN_FORCE, NEEDS_RULE, SELDOM_MET
from tests.simulation.table import BEGIN, END, counted, rendered, written


def test_every_fault_is_met_and_every_schedule_counted() -> None:
    tally = counted(range(400))

    assert (tally.schedules, tally.broken) == (400, 0)
    not_drawn = {fault for fault, rule in NEEDS_RULE.items() if rule not in IN_FORCE}
    assert set(tally.injected) | SELDOM_MET == set(Fault) - not_drawn


def test_the_table_stands_between_its_marks() -> None:
    table = rendered(counted(range(10)))

    text = written(f"before {BEGIN} old {END} after", table)

    assert text.startswith("before")
    assert text.endswith("after")
    assert "old" not in text
    assert table in text
