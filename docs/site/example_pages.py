"""A page for each example: its configuration, its files, and what becomes of them, as the tests compare them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

_MOST_FILES = 6
_MOST_LINES = 24
_MOST_COLUMNS = 160
_TEXTS = {".csv": "text", ".tsv": "text", ".json": "json", ".jsonl": "json", ".txt": "text", ".xml": "xml"}
"""Extensions of what is shown as it is, with the word behind its fence."""
_MARKUP = re.compile(r"([*_<>\[\]])")
"""Signs of a comment that Markdown would take for its own."""
_TRY_IT = """\
## Try it

In a clone, without AWS:

```
millrace validate examples/{name}/millrace.yaml
millrace demo --config examples/{name}/millrace.yaml --data examples/{name}/input
```

[The configuration file](../configuration.md) has every field, with its default and its rule.
"""
_ROW = re.compile(r"^\| \[(?P<name>\w+)\]\(\w+\) \| (?P<shows>.+) \|$", re.MULTILINE)
"""A row of the list of examples: ``| [fields](fields) | tables and fields chosen |``."""


def read_summaries(readme: Path) -> dict[str, str]:
    """What each example shows, by its name, in the order of the list."""
    return {row["name"]: row["shows"] for row in _ROW.finditer(readme.read_text(encoding="utf-8"))}


def title_of(name: str) -> str:
    """``table_per_object`` as ``Table per object``."""
    return name.replace("_", " ").capitalize()


def render_example(folder: Path, shows: str) -> str:
    """The whole page of an example."""
    name = folder.name
    about, configuration = split_comment((folder / "millrace.yaml").read_text(encoding="utf-8"))
    parts = [
        f"# {title_of(name)}\n",
        f"This guide shows {shows}.\n",
        f"{about}\n",
        "A test converts these files with this configuration, and compares every output with what is shown here.\n",
        f"## The configuration\n\n```yaml\n{configuration}\n```\n",
        "## The files\n",
        *_render_files(folder / "input"),
        "## What becomes of them\n",
        *_render_files(folder / "expected"),
        _TRY_IT.format(name=name),
    ]
    return "\n".join(parts)


def split_comment(configuration: str) -> tuple[str, str]:
    """The comment that a configuration begins with, as prose, and the rest: ``# Of all`` becomes ``Of all``."""
    lines = configuration.strip().splitlines()
    rest = list(itertools.dropwhile(lambda line: line.startswith("#"), lines))
    comment = " ".join(line.lstrip("# ") for line in lines[: len(lines) - len(rest)])
    return _MARKUP.sub(r"\\\1", comment), "\n".join(rest).strip()


def _render_files(folder: Path) -> Iterator[str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".git")]
    for path in files[:_MOST_FILES]:
        yield f"`{path.relative_to(folder).as_posix()}`\n"
        yield _render_file(path)
    if len(files) > _MOST_FILES:
        yield f"And {len(files) - _MOST_FILES} more.\n"


def _render_file(path: Path) -> str:
    if path.suffix == ".parquet":
        return _render_table(path)
    data = path.read_bytes()
    text = _decode(data)
    if text is None:
        return f"({len(data):,} bytes, which are no text)\n"
    lines = text.splitlines()
    shown = [_shorten(line) for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(f"… {len(lines) - _MOST_LINES:,} more lines")
    # A fence longer than any in the file: one of our configurations may hold three backticks in a comment.
    return f"````{_TEXTS.get(path.suffix, 'text')}\n" + "\n".join(shown) + "\n````\n"


def _decode(data: bytes) -> str | None:
    """Text of UTF-8 without control characters, as which compressed files and workbooks would be shown badly."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if any(sign < " " and sign not in "\t\r\n" for sign in text) else text


def _shorten(line: str) -> str:
    return line if len(line) <= _MOST_COLUMNS else f"{line[:_MOST_COLUMNS]}…"


def _render_table(path: Path) -> str:
    """Names, types and the first rows: ``| id: int64 | name: string |``."""
    table = pq.read_table(path)
    head = " | ".join(f"{_cell(field.name)}: *{field.type}*" for field in table.schema)
    rows = [" | ".join(_cell(value) for value in row.values()) for row in table.slice(0, _MOST_LINES).to_pylist()]
    lines = [f"| {line} |" for line in (head, " | ".join("---" for _ in table.schema), *rows)]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    """A value as code, so that nothing in it is Markdown; a missing one is a dash."""
    if value is None:
        return "–"
    text = str(value).replace("|", "\\|").replace("\n", "⏎")
    return f"`{text}`" if text else "` `"
