"""The table of faults and what came of them, counted while schedules run: ``python -m tests.simulation.table FILE``.

The file's text between the marks is written anew: of the faults, and of what a hostile look found.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulation import light, light_parts, schedules
from tests.simulation.faults import Fault
from tests.simulation.findings import table_of_findings
from tests.simulation.schedules import Mended, Result

BEGIN = "<!-- faults -->"
END = "<!-- /faults -->"
_MOST_CALLS = 4
_BIG_RUNS_EVERY, _BACKFILLS_EVERY = 5, 7


@dataclass(slots=True)
class FaultTally:
    """What was done to the program, and what it took until every promise held."""

    schedules: int = 0
    broken: int = 0
    injected: Counter[Fault] = field(default_factory=Counter)
    calls: defaultdict[Fault, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    met: Counter[Fault] = field(default_factory=Counter)
    outcomes: Counter[tuple[Fault, Mended]] = field(default_factory=Counter)
    mended: Counter[Mended] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        """Count one schedule."""
        self.schedules += 1
        self.broken += bool(result.violations)
        self.mended[result.mended] += 1
        for (fault, where), times in result.faults.items():
            self.injected[fault] += times
            self.calls[fault][where] += times
        for fault in {fault for fault, _ in result.faults}:
            self.met[fault] += 1
            self.outcomes[fault, result.mended] += 1


def counted(seeds: Iterable[int]) -> FaultTally:
    """Run schedules and count: each fifth has big runs, and each seventh of the others a backfill."""
    tally = FaultTally()
    with light.in_place(), light_parts.in_place():
        for seed in seeds:
            if seed % _BIG_RUNS_EVERY == 0:
                tally.add(schedules.run(seed, schedules.with_big_runs))
            elif seed % _BACKFILLS_EVERY == 0:
                tally.add(schedules.run(seed, schedules.with_backfills))
            else:
                tally.add(schedules.run(seed))
    return tally


def rendered(tally: FaultTally) -> str:
    """Markdown: one row a fault."""
    heads = ["fault", "times", "where", "schedules", *(f"held by {one}" for one in Mended)]
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    lines += [f"| {' | '.join(_row(tally, fault))} |" for fault in Fault if fault in tally.injected]
    told = (
        f"{tally.schedules:,} schedules, {sum(tally.injected.values()):,} faults, {tally.broken} schedules in which"
        " a promise was broken."
    )
    return "\n".join([told, "", *lines])


def _row(tally: FaultTally, fault: Fault) -> list[str]:
    calls = tally.calls[fault]
    where = ", ".join(f"`{call}`" for call, _ in calls.most_common(_MOST_CALLS) if call)
    more = len(calls) - _MOST_CALLS
    return [
        str(fault),
        f"{tally.injected[fault]:,}",
        where + (f" and {more} more" if more > 0 else ""),
        f"{tally.met[fault]:,}",
        *(f"{tally.outcomes[fault, one]:,}" for one in Mended),
    ]


def written(text: str, table: str, mark: str = "faults") -> str:
    """A text with the table between its marks."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise SystemExit(f"the file lacks the marks {begin} and {end}")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def main(arguments: list[str]) -> None:
    """Write the table to a file between its marks, or print it."""
    count = int(arguments[1]) if len(arguments) > 1 else 10_000
    table = rendered(counted(range(count)))
    if not arguments:
        print(table)  # noqa: T201 - a script's answer
        return
    path = Path(arguments[0])
    path.write_text(written(written(path.read_text(), table), table_of_findings(), "findings"))


if __name__ == "__main__":
    main(sys.argv[1:])
