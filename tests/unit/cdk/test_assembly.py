"""What a synthesised deployment makes and costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from millrace.cdk.assembly import StackPlan, price_idle, read_stacks
from millrace.cdk.command_line import CdkRun

METRIC: dict[str, dict[str, str]] = {"MetricStat": {}}
PROCESSING = StackPlan(
    "MillraceProcessing",
    {
        "A": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Age"}},
        "B": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": [{"Expression": "a/b"}, METRIC, METRIC]}},
        "C": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {}},
        "D": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {}},
        "E": {"Type": "AWS::Lambda::Function", "Properties": {}},
    },
)
STORAGE = StackPlan(
    "MillraceStorage",
    {
        "A": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "acme-in"}},
        "B": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": {"TableName": {"Ref": "x"}}},
        "C": {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Delete", "Properties": {"QueueName": "q"}},
        "D": {"Type": "AWS::S3::BucketPolicy", "DeletionPolicy": "Retain", "Properties": {}},
        "E": {"Type": "AWS::KMS::Key", "DeletionPolicy": "Retain"},
    },
)


def test_resources_are_counted_by_kind_and_the_rest_together() -> None:
    assert PROCESSING.count_kinds() == "1 function, 2 alarms, 1 dashboard, 1 more"
    assert STORAGE.count_kinds() == "1 bucket, 1 queue, 1 table, 1 key, 1 more"


def test_what_stays_is_named_where_the_template_has_a_name() -> None:
    assert list(STORAGE.list_kept()) == ["bucket acme-in", "table", "key"]
    assert list(PROCESSING.list_kept()) == []


def test_an_idle_deployment_costs_alarms_by_their_metrics_and_the_asking_of_queues() -> None:
    costs = {cost.what: round(cost.dollars, 2) for cost in price_idle([STORAGE, PROCESSING])}

    assert costs == {
        "3 metrics of alarms": 0.3,
        "the dashboard": 3.0,
        # 900 requests an hour, 730 hours, 0.40 dollars a million
        "Lambda asking the queues": 0.26,
        "the key": 1.0,
    }


def test_stacks_are_read_in_the_order_asked_for(tmp_path: Path) -> None:
    for plan in (STORAGE, PROCESSING):
        (tmp_path / f"{plan.name}.template.json").write_text(json.dumps({"Resources": plan.resources}))

    assert read_stacks(tmp_path, ["MillraceProcessing", "MillraceStorage"]) == [PROCESSING, STORAGE]


@pytest.mark.parametrize(
    ("line", "is_missing"),
    [
        ("SSM parameter /cdk-bootstrap/hnb659fds/version not found. Has the environment been bootstrapped?", True),
        ("MillraceStorage failed: ToolkitError: the queue is there", False),
    ],
)
def test_a_missing_bootstrap_is_known_from_what_the_cdk_says(line: str, is_missing: bool) -> None:  # noqa: FBT001 - a given value
    assert CdkRun(1, ["before", line]).is_bootstrap_missing is is_missing
