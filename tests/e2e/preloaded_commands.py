"""All that any command imports: see ``forked_commands.py``."""

import boto3.session
import botocore.config

from millrace.cli.commands import COMMANDS

__all__ = ["boto3", "botocore"]

for _entry in COMMANDS:
    _entry.load_part()
