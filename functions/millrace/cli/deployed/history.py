"""`millrace history` and `millrace costs`: finished work, work by work and in sums."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

import typer

from millrace.cli.completion import COMPLETE_SYNC, complete_words
from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.terminal import print_json, print_line
from millrace.errors import UsageError
from millrace.ledger.entries import State
from millrace.mappings import leave_out_none
from millrace.operations.history.reading import CostKey, CostSum, HistoryFilter, HistoryReader, sum_costs
from millrace.operations.history.work import FINISHED, FinishedWork
from millrace.remote.deployments import Deployments
from millrace.remote.history import open_history
from millrace.wording import count_of, join_names

Sync = Annotated[str | None, typer.Option(help="Of this sync alone.", autocompletion=COMPLETE_SYNC)]
InState = Annotated[
    str | None,
    typer.Option("--state", help="In this state alone, such as failed.", autocompletion=complete_words(*State)),
]
Since = Annotated[
    str, typer.Option(help="From this UTC day or time on, or so long ago: 2026-11-28, 2026-11-28T12:00, 24h, 7d.")
]
Until = Annotated[str | None, typer.Option(help="To the end of this UTC day, or to before this time; else to now.")]
Prefix = Annotated[str | None, typer.Option(help="Keys that begin so, or s3://bucket/and so.")]
_SPANS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DAY_LENGTH = len("2026-11-28")


def history(
    context: typer.Context,
    *,
    sync: Sync = None,
    state: InState = None,
    since: Since = "7d",
    until: Until = None,
    prefix: Prefix = None,
    limit: Annotated[int, typer.Option(min=0, help="Show so many of the newest; 0: all.")] = 100,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """List finished work: what became of each object, with rows, bytes, seconds and an estimated cost.

    Days are read from the deployment's export, and what is not exported yet from the ledger. The ledger has the last
    work of each object alone, and an export has one row for each object and day.

    Examples: millrace history --state failed --since 24h

              millrace history --sync to-parquet --since 2026-11-01 --until 2026-11-07 --json
    """
    wanted = _make_filter(sync, state, since, until, prefix)
    works = _open_reader(get_deployments(context), name).read(wanted)
    if not limit:
        _print_works(works, as_json=as_json)
        return
    newest = heapq.nlargest(limit + 1, works, key=_sort_time)
    _print_works(reversed(newest[:limit]), as_json=as_json)
    if len(newest) > limit:
        print_line(f"the newest {limit:,} are shown: --limit 0 shows all", err=True)


def _print_works(works: Iterable[FinishedWork], *, as_json: bool) -> None:
    if as_json:
        for work in works:
            print_json(_to_json(work))
        return
    has_some = False
    for line in _describe_works(works):
        has_some = True
        print_line(line)
    if not has_some:
        print_line("no work has finished that is as asked for")


def costs(
    context: typer.Context,
    *,
    by: Annotated[CostKey, typer.Option(help="By what is summed.")] = CostKey.SYNC,
    depth: Annotated[int, typer.Option(min=0, help="With --by prefix: so many folders deep.")] = 1,
    sync: Sync = None,
    state: InState = None,
    since: Since = "7d",
    until: Until = None,
    prefix: Prefix = None,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Sum finished work by sync, folder or day: GB-seconds, requests and estimated dollars.

    An estimate by list prices of us-east-1, without storage, logs and what is free. It counts the last attempt at each
    work. The functions' time in big runs is not in it: the dashboard has it.

    Examples: millrace costs --by day --since 30d

              millrace costs --by prefix --depth 2 --sync to-parquet
    """
    wanted = _make_filter(sync, state, since, until, prefix)
    sums = sum_costs(_open_reader(get_deployments(context), name).read(wanted), by, depth=depth)
    if as_json:
        for cost in sums:
            print_json(_cost_to_json(cost, by))
        return
    for line in _describe_costs(sums, by):
        print_line(line)


def _make_filter(
    sync: str | None, state: str | None, since: str, until: str | None, prefix: str | None
) -> HistoryFilter:
    now = datetime.now(UTC)
    if state is not None and state not in FINISHED:
        states = join_names(sorted(FINISHED), before_last="or")
        raise UsageError(f"--state is {state!r}; finished work is {states}")
    return HistoryFilter(
        since=_parse_time(since, "--since", now=now, is_end=False),
        # What ended in this very moment is wanted, too.
        until=now + timedelta(minutes=1) if until is None else _parse_time(until, "--until", now=now, is_end=True),
        sync=sync,
        state=state,
        prefix=prefix,
    )


def _parse_time(text: str, option: str, *, now: datetime, is_end: bool) -> datetime:
    """A moment: ``2026-11-28`` is its beginning, or its end; ``24h`` is so long before now. Raises: UsageError."""
    if text[:-1].isdigit() and text[-1] in _SPANS:
        return _go_back(text, option, now)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} is {text!r}; expected a UTC day such as 2026-11-28, a time such as 2026-11-28T12:00, or a span "
            "such as 45m, 24h, 7d or 4w"
        ) from None
    # --until 2026-11-28 includes that day, so that it means the next midnight.
    if len(text) <= _DAY_LENGTH:
        midnight = datetime.combine(moment.date(), time(tzinfo=UTC))
        return midnight + timedelta(days=1) if is_end else midnight
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _go_back(text: str, option: str, now: datetime) -> datetime:
    try:
        return now - int(text[:-1]) * _SPANS[text[-1]]
    except OverflowError:
        raise UsageError(f"{option} is {text!r}, which is before all times") from None


def _open_reader(deployments: Deployments, name: str) -> HistoryReader:
    deployed, ledger = deployments.find(name)
    reader, problem = open_history(deployments, deployed, ledger)
    if problem is not None:
        print_line(f"costs of what is not exported yet lack the function's time: {problem}", err=True)
    return reader


def _sort_time(work: FinishedWork) -> tuple[datetime, str, str]:
    return work.finished, work.sync, work.object


def _to_json(work: FinishedWork) -> dict[str, Any]:
    row = {"day": work.day, **work.to_row()}
    for name in ("started", "finished"):
        if row[name] is not None:
            row[name] = row[name].isoformat()
    return leave_out_none(row)


@dataclass(frozen=True, slots=True)
class _Cells:
    """A line of a table: cells that are as wide as their columns, and a last one that is as long as it is."""

    cells: tuple[str, ...]
    tail: str


_WORK_WIDTHS = (10, 8, 11, 12, 14, 9, 11)
_COST_WIDTHS = (9, 14, 16, 12, 12, 12, 11)


def _describe_works(works: Iterable[FinishedWork]) -> Iterator[str]:
    """A heading before the first work."""
    is_first = True
    for work in works:
        if is_first:
            heads = ("day", "time", "state", "rows", "bytes", "seconds", "dollars")
            yield _to_line(_Cells(heads, "object (sync)"), _WORK_WIDTHS)
            is_first = False
        yield _to_line(_describe_work(work), _WORK_WIDTHS)


def _describe_work(work: FinishedWork) -> _Cells:
    cells = (
        work.day,
        f"{work.finished:%H:%M:%S}",
        work.state,
        f"{work.rows_written:,}",
        "?" if work.bytes_read is None else f"{work.bytes_read:,}",
        f"{work.seconds:,.2f}",
        "big run" if work.gigabyte_seconds is None else f"{work.dollars:.6f}",
    )
    error = f": {work.error}" if work.error else ""
    return _Cells(cells, f"{work.object} ({work.sync}){error}")


def _describe_costs(sums: list[CostSum], by: CostKey) -> Iterator[str]:
    if not sums:
        yield "no work has finished that is as asked for"
        return
    heads = ("works", "rows", "bytes", "seconds", "GB-seconds", "requests", "dollars")
    yield _to_line(_Cells(heads, str(by)), _COST_WIDTHS)
    for cost in sums:
        yield _to_line(_describe_cost(cost), _COST_WIDTHS)
    dollars = sum(cost.dollars for cost in sums)
    yield f"{dollars:.4f} dollars in all, by list prices of us-east-1 (November 2026), without storage and logs"
    unknown = sum(cost.unknown for cost in sums)
    if unknown:
        yield f"the functions' time of {count_of(unknown, 'big run')} is not in it: the dashboard has it"


def _describe_cost(cost: CostSum) -> _Cells:
    cells = (
        f"{cost.works:,}",
        f"{cost.rows_written:,}",
        f"{cost.bytes_read:,}",
        f"{cost.seconds:,.1f}",
        f"{cost.gigabyte_seconds:,.1f}",
        f"{cost.requests:,}",
        f"{cost.dollars:.4f}",
    )
    return _Cells(cells, cost.group)


def _to_line(line: _Cells, widths: tuple[int, ...]) -> str:
    """Numbers on the right of their columns."""
    columns = [cell.rjust(width) for cell, width in zip(line.cells, widths, strict=True)]
    return "  ".join((*columns, line.tail))


def _cost_to_json(cost: CostSum, by: CostKey) -> dict[str, Any]:
    fields = asdict(cost)
    return {str(by): fields.pop("group"), **fields}
