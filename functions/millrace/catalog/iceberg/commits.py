"""What one commit is: decided purely, by what the ledger says of some objects and what the table has of them.

An object's files are recognised by their names, which say whose they are and under which fence they were written. So a
repeated message finds the very files there and changes nothing, however long ago the snapshot was that brought them::

    the ledger says                 the table has               the commit
    fence 3: a.f3                   -                           add a.f3
    fence 3: a.f3                   a.f3                        nothing: a repeat
    fence 4: a.f4                   a.f3                        add a.f4, remove a.f3, in one snapshot
    fence 5: removed                a.f4                        remove a.f4
    fence 4: a.f4                   a.f6                        refused: the ledger has lost entries
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from millrace.catalog.iceberg.tables import LiveFile, TableChange
from millrace.ledger.entries import Entry, Output
from millrace.objects.output_names import OutputVersion, digest_unit


@dataclass(frozen=True, slots=True)
class UnitState:
    """What the ledger says of one object: the files that the table should have of it, and the fence it is at."""

    unit: str
    fence: int
    outputs: tuple[Output, ...]

    @classmethod
    def of(cls, entry: Entry) -> UnitState:
        """Of an entry. Rows that were put aside, and outputs of before the sync had tables, are no files of a table."""
        unit = digest_unit(entry.sync, entry.source)
        outputs = [output for output in entry.outputs if _is_of(unit, output)]
        return cls(unit, entry.fence, tuple(outputs))


def _is_of(unit: str, output: Output) -> bool:
    version = OutputVersion.parse(output.ref.key)
    return version is not None and version.unit == unit


def find_lost_fence(state: UnitState, live: Iterable[LiveFile]) -> int | None:
    """The fence of a file that the table has, if it is higher than the ledger knows of; None as ever.

    The table is loaded before the ledger is read, so the ledger is never behind it, unless it lost entries.
    """
    newest = max((file.version.fence for file in live), default=0)
    return newest if newest > state.fence else None


def decide_change(
    states: Iterable[UnitState], live: Mapping[str, Sequence[LiveFile]], name_file: Callable[[Output], str]
) -> TableChange:
    """The commit that brings a table to what the ledger says of some objects; of other objects nothing changes.

    ``name_file`` says by what name the table knows an output.
    """
    add: list[Output] = []
    remove: list[str] = []
    units: list[tuple[str, int]] = []
    for state in states:
        missing, surplus = _compare(state, live.get(state.unit, ()), name_file)
        if missing or surplus:
            units.append((state.unit, state.fence))
        add += missing
        remove += surplus
    return TableChange(add=tuple(add), remove=tuple(remove), units=tuple(units))


def _compare(
    state: UnitState, files: Sequence[LiveFile], name_file: Callable[[Output], str]
) -> tuple[list[Output], list[str]]:
    """The outputs that a table lacks of an object, and the addresses of its files that are no outputs any more."""
    paths = {file.name: file.path for file in files}
    wanted = {name_file(output): output for output in state.outputs}
    missing = [output for name, output in wanted.items() if name not in paths]
    surplus = sorted(paths[name] for name in paths.keys() - wanted.keys())
    return missing, surplus
