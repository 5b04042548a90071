"""`millrace demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from millrace.cli.interrupts import Interrupted
from millrace.cli.terminal import Terminal
from millrace.errors import UsageError

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="Deploy your own configuration instead of the examples.")
]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DIR",
        help="Upload the files of this folder, too. With --config: to the only source, or a sub-folder to each "
        "source of its name; CONNECTION=DIR says which. May be given often.",
    ),
]
UploadOption = Annotated[
    list[Path] | None, typer.Option(help="Send files to what --keep left running, and show what came of them.")
]


def demo(
    files: Annotated[list[Path] | None, typer.Argument(help="More files for --upload.")] = None,
    *,
    config: ConfigOption = None,
    data: DataOption = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running, and print how to play with it.")] = False,
    upload: UploadOption = None,
    to: Annotated[str | None, typer.Option(metavar="CONNECTION", help="The source that --upload sends to.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop what --keep left running.")] = False,
) -> None:
    """Show the whole system on this machine: no AWS account, no Docker.

    Starts a local AWS emulator, runs the real `cdk deploy` against it, uploads sample files, and shows how the deployed
    functions convert each of them once. Takes about a minute.

    Your own configuration, with your own files: millrace demo --config millrace.yaml --data DIR
    """
    sent = [*(upload or ()), *(files or ())]
    _refuse_stray(sent, is_upload=bool(upload), to=to)
    _refuse_contradiction(is_upload=bool(upload), is_own=config is not None, data=data or [], stop=stop)
    raise typer.Exit(_run(sent, config=config, data=data or [], keep=keep, to=to, stop=stop))


def _run(sent: list[Path], *, config: Path | None, data: list[str], keep: bool, to: str | None, stop: bool) -> int:
    from millrace.demo.own import run_own  # noqa: PLC0415 - the demo's packages are an extra
    from millrace.demo.run import run_demo, stop_demo  # noqa: PLC0415 - they need packages of that extra, too

    console = Terminal()
    if stop:
        return stop_demo(console=console)
    if sent:
        return _upload(sent, to, console)
    if config is not None:
        return run_own(config=config, data=data, keep=keep, console=console)
    return run_demo(keep=keep, data=Path(data[0]) if data else None, console=console)


def _upload(sent: list[Path], to: str | None, console: Terminal) -> int:
    from millrace.demo.own import upload_to_kept  # noqa: PLC0415 - the demo's packages are an extra

    try:
        return upload_to_kept(files=sent, to=to, console=console)
    except KeyboardInterrupt:
        raise Interrupted("the demonstration runs on, and what was uploaded is converted all the same") from None


def _refuse_stray(sent: list[Path], *, is_upload: bool, to: str | None) -> None:
    """Raise UsageError for what belongs to --upload, without it."""
    if sent and not is_upload:
        raise UsageError(f"{sent[0]}: to send a file to a running demonstration, say --upload {sent[0]}")
    if to and not is_upload:
        raise UsageError("--to says where --upload sends files; say --upload FILE, too")


def _refuse_contradiction(*, is_upload: bool, is_own: bool, data: list[str], stop: bool) -> None:
    """Raise UsageError for options that do not go together."""
    is_new = is_own or bool(data)
    if is_upload and (is_new or stop):
        raise UsageError("--upload sends files to what is running already; leave --config, --data and --stop out")
    if len(data) > 1 and not is_own:
        raise UsageError("--data: the examples take one folder of yours; with --config FILE there may be several")
