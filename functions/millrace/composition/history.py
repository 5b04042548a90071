"""The exporter of finished work, with the clients of the reconcile function."""

from __future__ import annotations

from millrace.aws.s3_objects import S3ObjectStore
from millrace.composition.base import Foundation, utc_now
from millrace.errors import UsageError
from millrace.objects.references import ObjectRef
from millrace.operations.history.export import HistoryExporter
from millrace.operations.history.work import Billing


def history_exporter(base: Foundation) -> HistoryExporter:
    """Make it of the function's settings. Raises: UsageError if the deployment exports no history."""
    settings = base.settings
    if settings.history is None:
        raise UsageError(
            "this deployment exports no history: several destinations, or none, could hold it. Choose a folder with "
            "`cdk deploy --context history=s3://bucket/folder`"
        )
    home = ObjectRef.parse(settings.history)
    regions = {connection.bucket: connection.region for connection in base.document.connections}
    return HistoryExporter(
        ledger=base.ledger,
        store=S3ObjectStore(base.sessions.client("s3", region=regions.get(home.bucket))),
        home=home,
        billing=Billing(memory_mb=settings.memory_mb),
        now=utc_now,
        keep_days=settings.history_days,
    )
