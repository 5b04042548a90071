"""`millrace demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from millrace.cli.terminal import Terminal


def demo(
    *,
    data: Annotated[Path | None, typer.Option(help="Upload the files of this folder, too.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running, and print how to play with it.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop what --keep left running.")] = False,
) -> None:
    """Show the whole system on this machine: no AWS account, no Docker.

    Starts a local AWS emulator, runs the real `cdk deploy` against it, uploads sample files, and shows how the deployed
    functions convert each of them once. Takes about a minute.
    """
    from millrace.demo.run import run_demo, stop_demo  # noqa: PLC0415 - the demo's packages are an extra

    console = Terminal()
    raise typer.Exit(stop_demo(console=console) if stop else run_demo(keep=keep, data=data, console=console))
