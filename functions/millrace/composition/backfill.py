"""The backfill function's world: listing, steering, and the switch of the queue's event source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from millrace.aws.backfill_switch import BackfillEventSource
from millrace.aws.circuits import DynamoDBCircuits
from millrace.aws.deployed import invoke_later
from millrace.aws.dynamodb_backfills import DynamoDBBackfills
from millrace.aws.s3_objects import S3ObjectStore
from millrace.aws.sqs_requests import SQSRequests
from millrace.composition.base import Foundation, utc_now
from millrace.composition.following import run_follower, run_teller
from millrace.errors import InvalidConfiguration
from millrace.operations.backfills.actions import BackfillActions
from millrace.operations.backfills.listing import BackfillLister
from millrace.operations.backfills.steering import BackfillSteering
from millrace.operations.backfills.telling import BackfillTeller
from millrace.planning.planner import Planner


def backfill_actions(environment: Mapping[str, str] = os.environ) -> BackfillActions:
    """Read settings and configuration, and make the clients; raise InvalidConfiguration if a setting is missing."""
    base = Foundation.from_environment(environment)
    settings = base.settings
    url, function = settings.backfill_queue, settings.convert_function
    if url is None or function is None:
        raise InvalidConfiguration(["MILLRACE_BACKFILL_QUEUE and MILLRACE_CONVERT_FUNCTION are not set"])
    planner = Planner(base.document)
    dynamodb, sqs, functions = map(base.sessions.client, ("dynamodb", "sqs", "lambda"))
    backfills = DynamoDBBackfills(dynamodb, settings.ledger_table)
    steering = BackfillSteering(
        planner=planner,
        backfills=backfills,
        switch=BackfillEventSource(
            sqs=sqs,
            functions=functions,
            circuits=DynamoDBCircuits(dynamodb, settings.ledger_table),
            url=url,
            function=function,
        ),
        call=partial(invoke_later, functions, settings.function or ""),
        now=utc_now,
        deployment=settings.deployment,
    )
    lister = _make_lister(base, planner, backfills, SQSRequests(sqs, url))
    teller = BackfillTeller(backfills=backfills, runs=run_teller(base), now=utc_now)
    return BackfillActions(steering, lister, teller, run_follower(base))


def _make_lister(
    base: Foundation, planner: Planner, backfills: DynamoDBBackfills, queue: SQSRequests
) -> BackfillLister:
    return BackfillLister(
        planner=planner,
        stores=base.sessions,
        ledger=base.ledger,
        backfills=backfills,
        queue=queue,
        # An inventory lies in a bucket of its own, which the function's own role reads.
        inventories=S3ObjectStore(base.sessions.client("s3")),
        now=utc_now,
        deployment=base.settings.deployment,
    )
