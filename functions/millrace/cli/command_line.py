"""The command line as a whole: its commands, and what exit codes mean."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from millrace import __version__
from millrace.cli.commands import LazyCommands
from millrace.cli.extras import explain_missing
from millrace.errors import InvalidConfiguration, MillraceError, UsageError

if TYPE_CHECKING:
    from millrace.remote.deployments import Deployments

_HELP = """Files that land in S3 come out converted: once, in order, nothing lost.

Try it without an AWS account: [bold]millrace demo[/bold].

Convert one file here: [bold]millrace convert in.csv out.parquet --to parquet[/bold].

See what becomes of its values first, and why: [bold]millrace explain in.csv[/bold].

Deploy: [bold]millrace init[/bold] writes a configuration, [bold]millrace deploy[/bold] brings it to your account.

Exit codes: 0 done, 1 trouble (standard error says which), 2 wrong use.
"""

app = typer.Typer(
    name="millrace",
    cls=LazyCommands,
    help=_HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_asked: bool) -> None:  # noqa: FBT001 - the form of a callback of Typer's options
    if is_asked:
        typer.echo(f"millrace {__version__} ({_describe_kernel()})")
        raise typer.Exit


def _describe_kernel() -> str:
    from millrace.engine.native.library import Missing, look_for_kernel  # noqa: PLC0415 - no other option needs it

    found = look_for_kernel()
    return f"no native kernel: {found.reason}" if isinstance(found, Missing) else "native kernel"


@app.callback()
def options(
    *,
    # An eager option's callback runs before the missing command is noticed.
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Read the options of the command as a whole."""
    del version


def run_commands(deployments: Deployments | None = None) -> None:
    """Run the command; errors that we know become one message and an exit code, without a traceback.

    ``deployments`` replaces AWS for the commands that ask a deployment.
    """
    try:
        # The name, however it was started: shells ask for completions by it.
        app(obj=deployments, prog_name="millrace")
    except UsageError as error:
        _complain(error, code=2)
    except InvalidConfiguration as error:
        _complain(error, code=1)
    except MillraceError as error:
        _complain(error, code=1)
    except ModuleNotFoundError as error:
        if (missing := explain_missing(error)) is None:
            raise
        _complain(missing, code=2)
    except KeyboardInterrupt:
        sys.exit(130)


def _complain(error: MillraceError, *, code: int) -> None:
    from rich.markup import escape  # noqa: PLC0415 - a tenth of a second that commands without trouble need not pay

    from millrace.cli.terminal import Terminal  # noqa: PLC0415 - it needs rich

    console = Terminal(stderr=True, highlight=False, soft_wrap=True)
    for line in str(error).splitlines() or [type(error).__name__]:
        console.print(f"[red]error:[/red] {escape(line)}")
    sys.exit(code)
