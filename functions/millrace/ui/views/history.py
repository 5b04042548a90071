"""The load of each day as plots: works, rows, bytes, seconds, dollars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from millrace.errors import MillraceError
from millrace.operations.day_loads import DayLoad, list_days, read_day_load
from millrace.remote.history import open_history
from millrace.ui.rendering import PageRenderer, to_address
from millrace.ui.views.objects import parse_day
from millrace.ui.world import PageWorld
from millrace.wording import describe_seconds, describe_size

_DAYS = 14
_READERS = 4
_PLOT_WIDTH, _PLOT_HEIGHT, _ROOM_BELOW = 400, 110, 18


@dataclass(frozen=True, slots=True)
class PlotBar:
    """A rectangle of a plot, in its own units; ``text`` is shown when one points at it."""

    x: float
    y: float
    width: float
    height: float
    text: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class DayPlot:
    """One figure for each day."""

    title: str
    largest: str
    bars: Sequence[PlotBar]
    labels: Sequence[tuple[float, str]]
    width: int = _PLOT_WIDTH
    height: int = _PLOT_HEIGHT + _ROOM_BELOW
    floor: int = _PLOT_HEIGHT


def show_history(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """The frame: the days are read apart."""
    sync = request.query_params.get("sync") or None
    last = parse_day(request.query_params.get("until", "")) or _today(world)
    values = {
        "sync": sync,
        "syncs": world.deployed.syncs,
        "until": last,
        "part": to_address("/history/days", sync=sync, until=last),
        "earlier": to_address("/history", sync=sync, until=last - timedelta(days=_DAYS)),
        "later": to_address("/history", sync=sync, until=last + timedelta(days=_DAYS))
        if last < _today(world)
        else None,
    }
    return renderer.render(request, "history.html", values)


def _today(world: PageWorld) -> date:
    return world.now().astimezone(UTC).date()


def list_history_days(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """Two weeks of days, read side by side."""
    sync = request.query_params.get("sync") or None
    last = parse_day(request.query_params.get("until", "")) or _today(world)
    values: dict[str, Any] = {"loads": [], "plots": [], "problem": None, "trouble": None, "sync": sync}
    try:
        reader, values["problem"] = open_history(world.deployments, world.deployed, world.ledger)
        with ThreadPoolExecutor(_READERS) as pool:
            loads = list(pool.map(partial(read_day_load, reader, sync=sync), list_days(last, _DAYS)))
        values |= {"loads": loads, "plots": list(_draw_all(loads))}
    except MillraceError as error:
        values["trouble"] = error
    return renderer.render(request, "history_days.html", values)


def _draw_all(loads: Sequence[DayLoad]) -> Sequence[DayPlot]:
    return (
        draw_plot("Finished", loads, lambda load: load.cost.works, lambda value: f"{value:,.0f}", _count_failed),
        draw_plot("Rows written", loads, lambda load: load.cost.rows_written, lambda value: f"{value:,.0f}"),
        draw_plot("Bytes read", loads, lambda load: load.cost.bytes_read, lambda value: describe_size(int(value))),
        draw_plot("Seconds of work", loads, lambda load: load.cost.seconds, describe_seconds),
        draw_plot("Estimated dollars", loads, lambda load: load.cost.dollars, lambda value: f"${value:,.4f}"),
    )


def _count_failed(load: DayLoad) -> float:
    return load.failed


def draw_plot(
    title: str,
    loads: Sequence[DayLoad],
    figure: Callable[[DayLoad], float],
    describe: Callable[[float], str],
    bad: Callable[[DayLoad], float] | None = None,
) -> DayPlot:
    """A bar for each day, from the floor up to its share of the largest; ``bad`` is the part that is drawn apart."""
    # Of fourteen days without any failure no bar is drawn; by zero nothing is divided.
    largest = max(map(figure, loads), default=0) or 1
    step = _PLOT_WIDTH / max(1, len(loads))
    bars, labels = [], []
    for number, load in enumerate(loads):
        more = "" if load.is_whole else " or more"
        text = f"{load.day}: {describe(figure(load))}{more}"
        height = _PLOT_HEIGHT * figure(load) / largest
        bars.append(PlotBar(number * step + 2, _PLOT_HEIGHT - height, step - 4, height, text))
        if bad is not None and bad(load):
            part = _PLOT_HEIGHT * bad(load) / largest
            bars.append(
                PlotBar(
                    number * step + 2, _PLOT_HEIGHT - part, step - 4, part, f"{text}, {bad(load):,} failed", is_bad=True
                )
            )
        labels.append((number * step + step / 2, f"{load.day:%d}"))
    return DayPlot(title, describe(max(map(figure, loads), default=0)), bars, labels)
