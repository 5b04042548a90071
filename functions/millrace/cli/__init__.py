"""The command `millrace`: reads options, calls the library, shows what came of it.

Heavy imports happen inside the commands, so that `--help` is quick.
"""

from millrace.cli.main import main

__all__ = ["main"]
