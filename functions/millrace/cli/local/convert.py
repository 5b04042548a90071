"""`millrace convert`: one file or many jobs, with the very code of the deployed function."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from millrace.cli.completion import complete_words
from millrace.cli.interrupts import Interrupted
from millrace.cli.local.option_flags import takes_file_options
from millrace.cli.local.reading import SOURCES, TARGETS, format_named, place, watched
from millrace.cli.terminal import Terminal
from millrace.engine.option_list import FileOptionValues
from millrace.engine.options import Compression, FileFormat, OutputCompression
from millrace.errors import DataError, InvalidConfiguration, UsageError
from millrace.wording import count_of

if TYPE_CHECKING:
    from millrace.engine.files import Job

_TARGET_FORMATS = {
    ".csv": FileFormat.CSV,
    ".jsonl": FileFormat.JSON,
    ".ndjson": FileFormat.JSON,
    ".json": FileFormat.JSON_DOC,
    ".parquet": FileFormat.PARQUET,
    ".avro": FileFormat.AVRO,
    ".orc": FileFormat.ORC,
}

SourceArgument = Annotated[str | None, typer.Argument(help="File or s3://bucket/key to read.", show_default=False)]
TargetArgument = Annotated[str | None, typer.Argument(help="File or s3://bucket/key to write.", show_default=False)]
ToOption = Annotated[
    str | None,
    typer.Option(
        help="csv, json (one object a line), json-doc (one array), parquet, avro or orc.",
        autocompletion=complete_words(*TARGETS),
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        help=f"{', '.join(SOURCES)}; default: what SOURCE's name says.",
        autocompletion=complete_words(*SOURCES),
    ),
]
CompressionOption = Annotated[
    Compression | None, typer.Option(help="Of SOURCE as a whole, demanded; default: what its first bytes say.")
]
CompressOption = Annotated[
    OutputCompression | None,
    typer.Option(help="TARGET's; default: what its name says. snappy, zstd and deflate are for parquet, avro and orc."),
]
MemberOption = Annotated[
    str | None, typer.Option(help="The one member of an archive to read; default: all, as one table.")
]
QuarantineOption = Annotated[str | None, typer.Option(help="Put rows that cannot be read here, and go on.")]
JobsOption = Annotated[
    str | None, typer.Option(help="A file (or - for standard input) with one JSON job a line; see below.")
]


@takes_file_options
def convert(
    source: SourceArgument = None,
    target: TargetArgument = None,
    *,
    to: ToOption = None,
    source_format: FromOption = None,
    asked: FileOptionValues,
    compression: CompressionOption = None,
    compress: CompressOption = None,
    member: MemberOption = None,
    quarantine: QuarantineOption = None,
    jobs: JobsOption = None,
) -> None:
    """Convert one file, or many, without AWS. The target is whole or absent, whatever happens.

    Example: millrace convert orders.csv.gz orders.parquet --to parquet

    An archive (.zip, .tar, .tar.gz and others) is one table of its members.

    Exit codes: 0 converted, 1 refused for its content (what and where is told; TARGET is as it was), 2 wrong use.

    With --jobs: one process, one JSON object a line: {"id", "source", "target", "to"} and optionally "from",
    "compression", "compress", "subfolder", "member", KEYS.
    Each is answered at once by a line {"id", "ok": true, "rows"} or {"id", "ok": false, "error": {"class", "message",
    "row", "byte"}}. A job that fails never harms the next; exit code 0 says that every job was answered.
    """
    if jobs is not None:
        if source is not None or target is not None:
            raise UsageError("--jobs takes its sources and targets from the jobs; leave SOURCE and TARGET out")
        _run_jobs(jobs)
        return
    if source is None or target is None:
        raise UsageError("SOURCE and TARGET are missing; see `millrace convert --help`")
    from millrace.engine.files import Job  # noqa: PLC0415 - pyarrow takes time to import

    job = Job(
        source=source,
        target=target,
        to=format_named("--to", to or _told_by_name(target), TARGETS),
        source_format=format_named("--from", source_format, SOURCES) if source_format else None,
        compression=compression,
        compress=compress,
        read=asked.read,
        write=asked.write,
        quarantine=quarantine,
        member=member,
    )
    raise typer.Exit(_convert_one(job))


def _convert_one(job: Job) -> int:
    """Convert a file and say what came of it; gives the exit code."""
    from millrace.cli.local import sources_and_targets  # noqa: PLC0415 - pyarrow and boto3 take time to import
    from millrace.engine.files import convert_file  # noqa: PLC0415 - pyarrow takes time to import
    from millrace.engine.formats.memory import pass_by_imports, use_lean_pool  # noqa: PLC0415 - it needs pyarrow

    # Before the first row is read: what is freed later goes back to the allocator that it came from.
    use_lean_pool()
    pass_by_imports()
    console = Terminal(stderr=True, highlight=False, markup=False, soft_wrap=True)
    sources = sources_and_targets.SourceOpener()
    try:
        with contextlib.ExitStack() as stack:
            rows = convert_file(
                job,
                open_source=lambda path: stack.enter_context(watched(sources.open(path), console)),
                open_target=sources_and_targets.open_target,
                find_origin=sources.find_origin,
            )
    except DataError as error:
        console.print(f"{job.source} is refused: {type(error).__name__}: {error}{place(error)}")
        return 1
    except InvalidConfiguration as error:
        raise UsageError(str(error)) from error
    except KeyboardInterrupt:
        raise Interrupted(f"{job.target} is as it was") from None
    aside = f", {count_of(rows.quarantined, 'row')} put aside in {job.quarantine}" if rows.quarantined else ""
    console.print(f"{count_of(rows.written, 'row')} from {job.source} to {job.target}{aside}")
    return 0


def _run_jobs(jobs: str) -> None:
    from millrace.cli.local import sources_and_targets  # noqa: PLC0415 - pyarrow and boto3 take time to import
    from millrace.cli.local.jobs import run_jobs  # noqa: PLC0415 - it needs pyarrow

    def answer(line: str) -> None:
        # Answers are ASCII: json.dumps has escaped the rest.
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
        sources = sources_and_targets.SourceOpener()
        run_jobs(
            lines,
            answer,
            open_source=sources.open,
            open_target=sources_and_targets.open_target,
            find_origin=sources.find_origin,
        )


def _told_by_name(target: str) -> str:
    name = target.lower()
    for compression in OutputCompression:
        name = name.removesuffix(compression.extension)
    for extension, file_format in _TARGET_FORMATS.items():
        if name.endswith(extension):
            return file_format
    raise UsageError(f"--to is missing, and the name {target} does not tell it; expected {', '.join(TARGETS)}")
