"""The command `millrace init`."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from millrace.cli.beginning.draft import Draft, FirstLayout, parse_draft
from millrace.cli.configuration import DEFAULT_CONFIG
from millrace.cli.terminal import print_line
from millrace.config.json_schema import schema_text
from millrace.config.layout import Folder
from millrace.engine.options import TARGET_FORMATS, FileFormat
from millrace.errors import UsageError

T = TypeVar("T")
_LAYOUT_HELP = "files: each file is converted by itself; table: all are one table; folders: each folder is a table."
NotificationsOption = Annotated[
    bool | None,
    typer.Option("--notifications/--no-notifications", help="S3 notifies a queue; or a schedule lists the folder."),
]


def init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = DEFAULT_CONFIG,
    *,
    source: Annotated[str | None, typer.Option(help="Where files land: s3://bucket/folder.")] = None,
    destination: Annotated[str | None, typer.Option(help="Where the results go: s3://bucket/folder.")] = None,
    to: Annotated[str | None, typer.Option("--format", help="Format of the results.")] = None,
    layout: Annotated[str | None, typer.Option(help=_LAYOUT_HELP)] = None,
    notifications: NotificationsOption = None,
    region: Annotated[str | None, typer.Option(help="The region of the buckets, and of the deployment.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a configuration to begin with: asks what it needs to know, or takes it all as options.

    Example: millrace init --source s3://acme-inbox/uploads --destination s3://acme-lake --region eu-central-1
    """
    schema = file.with_suffix(".schema.json")
    _refuse_files([file, schema], force=force)
    here = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    draft = Draft(
        source=_answer(source, "--source", "Where do files land (s3://bucket/folder)?", _to_folder),
        destination=_answer(destination, "--destination", "Where do the results go (s3://bucket/folder)?", _to_folder),
        format=_answer(to, "--format", f"Which format ({', '.join(TARGET_FORMATS)})?", _to_format, "parquet"),
        layout=_answer(layout, "--layout", f"Which layout? {_LAYOUT_HELP}\nLayout", _to_layout, "files"),
        notifications=_answer(_to_word(notifications), "--notifications", _NOTIFICATIONS, _to_boolean, "yes"),
        region=_answer(region, "--region", "In which region are the buckets?", _to_region, here),
    )
    _write_draft(draft, file, schema)
    _show_next_steps(file, schema)


_NOTIFICATIONS = "Shall S3 notify a queue of each file (yes), or a schedule list the folder every 15 minutes (no)?"


def _refuse_files(files: list[Path], *, force: bool) -> None:
    if files[0].suffix not in {".yaml", ".yml"}:
        raise UsageError(f"{files[0]}: expected a name that ends in .yaml or .yml")
    there = [str(file) for file in files if file.exists()]
    if there and not force:
        raise UsageError(f"{' and '.join(there)}: already there; name another file, or say --force to write over it")


def _write_draft(draft: Draft, file: Path, schema: Path) -> None:
    text = draft.to_text(schema)
    # What cannot work, such as results within the folder that is watched, is said before anything is written.
    parse_draft(text)
    file.parent.mkdir(parents=True, exist_ok=True)
    schema.write_text(schema_text(), encoding="utf-8")
    file.write_text(text, encoding="utf-8")


def _answer(given: str | None, flag: str, question: str, parse: Callable[[str], T], default: str | None = None) -> T:
    """What an option says, or else a person; asks again after an answer that is none.

    Raises UsageError for an option that is wrong, and for one that is missing if nobody is here and it has no default.
    """
    if given is not None:
        return _parse(given, flag, parse)
    # In a script or a pipeline a question would wait for ever.
    if not sys.stdin.isatty():
        if default is None:
            raise UsageError(f"{flag} is missing, and nobody is here to ask: say {flag}")
        return _parse(default, flag, parse)
    while True:
        try:
            return _parse(typer.prompt(question, default=default), flag, parse)
        except UsageError as error:
            print_line(str(error))


def _parse(text: str, flag: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text.strip())
    except ValueError as error:
        raise UsageError(f"{flag} {text!r}: {error}") from error


def _to_folder(text: str) -> Folder:
    try:
        return Folder.parse(text)
    except ValueError as error:
        raise ValueError(f"expected {error}") from None


def _to_format(text: str) -> FileFormat:
    if text not in TARGET_FORMATS:
        raise ValueError(f"expected one of {', '.join(TARGET_FORMATS)}")
    return FileFormat(text)


def _to_layout(text: str) -> FirstLayout:
    if text not in list(FirstLayout):
        raise ValueError(f"expected one of {', '.join(FirstLayout)}")
    return FirstLayout(text)


def _to_region(text: str) -> str:
    if not re.fullmatch(r"[a-z]+(-[a-z]+)+-\d", text):
        raise ValueError("expected a region, such as eu-central-1")
    return text


def _to_word(given: bool | None) -> str | None:  # noqa: FBT001 - the option's value
    if given is None:
        return None
    return "yes" if given else "no"


def _to_boolean(text: str) -> bool:
    if text.lower() not in {"yes", "y", "no", "n"}:
        raise ValueError("expected yes or no")
    return text.lower().startswith("y")


def _show_next_steps(file: Path, schema: Path) -> None:
    name = shlex.quote(str(file))
    print_line(f"wrote {file}, and {schema} beside it, with which an editor completes and explains its fields")
    print_line(f"next, `millrace validate {name}` checks what you change")
    print_line(f"then, `millrace demo --config {name} --data DIR` tries it on this machine with your files in DIR")
    print_line(f"last, `millrace deploy --config {name} --bootstrap` brings it to your account; it asks first")
