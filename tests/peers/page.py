"""The recorded outcomes, and docs/values-compared.md made of them.

``python -m tests.peers.page`` tries every input with every tool, and writes both anew: read what changed before you
commit it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from tests.peers.inputs import INPUTS, Input
from tests.peers.outcomes import outcome
from tests.peers.tools import TOOLS

RECORDED = Path(__file__).parent / "recorded.json"
DIALECTS = Path(__file__).parent / "dialects.md"
"""What ``python -m bench.dialects --docs`` measured."""
PAGE = Path(__file__).parents[2] / "docs" / "values-compared.md"
Outcomes = Mapping[str, Mapping[str, str]]

_PACKAGES = ("pyarrow", "duckdb", "polars", "pandas")
_HEAD = """\
# Who keeps values

Read this page to see, input by input, which tool keeps a value and which changes it.

Each tool converts the same small files from CSV, JSON lines or Parquet to Parquet.
It is used as its documentation begins, with its defaults.
pyarrow reads the result, and each value is compared with the text of the source.
`make test` measures again and compares with this page.
With options (types given by hand, everything as text) the tools keep more.
If you do not know the file before, defaults are what you have.

| in a cell | says |
|---|---|
| **kept** | each value is what the source says, digit for digit; times may look different, with the same digits |
| **kept as** | the same, with the names of the output |
| **refused** | there is no output |
| `a` → `b` | the first value that changed: what it was, and what it became |

| tool | is |
|---|---|
| pyarrow | its reader of whole files |
| pyarrow, streaming | its reader that has one block at a time |
"""
_FOOT = """
## Late rows and refusals

Late rows are behind the samples of the tools:

| tool | looks at |
|---|---|
| DuckDB | 20,480 rows |
| Polars | 100 rows |
| pyarrow, streaming | a block of 1 MiB |
| pyarrow, pandas | the whole file |

Millrace refuses three inputs, each with the place:

- bytes that are no UTF-8, with their offset (the way out is `csv_encoding`);
- a key twice in a JSON object, with row and byte;
- half a surrogate pair, with row and byte.

[values.md](values.md) says how Millrace decides.
"""


def measure(given: Input) -> dict[str, str]:
    """Every tool's outcome with an input."""
    with tempfile.TemporaryDirectory() as folder:
        return {tool: outcome(tool, given, Path(folder)) for tool in TOOLS}


def recorded() -> Outcomes:
    """What was recorded, by the inputs' names."""
    outcomes: Outcomes = json.loads(RECORDED.read_text(encoding="utf-8"))
    return outcomes


def markdown(outcomes: Outcomes) -> str:
    """The page."""
    return "\n".join((_HEAD, *_tables(outcomes), "", DIALECTS.read_text(encoding="utf-8"), _FOOT.lstrip("\n")))


def _tables(outcomes: Outcomes) -> Iterator[str]:
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield f"Versions: {versions}."
    group = ""
    for given in INPUTS:
        if given.group != group:
            group = given.group
            yield f"\n## {group[0].upper()}{group[1:]}\n"
            yield f"| input | {' | '.join(TOOLS)} |"
            yield f"|---|{'---|' * len(TOOLS)}"
        cells = (_cell(outcomes[given.name][tool]) for tool in TOOLS)
        yield f"| {given.title} | {' | '.join(cells)} |"
    kept = (sum(outcomes[given.name][tool].startswith("kept") for given in INPUTS) for tool in TOOLS)
    yield f"\n## Kept, of {len(INPUTS)}\n\n| {' | '.join(TOOLS)} |\n|{'---|' * len(TOOLS)}"
    yield f"| {' | '.join(map(str, kept))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Measure all and write what is recorded, and the page."""
    outcomes = {given.name: measure(given) for given in INPUTS}
    RECORDED.write_text(json.dumps(outcomes, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(markdown(outcomes), encoding="utf-8")


if __name__ == "__main__":
    main()
