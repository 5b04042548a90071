"""All that any command imports: see ``forked_commands.py``."""

import boto3.session
import botocore.config

from millrace.cli.commands import COMMANDS
from tests.e2e.hidden_pandas import hide_pandas

__all__ = ["boto3", "botocore"]

# No command needs it.
hide_pandas()

for _entry in COMMANDS:
    _entry.load_part()
