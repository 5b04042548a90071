"""`millrace explain`: what a file is, which type each column gets, and which value keeps it from a narrower one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from millrace.cli.completion import COMPLETE_SYNC, complete_words
from millrace.cli.local.option_flags import takes_file_options
from millrace.cli.local.reading import SOURCES, format_named, place, watched
from millrace.cli.terminal import Terminal, print_json
from millrace.engine.file_names import is_archive
from millrace.engine.option_list import FileOptionValues
from millrace.engine.options import Compression, FileFormat, ReadOptions
from millrace.errors import InvalidConfiguration, UsageError
from millrace.texts import escape_controls
from millrace.wording import count_of

if TYPE_CHECKING:
    from millrace.engine.explain.facts import ColumnFacts, Explanation

_MOST_COLUMNS = 50
"""How many columns are shown where none are chosen."""
_FAMILIES = 6
"""So many kinds of types a text could have been of."""
_MOST_KINDS = 8
_NAME_WIDTH = 40
_PROGRESS_FROM_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What planning says of an object under a sync, line by line; and its content, None if it is not looked at."""

    facts: Sequence[tuple[str, str]] = ()
    content: Explanation | None = None


FileArgument = Annotated[str, typer.Argument(help="File or s3://bucket/key to read.", show_default=False)]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from", help=f"{', '.join(SOURCES)}; default: what FILE's name says.", autocompletion=complete_words(*SOURCES)
    ),
]
CompressionOption = Annotated[
    Compression | None, typer.Option(help="Of FILE as a whole, demanded; default: what its first bytes say.")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="A configuration: explain what its --sync would make of s3://bucket/key."),
]
SyncOption = Annotated[
    str | None, typer.Option(help="The sync of --config that is explained.", autocompletion=COMPLETE_SYNC)
]
MemberOption = Annotated[
    str | None, typer.Option(help="The member of an archive to explain; not needed where there is one alone.")
]
ColumnsOption = Annotated[
    list[str] | None, typer.Option(help="Show this column alone, * and ? are wild; may be given often.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]


@takes_file_options
def explain(
    file: FileArgument,
    *,
    source_format: FromOption = None,
    asked: FileOptionValues,
    compression: CompressionOption = None,
    config: ConfigOption = None,
    sync: SyncOption = None,
    member: MemberOption = None,
    columns: ColumnsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain what conversion would make of a file, and why. Nothing is written; all of the file is read.

    Example: millrace explain orders.csv.gz

    With --config and --sync: what a sync would make of one object, as planning has it: its table, format, options,
    output and fields, or why it is ignored.

    Exit codes: 0 explained, 1 refused for its content (what was found up to there is shown all the same), 2 wrong use.
    """
    errors = Terminal(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if config is not None or sync is not None:
        _refuse_options(asked, source_format, compression)
        explained = _explain_sync(file, config, sync, member, errors)
    else:
        explained = Explained(
            content=_explain(
                file,
                source_format=format_named("--from", source_format, SOURCES) if source_format else None,
                compression=compression,
                asked=asked.read,
                errors=errors,
                member=member,
            )
        )
    _show(file, explained, columns, as_json=as_json)
    content = explained.content
    if content is not None and (error := content.content.error) is not None:
        errors.print(f"{file} is refused: {type(error).__name__}: {error}{place(error)}")
        raise typer.Exit(1)


def _show(file: str, explained: Explained, columns: Sequence[str] | None, *, as_json: bool) -> None:
    explanation = explained.content
    chosen = [] if explanation is None else _choose_columns(explanation, columns)
    if as_json:
        from millrace.engine.explain.document import as_document  # noqa: PLC0415 - pyarrow takes time to import

        of_sync = {"sync": dict(explained.facts)} if explained.facts else {}
        print_json({"file": file} | of_sync | ({} if explanation is None else as_document(explanation, chosen)))
        return
    if explained.facts:
        _print_facts(file, explained.facts)
    if explanation is not None:
        _print(file, explanation, chosen, are_all=columns is None)


def _print_facts(file: str, facts: Sequence[tuple[str, str]]) -> None:
    console = Terminal(highlight=False, markup=False)
    console.print(f"{file}:", soft_wrap=True)
    table = Table.grid(padding=(0, 2))
    for name, value in facts:
        table.add_row(f"  {_printable(name)}", escape_controls(value))
    console.print(table)


def _refuse_options(asked: FileOptionValues, source_format: str | None, compression: Compression | None) -> None:
    if asked != FileOptionValues() or source_format or compression:
        raise UsageError("--config: the configuration says how the object is read; leave options of reading out")


def _explain_sync(file: str, config: Path | None, sync: str | None, member: str | None, errors: Console) -> Explained:
    if config is None or sync is None:
        raise UsageError("--config and --sync belong together: a configuration, and which of its syncs")
    from millrace.cli.local import sources_and_targets  # noqa: PLC0415 - pyarrow and boto3 take time to import
    from millrace.cli.local.explain_sync import explain_plan, plan_object  # noqa: PLC0415 - it needs pyarrow and pydantic
    from millrace.engine.formats.memory import use_lean_pool  # noqa: PLC0415 - it needs pyarrow
    from millrace.planning.plans import Ignored  # noqa: PLC0415 - it needs pyarrow, too

    use_lean_pool()
    plan = plan_object(config, sync, file)
    if plan is None:
        return Explained(facts=(("ignored", f"sync {sync!r} reads no object there"),))
    if isinstance(plan, Ignored):
        return Explained(facts=(("ignored", plan.reason),))
    try:
        with watched(sources_and_targets.open_source(file), errors, from_bytes=_PROGRESS_FROM_BYTES) as source:
            facts, content = explain_plan(plan, file, source, member)
            return Explained(facts=facts, content=content)
    except InvalidConfiguration as error:
        raise UsageError(str(error)) from error


def _explain(
    file: str,
    *,
    source_format: FileFormat | None,
    compression: Compression | None,
    asked: ReadOptions,
    errors: Console,
    member: str | None,
) -> Explanation:
    from millrace.cli.local import sources_and_targets  # noqa: PLC0415 - pyarrow and boto3 take time to import
    from millrace.cli.local.explain_member import explain_member  # noqa: PLC0415 - it needs pyarrow
    from millrace.engine.explain.any_file import explain_file  # noqa: PLC0415 - pyarrow takes time to import
    from millrace.engine.files import check_member, how_to_read  # noqa: PLC0415 - it needs pyarrow, too
    from millrace.engine.formats.memory import use_lean_pool  # noqa: PLC0415 - it needs pyarrow
    from millrace.engine.formats.streams.decompression import require_compression  # noqa: PLC0415 - so does this

    use_lean_pool()
    is_packed = is_archive(file)
    if not is_packed:
        check_member(file, member)
        file_format, options = how_to_read(file, source_format, compression, asked)
    try:
        with watched(sources_and_targets.open_source(file), errors, from_bytes=_PROGRESS_FROM_BYTES) as source:
            if is_packed:
                return explain_member(source, file, member, source_format, asked)
            if compression is not None:
                require_compression(source, compression)
            return explain_file(source, file_format, options)
    except InvalidConfiguration as error:
        raise UsageError(str(error)) from error


def _choose_columns(explanation: Explanation, patterns: Sequence[str] | None) -> list[ColumnFacts]:
    """The columns whose names match, in the file's order; without patterns, all.

    Raises: UsageError for a pattern without a column, unless the file was refused before all columns were seen.
    """
    columns = list(explanation.content.columns)
    if patterns is None:
        return columns
    if explanation.content.error is None:
        for pattern in patterns:
            if not _select_columns(columns, [pattern]):
                raise UsageError(f"--columns: the file has no column {pattern!r}")
    return _select_columns(columns, patterns)


def _select_columns(columns: Iterable[ColumnFacts], patterns: Sequence[str]) -> list[ColumnFacts]:
    return [column for column in columns if _matches(column, patterns)]


def _matches(column: ColumnFacts, patterns: Sequence[str]) -> bool:
    # A name may hold * or [ itself, and is then its own pattern.
    return any(column.name == pattern or fnmatchcase(column.name, pattern) for pattern in patterns)


def _print(file: str, explanation: Explanation, chosen: Sequence[ColumnFacts], *, are_all: bool) -> None:
    console = Terminal(highlight=False, markup=False)
    content = explanation.content
    compressed = "" if explanation.compression is Compression.NONE else f", compressed ({explanation.compression})"
    counts = f"{count_of(content.rows, 'row')}, {count_of(len(content.schema), 'column')}"
    until = " up to where it is refused" if content.error is not None else ""
    size = count_of(explanation.size, "byte")
    console.print(f"{file}: {explanation.format}{compressed}, {size}, {counts}{until}", soft_wrap=True)
    # Texts of the file are escaped: a name such as "\x1b[2J" would clear the screen.
    facts = Table.grid(padding=(0, 2))
    for fact in content.facts:
        facts.add_row(f"  {_printable(fact.name)}", _printable(fact.value), escape_controls(fact.why))
    console.print(facts)
    shown = chosen[:_MOST_COLUMNS] if are_all else chosen
    if shown:
        console.print(_table(shown))
        reasons = _reasons(shown)
        if reasons.row_count:
            console.print(reasons)
    if len(shown) < len(chosen):
        console.print(_count_hidden(chosen, len(shown)), soft_wrap=True)


def _count_hidden(chosen: Sequence[ColumnFacts], shown: int) -> str:
    types = Counter(column.type for column in chosen).most_common(_MOST_KINDS)
    kinds = ", ".join(f"{count:,} are {kind}" for kind, count in types)
    return (
        f"{len(chosen) - shown:,} more columns are not shown; of all {len(chosen):,}, {kinds}. "
        "Choose with --columns NAME, or have all with --json"
    )


def _table(columns: Sequence[ColumnFacts]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    has_empty = any(column.empty for column in columns)
    table.add_column("column", overflow="fold")
    table.add_column("type", overflow="fold")
    table.add_column("missing", justify="right")
    if has_empty:
        table.add_column("empty", justify="right")
    table.add_column("values", overflow="fold")
    for column in columns:
        missing = "" if column.missing is None else f"{column.missing:,}"
        empty = [f"{column.empty:,}"] if has_empty else []
        table.add_row(_printable(column.name), column.type, missing, *empty, escape_controls(_values(column)))
    return table


def _reasons(columns: Sequence[ColumnFacts]) -> Table:
    is_stored = any(column.stored for column in columns)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("column", overflow="fold", max_width=_NAME_WIDTH)
    table.add_column("stored, and written as text" if is_stored else "why no narrower type", overflow="fold")
    for column in columns:
        if reasons := list(_why(column)):
            table.add_row(_printable(column.name), "\n".join(map(escape_controls, reasons)))
    return table


def _values(column: ColumnFacts) -> str:
    if column.limits:
        low, high = column.limits
        return low if low == high else f"{low} to {high}"
    if column.lengths and column.type != "boolean":
        shortest, longest = column.lengths
        return f"{shortest:,} characters" if shortest == longest else f"{shortest:,} to {longest:,} characters"
    return ""


def _why(column: ColumnFacts) -> Iterator[str]:
    yield from _why_not(column)
    if column.seen and len(column.seen) > 1:
        yield "seen: " + ", ".join(f"{kind} from row {row:,}" for kind, row in column.seen.items())
    elif column.seen and column.first_row != 1:
        yield f"first seen in row {column.first_row:,}"
    if column.stored:
        yield column.stored
    yield from column.notes


def _why_not(column: ColumnFacts) -> Iterator[str]:
    """A line for each value that excludes types: `not integer, float: row 2 has '00501' (...)`; latest row first."""
    by_sight: dict[tuple[int, str, str], list[str]] = {}
    for exclusion in column.why_not:
        by_sight.setdefault((exclusion.row, exclusion.value, exclusion.reason), []).append(exclusion.kind)
    for (row, value, reason), kinds in sorted(by_sight.items(), key=lambda item: -item[0][0]):
        because = f" ({reason})" if reason else ""
        excluded = "no other type" if len(kinds) == _FAMILIES else f"not {', '.join(kinds)}"
        yield f"{excluded}: row {row:,} has {value!r}{because}"


def _printable(text: str) -> str:
    is_plain = text.isprintable() and text == text.strip()
    return text if is_plain else repr(text)
