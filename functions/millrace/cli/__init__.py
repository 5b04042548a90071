"""The command `millrace`: reads options, calls the library, shows what came of it.

Heavy imports happen inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
"""As typing has it, which takes milliseconds to import: Ctrl-C may come before anything is here."""
if TYPE_CHECKING:
    from millrace.remote.deployments import Deployments

__all__ = ["main"]


def main(deployments: Deployments | None = None) -> None:
    """Run the command line; who interrupts it before it is imported hears that nothing was changed.

    ``deployments`` replaces AWS for the commands that ask a deployment.
    """
    try:
        from millrace.cli.command_line import run_commands  # noqa: PLC0415 - Ctrl-C during this is answered below
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was changed\n")
        sys.exit(130)
    run_commands(deployments)
