"""`millrace demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from millrace.cli.interrupts import Interrupted
from millrace.cli.terminal import Terminal
from millrace.errors import UsageError


def demo(
    files: Annotated[list[Path] | None, typer.Argument(help="More files for --upload.")] = None,
    *,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Deploy your own configuration instead of the examples.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR",
            help="Upload the files of this folder, too. With --config: to the only source, or a sub-folder to each "
            "source of its name; CONNECTION=DIR says which. May be given often.",
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running, and print how to play with it.")] = False,
    upload: Annotated[
        list[Path] | None, typer.Option(help="Send files to what --keep left running, and show what came of them.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="CONNECTION", help="The source that --upload sends to.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop what --keep left running.")] = False,
) -> None:
    """Show the whole system on this machine: no AWS account, no Docker.

    Starts a local AWS emulator, runs the real `cdk deploy` against it, uploads sample files, and shows how the deployed
    functions convert each of them once. Takes about a minute.

    Your own configuration, with your own files: millrace demo --config millrace.yaml --data DIR
    """
    from millrace.demo.own import run_own, upload_to_kept  # noqa: PLC0415 - the demo's packages are an extra
    from millrace.demo.run import run_demo, stop_demo  # noqa: PLC0415 - as in the line before

    sent = [*(upload or ()), *(files or ())]
    _refuse_contradiction(sent, upload=upload, config=config, to=to, data=data, stop=stop)
    console = Terminal()
    if stop:
        code = stop_demo(console=console)
    elif sent:
        try:
            code = upload_to_kept(files=sent, to=to, console=console)
        except KeyboardInterrupt:
            raise Interrupted("the demonstration runs on, and what was uploaded is converted all the same") from None
    elif config is not None:
        code = run_own(config=config, data=data or (), keep=keep, console=console)
    else:
        code = run_demo(keep=keep, data=Path(data[0]) if data else None, console=console)
    raise typer.Exit(code)


def _refuse_contradiction(
    sent: list[Path],
    *,
    upload: list[Path] | None,
    config: Path | None,
    to: str | None,
    data: list[str] | None,
    stop: bool,
) -> None:
    """Raise UsageError for options that do not go together."""
    if sent and not upload:
        raise UsageError(f"{sent[0]}: to send a file to a running demonstration, say --upload {sent[0]}")
    if to and not upload:
        raise UsageError("--to says where --upload sends files; say --upload FILE, too")
    if upload and (config or data or stop):
        raise UsageError("--upload sends files to what is running already; leave --config, --data and --stop out")
    if data and len(data) > 1 and config is None:
        raise UsageError("--data: the examples take one folder of yours; with --config FILE there may be several")
