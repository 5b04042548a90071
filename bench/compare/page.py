"""The result as a page of Markdown. What people wrote between its markers stays when the page is written anew."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from bench.compare import history
from bench.compare.figures import OURS, RIVALS, Figures, Spot

BEGIN, END = "<!-- why: written by hand, kept by the generator -->", "<!-- end of why -->"
_UNWRITTEN = f"{BEGIN}\n{END}"
_HOW = """\
## How it was measured

| command | does |
|---|---|
| `make bench` | makes the files, runs everything, writes this page's figures to `build/bench` |
| `make bench-full` | the same with larger files and more rounds |
| `ARGS=--docs` with either | also writes this page |

Nothing else should run meanwhile.

- Every conversion is a process of its own.
  The tools take turns, pair by pair and round by round.
  Times are medians over the rounds, memory is the most.
  pandas runs in the first round alone, on up to 256 MB.
  A process is pinned to one or two processors, and the tool may use as many threads.
- Time runs from the call to the finished file.
  Importing the tool is not in it, because a warm function has done it; the table above has it.
  Nor is what Millrace imports when a file first needs it, which the others import at once.
  pandas is hidden from the other tools: pyarrow would import it because it is installed.
- Inputs come from fixed seeds.
  A size is that of the text; a Parquet source is the same data, smaller.
  The level of gz is 6.
- Ratios are against the faster of DuckDB and Polars, whether or not its values survived; † says that they did not.
- Each tool finds types by itself, as its users get it, and runs as fast as it can.
  Parquet is compressed with snappy by all, and everything else is each tool's default.

| tool | runs |
|---|---|
| DuckDB | `COPY (SELECT * FROM read_csv \\| read_json \\| read_parquet) TO` |
| Polars | `scan_*` and `sink_*` (streaming); a JSON array has only `read_json` |
| pandas | `dtype_backend="pyarrow"`, `engine="pyarrow"`, or its default engine if that one refuses quoted line ends |
| pyarrow | its own readers and writers, batch by batch |

| grade | says |
|---|---|
| **kept** | every value of the output is the source's, with all its digits |
| **equal** | the same numbers and instants, but not all that was said: 12.50 became 12.5 |
| **changed** | other values; the first is shown |

The generator draws the truth again, and every value of the first round's output is compared with it.
"""


def markdown(figures: Figures, plot: str, before: str, versions: list[history.Means]) -> str:
    """The page; ``before`` is what it was until now, ``versions`` is how fast all were."""
    parts = [
        *_head(figures, plot),
        *_targets(figures),
        *_by_version(versions),
        _written_by_hand(before),
        "",
        *(line for size in figures.sizes for line in _of_size(figures, size)),
        *_small(figures),
        *_starts(figures),
        _HOW,
    ]
    return "\n".join(parts)


def _written_by_hand(before: str) -> str:
    found = re.search(f"{re.escape(BEGIN)}.*?{re.escape(END)}", before, re.DOTALL)
    return found[0] if found else _UNWRITTEN


def _head(figures: Figures, plot: str) -> Iterator[str]:
    results = figures.results
    machine = results["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    yield "# How fast, how true"
    yield ""
    yield "Read this page to see how much time and memory Millrace takes, and which targets it misses."
    yield ""
    yield from table(
        ["measured", "with"],
        [
            ["on", results["date"]],
            ["machine", f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}, {machine['system']}"],
            ["software", versions],
            ["rounds", f"{results['rounds']}; medians are shown"],
        ],
    )
    yield ""
    yield f"![Time and memory of every pair]({plot})"
    yield ""


def _targets(figures: Figures) -> Iterator[str]:
    yield "## Targets"
    yield ""
    yield from table(
        ["asked", "reached", ""],
        [[one.asked, one.reached, "met" if one.met else "**missed**"] for one in figures.targets()],
    )
    yield ""


def _by_version(versions: list[history.Means]) -> Iterator[str]:
    yield "## By version"
    yield ""
    yield "Geometric means, over all pairs, of Millrace's time by that of the faster of DuckDB and Polars."
    yield ""
    yield from table(
        ["version", "measured on", "MB", "threads", "wall", "CPU"],
        [
            [one.version, one.date, str(one.size), str(one.threads), f"{one.wall:.2f}", f"{one.cpu:.2f}"]
            for one in versions
        ],
    )
    yield ""


def _of_size(figures: Figures, size: int) -> Iterator[str]:
    for threads in figures.threads:
        yield f"## {size} MB, {threads} thread{'s' * (threads > 1)}: wall seconds · CPU seconds · peak MB"
        yield ""
        yield from table(
            ["pair", *figures.tools, "wall", "CPU"],
            [
                [
                    pair,
                    *(_timing(figures.spot(size, threads, pair, tool)) for tool in figures.tools),
                    _ratio(figures, size, threads, pair, "wall"),
                    _ratio(figures, size, threads, pair, "cpu"),
                ]
                for pair in figures.pairs(size)
            ],
        )
        yield ""
    yield f"## {size} MB: what came out, MB, and whether values survived"
    yield ""
    survived = [[figures.survived(size, pair, tool) for tool in figures.tools] for pair in figures.pairs(size)]
    yield from table(
        ["pair", *figures.tools],
        [[pair, *map(_outcome, spots)] for pair, spots in zip(figures.pairs(size), survived, strict=True)],
    )
    yield ""
    for pair, spots in zip(figures.pairs(size), survived, strict=True):
        for tool, spot in zip(figures.tools, spots, strict=True):
            if spot.note and spot.status != "not offered":
                yield f"- {pair}, {tool}: {spot.grade or spot.status}: {_escaped(spot.note)}"
    yield ""


def _timing(spot: Spot) -> str:
    if spot.status != "done":
        return "–" if spot.status == "not offered" else spot.status
    return f"{spot.wall:.2f} · {spot.cpu:.2f} · {spot.peak_mb:,.0f}"


def _ratio(figures: Figures, size: int, threads: int, pair: str, measure: str) -> str:
    ratio = figures.ratio(size, threads, pair, measure)
    if math.isnan(ratio):
        return "–"
    rival = figures.rival(size, threads, pair, measure)[0]
    mark = "†" if figures.survived(size, pair, rival).lost else ""
    return f"{ratio:.2f}{mark}"


def _outcome(spot: Spot) -> str:
    if spot.status != "done":
        return "–" if spot.status == "not offered" else spot.status
    grade = spot.grade if spot.grade == "kept" else f"**{spot.grade or 'not checked'}**"
    return f"{spot.bytes / 2**20:,.1f} · {grade}"


def _small(figures: Figures) -> Iterator[str]:
    small = figures.results.get("small", {})
    if not small:
        return
    yield "## Objects of 10 kB in a warm process, CPU milliseconds"
    yield ""
    yield from table(["pair", OURS], [[pair, f"{seconds * 1000:.1f}"] for pair, seconds in small.items()])
    yield ""


def _starts(figures: Figures) -> Iterator[str]:
    size, threads = figures.sizes[0], figures.threads[0]
    starts = {}
    for tool in figures.tools:
        known = [figures.spot(size, threads, pair, tool).start for pair in figures.pairs(size)]
        if real := sorted(seconds for seconds in known if not math.isnan(seconds)):
            starts[tool] = f"{real[len(real) // 2]:.2f}"
    yield "## Importing the tool, seconds"
    yield ""
    yield from table(list(starts), [list(starts.values())])
    yield ""


def summary(figures: Figures) -> str:
    """The result in short, as a README shows it."""
    size, threads = figures.sizes[-1], figures.threads
    rivals = [tool for tool in (OURS, *RIVALS) if tool in figures.tools]
    names = [f"{tool}, {' · '.join(map(str, threads))}" for tool in rivals]
    rows = [
        [
            pair,
            *(
                " · ".join(_seconds(figures.spot(size, count, pair, tool)) for count in threads)
                + _lost(figures.survived(size, pair, tool))
                for tool in rivals
            ),
            " · ".join(_megabytes(figures.spot(size, max(threads), pair, tool)) for tool in rivals),
        ]
        for pair in figures.pairs(size)
    ]
    machine = figures.results["machine"]
    return "\n".join(
        (
            *table(["pair", *names, f"peak MB of {', '.join(rivals)}"], rows),
            "",
            f"Wall seconds, {size} MB of text, {' · '.join(map(str, threads))} threads; † not every value survived.",
            f"{figures.results['date']}, {machine['processor']}, {machine['cores']} cores, {machine['memory']}.",
            "",
        )
    )


def _seconds(spot: Spot) -> str:
    return f"{spot.wall:.2f}" if spot.status == "done" else "–"


def _megabytes(spot: Spot) -> str:
    return f"{spot.peak_mb:,.0f}" if spot.status == "done" else "–"


def _lost(spot: Spot) -> str:
    return " †" if spot.lost and spot.status == "done" else ""


def table(header: list[str], rows: list[list[str]]) -> Iterator[str]:
    """Lines of a table."""
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _escaped(text: str) -> str:
    return re.sub(r"/\S*/", "…/", text).replace("<", "&lt;")


def write(figures: Figures, folder: Path, plot: str, versions: list[history.Means]) -> None:
    """Write ``performance.md`` into a folder."""
    path = folder / "performance.md"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(markdown(figures, plot, before, versions), encoding="utf-8")


__all__ = ["BEGIN", "END", "RIVALS", "markdown", "summary", "table", "write"]
