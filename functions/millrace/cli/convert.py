"""`millrace convert`: one file or many jobs, with the very code of the deployed function."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from millrace.errors import DataError, InvalidConfiguration, UsageError
from millrace.file_format import Compression, FileFormat, ReadOptions

_PROGRESS_FROM_BYTES = 32 * 2**20
_TARGET_FORMATS = {
    ".csv": FileFormat.CSV,
    ".jsonl": FileFormat.JSON,
    ".ndjson": FileFormat.JSON,
    ".json": FileFormat.JSON_DOC,
    ".parquet": FileFormat.PARQUET,
}


def convert(
    source: Annotated[str | None, typer.Argument(help="File or s3://bucket/key to read.", show_default=False)] = None,
    target: Annotated[str | None, typer.Argument(help="File or s3://bucket/key to write.", show_default=False)] = None,
    *,
    to: Annotated[
        str | None, typer.Option(help="csv, json (one object a line), json-doc (one array) or parquet.")
    ] = None,
    source_format: Annotated[
        str | None, typer.Option("--from", help="csv, json or parquet; default: what SOURCE's name says.")
    ] = None,
    headers: Annotated[bool, typer.Option("--headers/--no-headers", help="CSV begins with a row of names.")] = True,
    skip_lines: Annotated[int, typer.Option(min=0, help="Lines to drop before a CSV's header.")] = 0,
    delimiter: Annotated[str | None, typer.Option(help="Default: detected among , ; tab and |.")] = None,
    quote: Annotated[str, typer.Option(help="Character around fields; empty: nothing is quoted.")] = '"',
    escape: Annotated[str | None, typer.Option(help="Character before one meant literally; default none.")] = None,
    encoding: Annotated[str, typer.Option(help="Of a CSV; a byte order mark is honoured.")] = "utf-8",
    compression: Annotated[
        Compression | None, typer.Option(help="Of SOURCE as a whole; default: what its name says.")
    ] = None,
    infer_types: Annotated[
        bool, typer.Option("--types/--no-types", help="Give CSV columns a type where every value survives.")
    ] = True,
    quarantine: Annotated[str | None, typer.Option(help="Put rows that cannot be read here, and go on.")] = None,
    jobs: Annotated[
        str | None, typer.Option(help="A file (or - for standard input) with one JSON job a line; see below.")
    ] = None,
) -> None:
    """Convert one file, or many, without AWS. The target is whole or absent, whatever happens.

    Example: millrace convert orders.csv.gz orders.parquet --to parquet

    Exit codes: 0 converted, 1 refused for its content (what and where is told; TARGET is as it was), 2 wrong use.

    With --jobs: one process, one JSON object a line: {"id", "source", "target", "to"} and optionally "from", "headers",
    "skip_lines", "delimiter", "quote", "escape", "encoding", "compression", "subfolder". Each is answered at once by a
    line {"id", "ok": true, "rows"} or {"id", "ok": false, "error": {"class", "message", "row", "byte"}}. A job that
    fails never harms the next; exit code 0 says that every job was answered.
    """
    if jobs is not None:
        if source is not None or target is not None:
            raise UsageError("--jobs takes its sources and targets from the jobs; leave SOURCE and TARGET out")
        _run_jobs(jobs)
        return
    if source is None or target is None:
        raise UsageError("SOURCE and TARGET are missing; see millrace convert --help")
    read = ReadOptions(
        has_headers=headers,
        skip_lines=skip_lines,
        delimiter=_character("--delimiter", delimiter),
        quote=_character("--quote", quote),
        escape=_character("--escape", escape),
        encoding=encoding,
        infer_types=infer_types,
    )
    raise typer.Exit(
        _convert_one(
            source,
            target,
            to=_format("--to", to or _told_by_name(target)),
            source_format=_format("--from", source_format) if source_format else None,
            read=read,
            compression=compression,
            quarantine=quarantine,
        )
    )


def _convert_one(
    source: str,
    target: str,
    *,
    to: FileFormat,
    source_format: FileFormat | None,
    read: ReadOptions,
    compression: Compression | None,
    quarantine: str | None,
) -> int:
    from millrace.cli import places  # noqa: PLC0415 - pyarrow and boto3 take time to import
    from millrace.local import Job, convert_file  # noqa: PLC0415 - as above

    job = Job(
        source=source,
        target=target,
        to=to,
        source_format=source_format,
        compression=compression,
        read=read,
        quarantine=quarantine,
    )
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    try:
        with contextlib.ExitStack() as stack:
            rows = convert_file(
                job,
                open_source=lambda path: stack.enter_context(_watched(places.open_source(path), console)),
                open_target=places.open_target,
            )
    except DataError as error:
        console.print(f"{source} is refused: {type(error).__name__}: {error}{_place(error)}")
        return 1
    except InvalidConfiguration as error:
        raise UsageError(str(error)) from error
    except KeyboardInterrupt:
        console.print(f"interrupted; {target} is as it was")
        return 130
    aside = f", {rows.quarantined:,} rows put aside in {quarantine}" if rows.quarantined else ""
    console.print(f"{rows.written:,} rows from {source} to {target}{aside}")
    return 0


def _place(error: DataError) -> str:
    told = str(error)
    places = (("row", error.row), ("byte", error.byte))
    known = [f"{name} {value}" for name, value in places if value is not None and f"{name} {value}" not in told]
    return f" ({', '.join(known)})" if known else ""


@contextlib.contextmanager
def _watched(file: BinaryIO, console: Console) -> Iterator[BinaryIO]:
    """The file with a progress bar, where a person waits for a large one."""
    with file:
        size = file.seek(0, 2)
        file.seek(0)
        if not console.is_terminal or size < _PROGRESS_FROM_BYTES:
            yield file
            return
        columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            yield progress.wrap_file(file, total=size)


def _run_jobs(jobs: str) -> None:
    from millrace.cli import places  # noqa: PLC0415 - pyarrow and boto3 take time to import
    from millrace.local import run_jobs  # noqa: PLC0415 - as above

    def answer(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    with contextlib.ExitStack() as stack:
        if jobs == "-":
            lines = sys.stdin
        else:
            try:
                lines = stack.enter_context(Path(jobs).open(encoding="utf-8"))
            except OSError as error:
                raise UsageError(f"--jobs: {jobs} cannot be read: {error.strerror}") from error
        run_jobs(lines, answer, open_source=places.open_source, open_target=places.open_target)


def _told_by_name(target: str) -> str:
    for extension, file_format in _TARGET_FORMATS.items():
        if target.lower().endswith(extension):
            return file_format
    raise UsageError(f"--to is missing, and the name {target} does not tell it; expected {', '.join(FileFormat)}")


def _format(option: str, name: str) -> FileFormat:
    accepted = FileFormat if option == "--to" else (FileFormat.CSV, FileFormat.JSON, FileFormat.PARQUET)
    if name not in {str(one) for one in accepted}:
        raise UsageError(f"{option}: {name!r} is not one of {', '.join(accepted)}")
    return FileFormat(name)


def _character(option: str, text: str | None) -> str | None:
    text = {"\\t": "\t", "tab": "\t"}.get(text or "", text)
    if text and len(text) != 1:
        raise UsageError(f"{option}: {text!r} has {len(text)} characters; expected one, or tab")
    return text or None
