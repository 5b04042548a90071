"""The result on the terminal, as a page and as a plot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
from rich.console import Console
from rich.table import Table

from bench.compare import history, page
from bench.compare.figures import Figures
from bench.compare.measure import ROOT

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

_PLOT = "performance.png"
_LOOKS = {
    "Millrace": ("#c0392b", "D"),
    "DuckDB": ("#e0a800", "o"),
    "Polars": ("#2471a3", "o"),
    "pyarrow": ("#7f8c8d", "s"),
    "pandas": ("#8e44ad", "^"),
}


def write(results: dict[str, Any], folder: Path, *, docs: bool) -> None:
    """Print the tables, and write the page and the plot into ``folder``, and into docs/ where that is asked."""
    figures = Figures(results)
    if not figures.sizes:
        print("nothing was measured")
        return
    _print(figures)
    (folder / "summary.md").write_text(page.summary(figures), encoding="utf-8")
    versions = history.add(figures) if docs else history.read()
    for place in (folder, ROOT / "docs") if docs else (folder,):
        page.write(figures, place, _PLOT, versions)
        _draw(figures, place / _PLOT)
    print(f"written: {folder}/performance.md, summary.md, {_PLOT}, results.json" + (" and docs/" if docs else ""))


def _print(figures: Figures) -> None:
    console = Console(width=None if Console().is_terminal else 160)
    for size in figures.sizes:
        for threads in figures.threads:
            shown = Table(title=f"{size} MB, {threads} thread{'s' * (threads > 1)}: wall s · peak MB · values")
            for name in ("pair", *figures.tools, "wall", "CPU"):
                shown.add_column(name)
            for pair in figures.pairs(size):
                cells = [_cell(figures, size, threads, pair, tool) for tool in figures.tools]
                ratios = [f"{figures.ratio(size, threads, pair, measure):.2f}" for measure in ("wall", "cpu")]
                shown.add_row(pair, *cells, *ratios)
            console.print(shown)
    targets = Table(title="targets")
    for name in ("asked", "reached", ""):
        targets.add_column(name)
    for one in figures.targets():
        targets.add_row(one.asked, one.reached, "[green]met" if one.met else "[red]missed")
    console.print(targets)


def _cell(figures: Figures, size: int, threads: int, pair: str, tool: str) -> str:
    spot = figures.spot(size, threads, pair, tool)
    if math.isnan(spot.wall):
        return spot.status
    grade = figures.survived(size, pair, tool).grade
    colour = {"kept": "green", "equal": "yellow"}.get(grade, "red")
    return f"{spot.wall:.2f} · {spot.peak_mb:.0f} · [{colour}]{grade}"


def _draw(figures: Figures, path: Path) -> None:
    size, threads = figures.sizes[-1], figures.threads
    pairs = figures.pairs(size)
    figure, panels = plt.subplots(
        1, len(threads) + 1, figsize=(5 * (len(threads) + 1), 0.42 * len(pairs) + 1.8), sharey=True
    )
    for panel, count in zip(panels, threads, strict=False):
        _dots(panel, figures, pairs, [_place(figures, size, count, "wall")] * len(figures.tools))
        panel.set_title(f"wall seconds, {count} thread{'s' * (count > 1)}")
    _dots(panels[-1], figures, pairs, [_place(figures, size, max(threads), "peak_mb")] * len(figures.tools))
    panels[-1].set_title(f"peak memory in MB, {max(threads)} threads")
    panels[0].set_yticks(range(len(pairs)), pairs)
    panels[0].invert_yaxis()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), frameon=False)
    figure.suptitle(f"{size} MB inputs, {figures.results['date']}; hollow: not every value survived", fontsize=10)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _place(figures: Figures, size: int, threads: int, measure: str) -> Any:
    def figure_of(pair: str, tool: str) -> tuple[float, bool]:
        value = getattr(figures.spot(size, threads, pair, tool), measure)
        return value, figures.survived(size, pair, tool).grade == "kept"

    return figure_of


def _dots(panel: Axes, figures: Figures, pairs: list[str], figure_of: list[Any]) -> None:
    for tool, of in zip(figures.tools, figure_of, strict=True):
        colour, marker = _LOOKS.get(tool, ("#000000", "o"))
        panel.plot([], [], marker, color=colour, label=tool)
        for line, pair in enumerate(pairs):
            value, kept = of(pair, tool)
            panel.plot([value], [line], marker, color=colour, fillstyle="full" if kept else "none", markersize=7)
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _at: f"{value:g}"))
    panel.xaxis.set_minor_formatter(mpl.ticker.FuncFormatter(_some))
    panel.tick_params(axis="x", which="both", labelsize=7)
    panel.grid(axis="both", which="major", alpha=0.3)


def _some(value: float, _at: int) -> str:
    """Of the values between powers of ten those that begin with 2 and 5."""
    return f"{value:g}" if f"{value:e}"[0] in "25" else ""
