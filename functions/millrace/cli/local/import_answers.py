"""`millrace import`: what the vendor's API answers becomes a configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from millrace.cli.terminal import print_json, print_line, print_text
from millrace.config.polytomic.answers import AnswerObject, read_answers
from millrace.config.polytomic.importing import ImportedConfiguration, import_answers
from millrace.config.polytomic.remarks import Remark, RemarkKind, Remarks
from millrace.config.polytomic.writing import to_yaml
from millrace.errors import UsageError
from millrace.wording import count_of

_STDIN = Path("-")
_HEAD = "Imported by `millrace import`. Lines that begin with `to do` want a person; remove them when they are done."
Files = Annotated[list[Path], typer.Argument(help="Files of JSON, an answer or several in each; - is standard input.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Where the configuration goes; - is standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that exists.")]
Inactive = Annotated[bool, typer.Option("--inactive", help="Take syncs along that are switched off, switched off.")]
AsJson = Annotated[bool, typer.Option("--json", help="Remarks and problems as JSON lines; needs --output FILE.")]


def import_command(
    files: Files,
    *,
    output: Output = Path("millrace.yaml"),
    force: Force = False,
    inactive: Inactive = False,
    as_json: AsJson = False,
) -> None:
    """Make a configuration of what Polytomic's API answers; says what a person must do, and what was passed over.

    Give the answers of GET /api/connections, /api/models, /api/bulk/syncs, /api/bulk/syncs/ID/schemas (with the sync's
    id in the file's name) and /api/syncs. No key is copied, and nobody is contacted.

    Exit code 1: the configuration is written, and is not valid until what is listed is mended.

    Example: millrace import connections.json models.json syncs.json --output millrace.yaml
    """
    _check_output(output, force=force, as_json=as_json)
    remarks = Remarks()
    imported = import_answers(_read_all(files, remarks), remarks, keeps_inactive=inactive)
    if not imported.document:
        _show(remarks, imported, as_json=as_json)
        raise UsageError("there is nothing that Millrace could have; nothing is written")
    _write(imported, remarks, output)
    _show(remarks, imported, as_json=as_json)
    if not as_json:
        print_line(_summarise(output, imported, list(remarks)), err=True)
    if imported.problems:
        raise typer.Exit(1)


def _write(imported: ImportedConfiguration, remarks: Remarks, output: Path) -> None:
    text = to_yaml(imported.document, [_HEAD, *map(str, remarks)])
    if output == _STDIN:
        print_text(text)
    else:
        output.write_text(text, encoding="utf-8")


def _check_output(output: Path, *, force: bool, as_json: bool) -> None:
    if as_json and output == _STDIN:
        raise UsageError("--json and --output - both want standard output; give --output a file")
    if output != _STDIN and output.exists() and not force:
        raise UsageError(f"{output} exists; give --force to write over it, or another --output")


def _read_all(files: list[Path], remarks: Remarks) -> list[AnswerObject]:
    answers: list[AnswerObject] = []
    for file in files:
        answers += read_answers(_read_file(file), "standard input" if file == _STDIN else str(file), remarks)
    return answers


def _read_file(file: Path) -> str:
    try:
        return sys.stdin.read() if file == _STDIN else file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8 text: byte {error.start} does not fit") from error


def _show(remarks: Remarks, imported: ImportedConfiguration, *, as_json: bool) -> None:
    for remark in remarks:
        if as_json:
            print_json({"kind": remark.kind, "item": remark.item, "field": remark.field, "text": remark.text})
        else:
            print_line(str(remark), err=True)
    for problem in imported.problems:
        if as_json:
            print_json({"kind": "problem", "text": problem})
        else:
            print_line(f"error: {problem}", err=True)


def _summarise(output: Path, imported: ImportedConfiguration, remarks: list[Remark]) -> str:
    counts = [count_of(len(items), name.replace("_", " ")[:-1]) for name, items in imported.document.items()]
    passed = sum(remark.kind is RemarkKind.PASSED_OVER for remark in remarks)
    to_do = sum(remark.kind is RemarkKind.TO_DO for remark in remarks)
    state = "not valid yet, see the errors" if imported.problems else "valid"
    written = "" if output == _STDIN else f"{output}: "
    return f"{written}{', '.join(counts)}; {count_of(passed, 'object')} passed over, {to_do} to do; {state}"
