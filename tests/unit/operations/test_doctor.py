"""What is wrong with the wiring is found, whatever it is, and said with its numbers and its remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from millrace.operations.doctor import (
    Check,
    Mapped,
    Verdict,
    check_lifecycle,
    check_notification,
    check_queue,
    check_versioning,
)
from millrace.operations.queue_facts import QueueFacts

ARN = "arn:aws:sqs:us-east-1:1:landing"
S3_SENDS = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}]
}
SOUND = QueueFacts(
    arn=ARN,
    url="https://sqs/1/landing",
    connection="landing",
    waiting=0,
    hidden=0,
    delayed=0,
    visibility_seconds=5400,
    retention_seconds=864000,
    max_receives=1000,
    dead_letters="arn:aws:sqs:us-east-1:1:dead",
    policy=S3_SENDS,
)
OURS = Mapped(
    queue=ARN,
    function="arn:aws:lambda:us-east-1:1:function:millrace-convert",
    is_enabled=True,
    reports_failures=True,
    has_filter=False,
)


def troubles(queue: QueueFacts = SOUND, *mapped: Mapped) -> list[Check]:
    readers = mapped or (OURS,)
    checks = check_queue(queue, timeout_seconds=900, mapped=readers, function="millrace-convert")
    return [check for check in checks if check.verdict is Verdict.TROUBLE]


def test_a_sound_queue_is_in_no_trouble() -> None:
    assert troubles() == []


@pytest.mark.parametrize(
    ("changes", "text", "remedy"),
    [
        ({"visibility_seconds": 30}, "visibility 30 s; at least 5,400 s", "VisibilityTimeout to 5400"),
        ({"max_receives": 3}, "after 3 receipts; at least 5", "maxReceiveCount"),
        ({"max_receives": None, "dead_letters": None}, "no redrive policy", "maxReceiveCount of 5"),
        ({"kms_key": "alias/aws/sqs"}, "S3 cannot notify", "a key of yours"),
        ({"policy": None}, "lets S3 send nothing", "deploy again"),
    ],
)
def test_a_setting_that_cannot_work_is_named_with_its_numbers(changes: dict[str, Any], text: str, remedy: str) -> None:
    (check,) = troubles(replace(SOUND, **changes))

    assert text in check.text
    assert remedy in str(check.remedy)


@pytest.mark.parametrize(
    ("mapped", "text"),
    [
        ((OURS, replace(OURS, function="arn:aws:lambda:us-east-1:1:function:other")), "is read by 'other', too"),
        ((replace(OURS, is_enabled=False),), "its event source is off"),
        ((replace(OURS, has_filter=True),), "has a filter"),
        ((replace(OURS, reports_failures=False),), "the whole batch"),
    ],
)
def test_who_else_reads_and_how(mapped: tuple[Mapped, ...], text: str) -> None:
    (check,) = troubles(SOUND, *mapped)

    assert text in check.text


def notification(prefix: str, *events: str, arn: str = ARN) -> dict[str, Any]:
    rules = [{"Name": "Prefix", "Value": prefix}] if prefix else []
    return {"QueueArn": arn, "Events": list(events), "Filter": {"Key": {"FilterRules": rules}}}


BOTH = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")


@pytest.mark.parametrize(
    ("configurations", "verdicts"),
    [
        ([notification("in/", *BOTH)], [Verdict.OK]),
        ([notification("", *BOTH)], [Verdict.OK]),
        ([notification("in/", BOTH[0]), notification("in/", BOTH[1])], [Verdict.OK]),
        ([notification("in/", BOTH[0])], [Verdict.TROUBLE]),
        ([notification("other/", *BOTH)], [Verdict.TROUBLE]),
        ([], [Verdict.TROUBLE]),
        ([notification("in/", *BOTH), notification("in/eu/", BOTH[0], arn="arn:other")], [Verdict.OK, Verdict.NOTE]),
        ([notification("in/", *BOTH), notification("out/", BOTH[0], arn="arn:other")], [Verdict.OK]),
    ],
)
def test_a_bucket_tells_the_queue_of_all_below_the_folder(
    configurations: list[dict[str, Any]], verdicts: list[Verdict]
) -> None:
    checks = check_notification("landing", {"QueueConfigurations": configurations}, queue=ARN, prefix="in/", decoded={})

    assert [check.verdict for check in checks] == verdicts


def test_a_bucket_without_versions_or_with_rules_that_delete_is_noted() -> None:
    expiring = {"Status": "Enabled", "ID": "tidy", "Expiration": {"Days": 1}}

    assert check_versioning("lake", "Enabled").verdict is Verdict.OK
    assert check_versioning("lake", None).verdict is Verdict.NOTE
    texts = [check.text for check in check_lifecycle("lake", [expiring])]
    assert texts == ["parts of uploads that broke off stay, and cost", "its rules 'tidy' delete objects"]
