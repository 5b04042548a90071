"""The ``millrace`` command: thin over the use cases."""

from millrace.cli.main import main

__all__ = ["main"]
