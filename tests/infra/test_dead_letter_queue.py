"""Which queues may use the dead-letter queue, by how many there are."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from infra.dead_letter_queue import DeadLetterStore
from infra.options import Options


@pytest.mark.parametrize(
    ("sources", "permission", "named"), [(0, "denyAll", 0), (1, "byQueue", 1), (10, "byQueue", 10), (11, "allowAll", 0)]
)
def test_up_to_ten_queues_are_named_as_sqs_allows(sources: int, permission: str, named: int) -> None:
    """Above that, SQS knows all queues of the account or none."""
    stack = Stack(App())
    arns = [f"arn:aws:sqs:eu-central-1:111122223333:queue-{number}" for number in range(sources)]
    DeadLetterStore(stack, "DeadLetters", sources=arns, options=Options(), key=None)

    (queue,) = Template.from_stack(stack).find_resources("AWS::SQS::Queue").values()
    policy = queue["Properties"]["RedriveAllowPolicy"]

    assert policy["redrivePermission"] == permission
    assert len(policy.get("sourceQueueArns", [])) == named
    assert json.dumps(policy).count("queue-") == named
