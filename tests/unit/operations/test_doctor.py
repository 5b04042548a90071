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
    check_machine,
    check_notification,
    check_queue,
    check_versioning,
)
from millrace.operations.queue_facts import QueueFacts, name_of_queue

ARN = "arn:aws:sqs:us-east-1:1:landing"


def policy_for(service: str | list[str]) -> dict[str, Any]:
    """A queue's policy that lets services send."""
    return {"Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sqs:SendMessage"}]}


S3_SENDS = policy_for("s3.amazonaws.com")
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
    assert troubles(replace(SOUND, policy=policy_for(["sns.amazonaws.com", "s3.amazonaws.com"]))) == []


@pytest.mark.parametrize(
    ("changes", "text", "remedy"),
    [
        ({"visibility_seconds": 30}, "visibility 30 s; at least 5,400 s", "VisibilityTimeout to 5400"),
        ({"max_receives": 3}, "after 3 receipts; at least 5", "maxReceiveCount"),
        ({"max_receives": None, "dead_letters": None}, "no redrive policy", "maxReceiveCount of 5"),
        ({"kms_key": "alias/aws/sqs"}, "S3 cannot notify", "a key of yours"),
        ({"policy": None}, "lets S3 send nothing", "deploy again"),
        ({"policy": policy_for("not.s3.amazonaws.com.example")}, "lets S3 send nothing", "deploy again"),
        ({"policy": policy_for(["sns.amazonaws.com"])}, "lets S3 send nothing", "deploy again"),
    ],
)
def test_a_setting_that_cannot_work_is_named_with_its_numbers(changes: dict[str, Any], text: str, remedy: str) -> None:
    (check,) = troubles(replace(SOUND, **changes))

    assert text in check.text
    assert remedy in str(check.remedy)


def test_a_queue_that_gives_up_what_only_waits_is_noted() -> None:
    queue = replace(SOUND, max_receives=20)
    checks = check_queue(queue, timeout_seconds=900, mapped=(OURS,), function="millrace-convert")
    (note,) = [check for check in checks if check.verdict is Verdict.NOTE]

    assert note.text == "gives a message up after 20 receipts, also one that only waits"
    assert note.remedy == "raise its maxReceiveCount to 1,000"


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


def test_the_queue_of_the_backfills_is_off_while_none_runs_and_no_bucket_sends_to_it() -> None:
    queue = replace(SOUND, connection=None, is_backfills=True, policy=None)

    assert troubles(queue, replace(OURS, is_enabled=False)) == []
    assert queue.is_managed


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


@pytest.mark.parametrize(
    ("changes", "in_trouble"),
    [
        ({"visibility_seconds": 5400}, False),
        ({"visibility_seconds": 5399}, True),
        ({"max_receives": 5}, False),
        ({"max_receives": 4}, True),
        ({"dead_letters": None}, True),
        ({"max_receives": None}, True),
        ({"kms_key": "alias/mine"}, False),
        ({"connection": None, "policy": None}, False),
        ({"policy": {"Statement": []}}, True),
        ({"policy": {"Statement": [{"Effect": "Deny", "Principal": {"Service": "s3.amazonaws.com"}}]}}, True),
        ({"policy": {"Statement": [{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}}]}}, True),
        ({"policy": {"Statement": [{"Effect": "Allow", "Principal": "*"}]}}, True),
        ({"policy": {"Statement": [{"Effect": "Allow"}]}}, True),
        (
            {
                "policy": {
                    "Statement": [
                        {"Effect": "Deny", "Principal": "*"},
                        {"Effect": "Allow", "Principal": {"Service": ["sns.amazonaws.com", "s3.amazonaws.com"]}},
                    ]
                }
            },
            False,
        ),
    ],
)
def test_a_queue_is_in_trouble_from_the_first_number_that_cannot_work(
    changes: dict[str, Any], *, in_trouble: bool
) -> None:
    assert bool(troubles(replace(SOUND, **changes))) == in_trouble


def test_what_is_sound_is_said_too() -> None:
    checks = check_queue(SOUND, timeout_seconds=900, mapped=(OURS,), function="millrace-convert")

    assert [(check.subject, check.verdict) for check in checks] == [("queue landing", Verdict.OK)] * 3


def test_who_reads_another_queue_is_no_matter() -> None:
    other = replace(OURS, queue="arn:aws:sqs:us-east-1:1:other", function="arn:aws:lambda:us-east-1:1:function:x")

    assert troubles(SOUND, OURS, other, replace(other, is_enabled=False)) == []


def test_all_that_is_wrong_with_an_event_source_is_said() -> None:
    wrong = replace(OURS, is_enabled=False, has_filter=True, reports_failures=False)
    stranger = replace(wrong, function="arn:aws:lambda:us-east-1:1:function:other")

    assert len(troubles(SOUND, wrong)) == 3
    assert [check.text for check in troubles(SOUND, stranger)] == ["is read by 'other', too"]


@pytest.mark.parametrize(
    ("connection", "is_managed"), [("landing", True), (None, False)], ids=["the stack's", "the user's"]
)
def test_a_queue_has_the_name_in_its_address(connection: str | None, *, is_managed: bool) -> None:
    queue = replace(SOUND, connection=connection)

    assert (queue.name, queue.is_managed) == ("landing", is_managed)
    assert name_of_queue("https://sqs.us-east-1.amazonaws.com/1/landing") == "landing"


@pytest.mark.parametrize(
    ("decoded", "verdict"), [({"in+1/": "in 1/"}, Verdict.OK), ({}, Verdict.TROUBLE)], ids=["decoded", "as it is"]
)
def test_the_prefix_of_a_notification_is_compared_decoded(decoded: dict[str, str], verdict: Verdict) -> None:
    configuration = {"QueueConfigurations": [notification("in+1/", *BOTH)]}
    (check, *_) = check_notification("landing", configuration, queue=ARN, prefix="in 1/eu/", decoded=decoded)

    assert check.verdict is verdict


def test_another_queues_notification_is_not_ours() -> None:
    configuration = {"QueueConfigurations": [notification("in/", *BOTH, arn="arn:other")]}
    checks = check_notification("landing", configuration, queue=ARN, prefix="in/", decoded={})

    assert [check.verdict for check in checks] == [Verdict.TROUBLE, Verdict.NOTE]


@pytest.mark.parametrize("prefix", ["", "in/", "in/eu/"])
@pytest.mark.parametrize(
    ("kind", "field"), [("TopicConfigurations", "TopicArn"), ("LambdaFunctionConfigurations", "LambdaFunctionArn")]
)
def test_whoever_else_is_told_below_an_overlapping_prefix_is_noted(kind: str, field: str, prefix: str) -> None:
    rules = [{"Name": "suffix", "Value": ".csv"}, {"Name": "prefix", "Value": prefix}]
    other = {field: "arn:other", "Filter": {"Key": {"FilterRules": rules}}}
    configuration = {"QueueConfigurations": [notification("in/", *BOTH)], kind: [other]}

    checks = list(check_notification("landing", configuration, queue=ARN, prefix="in/", decoded={}))

    assert [check.verdict for check in checks] == [Verdict.OK, Verdict.NOTE]
    assert checks[1].text == f"arn:other is notified below {prefix!r}, too"


@pytest.mark.parametrize(
    ("rules", "texts"),
    [
        ([], ["parts of uploads that broke off stay, and cost"]),
        ([{"Status": "Enabled", "AbortIncompleteMultipartUpload": {}}], []),
        (
            [{"Status": "Disabled", "AbortIncompleteMultipartUpload": {}}],
            ["parts of uploads that broke off stay, and cost"],
        ),
        (
            [
                {"Status": "Enabled", "AbortIncompleteMultipartUpload": {}},
                {"Status": "Disabled", "Expiration": {"Days": 1}},
                {"Status": "Enabled", "Expiration": {"Days": 1}},
            ],
            ["its rules 'without a name' delete objects"],
        ),
        (
            [
                {"Status": "Enabled", "AbortIncompleteMultipartUpload": {}},
                {"Status": "Enabled", "Expiration": {"Days": 7}, "Filter": {"Prefix": "lake/.millrace/runs/"}},
                {"Status": "Enabled", "Expiration": {"Days": 7}, "Prefix": ".millrace/runs/"},
            ],
            [],
        ),
    ],
)
def test_only_rules_that_are_on_count(rules: list[dict[str, Any]], texts: list[str]) -> None:
    assert [check.text for check in check_lifecycle("lake", rules)] == texts


def test_a_bucket_without_versions_or_with_rules_that_delete_is_noted() -> None:
    expiring = {"Status": "Enabled", "ID": "tidy", "Expiration": {"Days": 1}}

    assert check_versioning("lake", "Enabled").verdict is Verdict.OK
    assert check_versioning("lake", None).verdict is Verdict.NOTE
    texts = [check.text for check in check_lifecycle("lake", [expiring])]
    assert texts == ["parts of uploads that broke off stay, and cost", "its rules 'tidy' delete objects"]


@pytest.mark.parametrize(
    ("machine", "function", "verdict"),
    [
        ("ACTIVE", "Active", Verdict.OK),
        ("ACTIVE", "Inactive", Verdict.OK),
        ("ACTIVE", "Failed", Verdict.TROUBLE),
        ("DELETING", "Active", Verdict.TROUBLE),
        (None, None, Verdict.NOTE),
    ],
)
def test_big_runs_can_be_started_if_machine_and_function_are_active(
    machine: str | None, function: str | None, verdict: Verdict
) -> None:
    check = check_machine(machine, function)

    assert check.verdict is verdict
    assert (check.remedy is None) is (verdict is Verdict.OK)
