"""Policies of connections beside the grants of the functions: the same actions on the same resources."""

from __future__ import annotations

from typing import Any

import pytest

from infra import grants
from infra.options import Options
from infra.topology import describe
from millrace.config.document import Document, parse
from millrace.deployment.permissions import connection_policy, queue_policy
from tests.configurations import bulk_sync, connection

QUEUE = "arn:aws:sqs:us-east-1:444455556666:uploads"
FUNCTIONS = ("arn:aws:iam::111122223333:root",)


def document(*, landing: dict[str, Any] | None = None, lake: dict[str, Any] | None = None) -> Document:
    """A bulk sync from ``s3://partner/in`` to ``s3://acme/out``, both of another account."""
    role = {"auth_mode": "iam_role", "iam_role_arn": "arn:aws:iam::444455556666:role/partner"}
    source = {"s3_bucket_name": "partner/in", **role, **(landing or {})}
    target = {"s3_bucket_name": "acme/out", **role, **(lake or {})}
    ends = [connection("landing", "", **source), connection("lake", "", **target)]
    return parse({"connections": ends, "bulk_syncs": [bulk_sync()]})


@pytest.mark.parametrize("folder", ["partner/in", "partner"])
@pytest.mark.parametrize("name", ["landing", "lake"])
def test_it_is_what_the_functions_own_role_would_get(name: str, folder: str) -> None:
    """A connection by execution_role has the stack grant the same actions on the same resources, and no others."""
    ends: dict[str, dict[str, Any]] = {"landing": {"s3_bucket_name": "far"}, "lake": {"s3_bucket_name": "away"}}
    ends[name] = {"auth_mode": "execution_role", "iam_role_arn": None, "s3_bucket_name": folder}
    given = document(landing=ends["landing"], lake=ends["lake"])

    policy = connection_policy(given, given.connection(name))

    assert policy is not None
    assert _pairs(*policy["Statement"]) == _granted(given)


def test_a_queue_of_another_account_lets_the_functions_do_what_their_role_would() -> None:
    given = document(landing={"enable_event_notifications": True, "event_queue_arn": QUEUE})

    policy = queue_policy(given, given.connection("landing"), principals=FUNCTIONS)

    assert policy is not None
    (statement,) = policy["Statement"]
    arns = grants.Arns(partition="aws", region="r", account="a", ledger="l", queues=(), dead_letters="d", machine="m")
    granted = grants.convert(describe(given), arns, Options(), itself="f")
    # Dead letters are sent to the deployment's own queue.
    of_queue = {name for one in granted if one.resources != ("d",) for name in one.actions if name.startswith("sqs:")}
    assert set(statement["Action"]) == of_queue
    assert of_queue


def _granted(given: Document) -> set[tuple[str, str]]:
    arns = grants.Arns(
        partition="aws",
        region="us-east-1",
        account="111122223333",
        ledger="l",
        queues=("q",),
        dead_letters="d",
        machine="m",
    )
    topology, options = describe(given), Options()
    every = (
        *grants.convert(topology, arns, options, itself="f"),
        *grants.big_run(topology, arns, options),
        *grants.reprocess(topology, arns, options),
        *grants.reconcile(topology, arns, options, itself="f"),
    )
    return {(action, on) for one in every for action in one.actions for on in one.resources if action[:3] == "s3:"}


def _pairs(*statements: dict[str, Any]) -> set[tuple[str, str]]:
    return {(action, on) for one in statements for action in one["Action"] for on in one["Resource"]}
