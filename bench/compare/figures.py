"""What the measured runs amount to: medians, ratios, and the targets that they meet or miss."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

OURS = "Millrace"
RIVALS = ("DuckDB", "Polars")
MEAN_RATIO = 0.8
WORST_RATIO = 1.15
SMALL_SECONDS = 0.004
PEAK_MB = 256
"""Peak memory allowed, whatever the input's size."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One cell: medians of what a tool did with a pair."""

    status: str
    wall: float = math.nan
    cpu: float = math.nan
    peak_mb: float = math.nan
    bytes: float = math.nan
    start: float = math.nan
    grade: str = ""
    note: str = ""

    @property
    def lost(self) -> bool:
        """Whether values did not come out whole; what was not run or not checked yet lost none."""
        return self.status == "refused" or self.grade not in {"", "kept"}


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked, what was reached, and whether that is enough."""

    asked: str
    reached: str
    met: bool


class Figures:
    """Results as the report asks for them."""

    def __init__(self, results: dict[str, Any]) -> None:
        self.results = results
        self._runs: list[dict[str, Any]] = results["runs"]

    @cached_property
    def sizes(self) -> list[int]:
        """Sizes of inputs in MB."""
        return sorted({run["size"] for run in self._runs})

    @cached_property
    def threads(self) -> list[int]:
        """Numbers of processors."""
        return sorted({run["threads"] for run in self._runs})

    @cached_property
    def tools(self) -> list[str]:
        """In the order of a round."""
        return list(dict.fromkeys(run["tool"] for run in self._runs))

    def pairs(self, size: int) -> list[str]:
        """In the order of a round."""
        return list(dict.fromkeys(run["pair"] for run in self._runs if run["size"] == size))

    @cached_property
    def _spots(self) -> dict[tuple[int, int, str, str], Spot]:
        cells: dict[tuple[int, int, str, str], list[dict[str, Any]]] = {}
        for run in self._runs:
            cells.setdefault((run["size"], run["threads"], run["pair"], run["tool"]), []).append(run)
        return {where: _spot(runs) for where, runs in cells.items()}

    def spot(self, size: int, threads: int, pair: str, tool: str) -> Spot:
        """What is known of a cell."""
        return self._spots.get((size, threads, pair, tool), Spot("–"))

    def survived(self, size: int, pair: str, tool: str) -> Spot:
        """The cell whose output was held against the truth."""
        return self.spot(size, max(self.threads), pair, tool)

    def rival(self, size: int, threads: int, pair: str, measure: str) -> tuple[str, float]:
        """The better of DuckDB and Polars, and its figure; NaN where neither did it."""
        known = [(tool, getattr(self.spot(size, threads, pair, tool), measure)) for tool in RIVALS]
        return min((one for one in known if not math.isnan(one[1])), key=lambda one: one[1], default=("", math.nan))

    def ratio(self, size: int, threads: int, pair: str, measure: str) -> float:
        """Millrace's figure by that of the better rival."""
        ours = getattr(self.spot(size, threads, pair, OURS), measure)
        return float(ours / self.rival(size, threads, pair, measure)[1])

    def ratios(self, size: int, threads: int, measure: str) -> dict[str, float]:
        """By pair, where both are known."""
        every = {pair: self.ratio(size, threads, pair, measure) for pair in self.pairs(size)}
        return {pair: ratio for pair, ratio in every.items() if not math.isnan(ratio)}

    def targets(self) -> Iterator[Target]:
        """The design's targets, in its order."""
        for size in self.sizes:
            for threads in self.threads:
                yield from self._speed(size, threads)
        for size in self.sizes:
            yield self._peak(size)
            yield self._sizes(size)
        if small := self.results.get("small"):
            pair, seconds = max(small.items(), key=lambda one: one[1])
            asked = f"10 kB object, warm: CPU under {SMALL_SECONDS * 1000:.0f} ms"
            yield Target(asked, f"at most {seconds * 1000:.1f} ms ({pair})", seconds < SMALL_SECONDS)
        yield self._values()

    def _speed(self, size: int, threads: int) -> Iterator[Target]:
        for measure, name in (("wall", "wall time"), ("cpu", "CPU time")):
            ratios = self.ratios(size, threads, measure)
            if not ratios:
                continue
            where = f"{size} MB, {_processors(threads)}, {name}"
            mean = statistics.geometric_mean(ratios.values())
            yield Target(f"{where}: geometric mean of the ratios ≤ {MEAN_RATIO}", f"{mean:.2f}", mean <= MEAN_RATIO)
            over = _listed(ratios, lambda ratio: ratio > WORST_RATIO)
            yield Target(
                f"{where}: no pair above {WORST_RATIO}", over or f"at most {max(ratios.values()):.2f}", not over
            )

    def _peak(self, size: int) -> Target:
        peaks = {
            f"{pair} on {_processors(threads)}": self.spot(size, threads, pair, OURS).peak_mb
            for pair in self.pairs(size)
            for threads in self.threads
        }
        known = {name: peak for name, peak in peaks.items() if not math.isnan(peak)}
        over = _listed(known, lambda peak: peak > PEAK_MB, "{:.0f} MB")
        reached = over or (f"at most {max(known.values()):.0f} MB" if known else "not measured")
        return Target(f"{size} MB: peak memory ≤ {PEAK_MB} MB", reached, bool(known) and not over)

    def _sizes(self, size: int) -> Target:
        ratios = {}
        for pair in self.pairs(size):
            ours, theirs = (self.survived(size, pair, tool).bytes for tool in (OURS, "DuckDB"))
            if "->parquet" in pair and not math.isnan(ours / theirs):
                ratios[pair] = ours / theirs
        over = _listed(ratios, lambda ratio: ratio > 1)
        reached = over or (f"at most {max(ratios.values()):.2f} × DuckDB's" if ratios else "not measured")
        return Target(
            f"{size} MB: Parquet no larger than DuckDB's with the same codec", reached, bool(ratios) and not over
        )

    def _values(self) -> Target:
        lost = [
            f"{pair} ({size} MB)"
            for size in self.sizes
            for pair in self.pairs(size)
            if self.survived(size, pair, OURS).lost
        ]
        return Target("every value survives", ", ".join(lost) or "all, in every pair", not lost)


def _spot(runs: list[dict[str, Any]]) -> Spot:
    done = [run for run in runs if run["status"] == "done"]
    if not done:
        return Spot(runs[0]["status"], note=runs[0].get("why", ""))
    values: dict[str, str] = next((run["values"] for run in done if "values" in run), {})
    return Spot(
        "done",
        wall=statistics.median(run["wall"] for run in done),
        cpu=statistics.median(run["cpu"] for run in done),
        peak_mb=max(run["peak"] for run in done) / 2**20,
        bytes=done[0]["bytes"],
        start=statistics.median(run["start"] for run in done),
        grade=values.get("grade", values.get("status", "")),
        note=values.get("difference", values.get("why", "")),
    )


def _listed(figures: dict[str, float], chosen: Callable[[float], bool], shape: str = "{:.2f}") -> str:
    picked = sorted(((pair, figure) for pair, figure in figures.items() if chosen(figure)), key=lambda one: -one[1])
    return ", ".join(f"{pair} {shape.format(figure)}" for pair, figure in picked)


def _processors(threads: int) -> str:
    return f"{threads} thread{'s' * (threads > 1)}"
