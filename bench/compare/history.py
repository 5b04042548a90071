"""How fast each version was: the geometric means of its ratios, kept in ``history.json`` beside this file."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.compare.figures import OURS, Figures

FILE = Path(__file__).with_name("history.json")


@dataclass(frozen=True, slots=True, order=True)
class Means:
    """Geometric means, over all pairs, of a version's time by the faster of DuckDB's and Polars'."""

    version: str
    size: int
    threads: int
    date: str
    wall: float
    cpu: float


def means_of(figures: Figures) -> Iterator[Means]:
    """The means of a run, for each size and number of threads; none where nothing could be compared."""
    version = figures.results["versions"][OURS.lower()]
    for size in figures.sizes:
        for threads in figures.threads:
            wall, cpu = (figures.ratios(size, threads, measure) for measure in ("wall", "cpu"))
            if wall and cpu:
                yield Means(version, size, threads, figures.results["date"], _mean(wall), _mean(cpu))


def _mean(ratios: dict[str, float]) -> float:
    return round(statistics.geometric_mean(ratios.values()), 2)


def read(file: Path = FILE) -> list[Means]:
    """What is known of all versions, the oldest first."""
    return sorted(Means(**means) for means in json.loads(file.read_text(encoding="utf-8")))


def add(figures: Figures, file: Path = FILE) -> list[Means]:
    """Keep a run's means in place of those of its version, size and threads; give what is known of all versions."""
    known = {(means.version, means.size, means.threads): means for means in read(file)}
    for means in means_of(figures):
        known[means.version, means.size, means.threads] = means
    lines = (json.dumps(asdict(means)) for means in sorted(known.values()))
    file.write_text("[\n " + ",\n ".join(lines) + "\n]\n", encoding="utf-8")
    return sorted(known.values())
