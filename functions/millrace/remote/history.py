"""The history of a deployment, as its user may read it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from millrace.errors import MillraceError
from millrace.objects.references import ObjectRef
from millrace.operations.history.reading import HistoryReader, HistoryStore
from millrace.operations.history.work import Billing
from millrace.remote.deployments import Deployments

if TYPE_CHECKING:
    from millrace.aws.deployed import Deployed
    from millrace.aws.dynamodb_ledger import DynamoDBLedger


def open_history(
    deployments: Deployments, deployed: Deployed, ledger: DynamoDBLedger
) -> tuple[HistoryReader, str | None]:
    """What reads it; and why works that are not exported yet have no costs, for who may not ask about the function."""
    from millrace.aws.function_capacity import read_memory  # noqa: PLC0415 - boto3 takes a third of a second to import
    from millrace.aws.s3_objects import S3ObjectStore  # noqa: PLC0415 - boto3 takes a third of a second to import

    exported, problem = None, None
    if deployed.history is not None:
        store = S3ObjectStore(deployments.client("s3"))
        exported = HistoryStore(store=store, home=ObjectRef.parse(deployed.history))
    try:
        memory_mb, is_arm = read_memory(deployments.client("lambda"), deployed.convert_function)
        billing = Billing(memory_mb=memory_mb, is_arm=is_arm)
    except MillraceError as error:
        billing, problem = Billing(memory_mb=None), str(error)
    return HistoryReader(ledger=ledger, billing=billing, now=datetime.now(UTC), exported=exported), problem
