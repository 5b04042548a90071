"""All that any command imports: see ``forked_commands.py``."""

import boto3.session
import botocore.config

from millrace.cli.commands import COMMANDS
from tests.e2e.hidden_pandas import hide_pandas
from tests.e2e.shared_models import share_models

__all__ = ["boto3", "botocore"]

# No command needs it.
hide_pandas()
share_models("cloudformation", "cloudwatch", "dynamodb", "lambda", "s3", "sqs", "sts")

for _entry in COMMANDS:
    _entry.load_part()
