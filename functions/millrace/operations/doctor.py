"""Whether a deployment's wiring can work: what AWS says of its parts, judged. Pure: an adapter asks AWS."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from millrace.deployment.settings import VISIBILITY_FACTOR
from millrace.operations.queue_facts import QueueFacts
from millrace.wording import join_names

LEAST_RECEIVES = 5
"""Below it a throttled function loses messages (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS")."""
WANTED_RECEIVES = 1000
"""The most that SQS allows. Receipts are no attempts: a message comes back up to four times an hour while it waits."""
NEEDED_EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")


class Verdict(enum.StrEnum):
    """What came of a check."""

    OK = "ok"
    NOTE = "note"
    """It works; somebody may want it otherwise."""
    UNKNOWN = "unknown"
    """It could not be asked: the caller may not, or AWS did not answer."""
    TROUBLE = "trouble"
    """It cannot work like this."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, what was seen, and what to do about it."""

    subject: str
    verdict: Verdict
    text: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """An event source: the queue's ARN, the function's ARN, and how it is received from."""

    queue: str
    function: str
    is_enabled: bool
    reports_failures: bool
    has_filter: bool


def check_queue(queue: QueueFacts, *, timeout_seconds: int, mapped: Sequence[Mapped], function: str) -> Iterator[Check]:
    """How a queue that feeds the function is set; ``mapped`` are all event sources that take from it."""
    yield _check_visibility(queue, timeout_seconds)
    yield _check_redrive(queue)
    if queue.kms_key is not None and queue.kms_key.endswith("alias/aws/sqs"):
        remedy = "encrypt it by SQS's own keys or a key of yours whose policy lets s3.amazonaws.com use it"
        yield _trouble(queue, "S3 cannot notify a queue under the key alias/aws/sqs", remedy)
    yield from _check_readers(queue, mapped, function)
    if queue.is_managed and not queue.is_backfills:
        yield _check_policy(queue)


def _subject(queue: QueueFacts) -> str:
    return f"queue {queue.name}"


def _trouble(queue: QueueFacts, text: str, remedy: str) -> Check:
    return Check(_subject(queue), Verdict.TROUBLE, text, remedy)


def _check_visibility(queue: QueueFacts, timeout_seconds: int) -> Check:
    least = VISIBILITY_FACTOR * timeout_seconds
    text = f"visibility {queue.visibility_seconds:,} s; at least {least:,} s, six times the function's timeout"
    if queue.visibility_seconds >= least:
        return Check(_subject(queue), Verdict.OK, text)
    return _trouble(queue, text, f"set its VisibilityTimeout to {least}")


def _check_redrive(queue: QueueFacts) -> Check:
    if queue.dead_letters is None or queue.max_receives is None:
        remedy = f"give it a redrive policy with a maxReceiveCount of {LEAST_RECEIVES} or more"
        return _trouble(queue, "no redrive policy: a message that cannot be taken comes back until it expires", remedy)
    text = f"gives a message up after {queue.max_receives:,} receipts; at least {LEAST_RECEIVES}"
    if queue.max_receives >= WANTED_RECEIVES:
        return Check(_subject(queue), Verdict.OK, text)
    if queue.max_receives >= LEAST_RECEIVES:
        text = f"gives a message up after {queue.max_receives:,} receipts, also one that only waits"
        return Check(_subject(queue), Verdict.NOTE, text, f"raise its maxReceiveCount to {WANTED_RECEIVES:,}")
    return _trouble(queue, text, f"raise its maxReceiveCount to {LEAST_RECEIVES} or more")


def _check_readers(queue: QueueFacts, mapped: Sequence[Mapped], function: str) -> Iterator[Check]:
    """Each message goes to one reader: a second one takes what Millrace then never sees."""
    readers = [source for source in mapped if source.queue == queue.arn]
    other_functions = set(map(_function_name, readers)) - {function}
    if other_functions:
        names = join_names(sorted(other_functions))
        yield _trouble(queue, f"is read by {names}, too", "give Millrace a queue of its own")
    for source in readers:
        if _function_name(source) == function:
            yield from _check_event_source(queue, source)


def _check_event_source(queue: QueueFacts, source: Mapped) -> Iterator[Check]:
    """How the function receives from a queue."""
    # That of the backfills is off while there are none.
    if not source.is_enabled and not queue.is_backfills:
        yield _trouble(queue, "nothing is received from it: its event source is off", "millrace resume")
    if source.has_filter:
        yield _trouble(queue, "its event source has a filter: Lambda deletes what does not match", "take it away")
    if not source.reports_failures:
        remedy = "set ReportBatchItemFailures, as the stack does"
        yield _trouble(queue, "one failure brings the whole batch back", remedy)


def _function_name(source: Mapped) -> str:
    return source.function.rpartition(":")[2]


def _check_policy(queue: QueueFacts) -> Check:
    statements = (queue.policy or {}).get("Statement", [])
    if any(map(_lets_s3_send, statements)):
        return Check(_subject(queue), Verdict.OK, "its policy lets S3 send")
    return _trouble(queue, "its policy lets S3 send nothing", "deploy again: the stack writes the policy")


def _lets_s3_send(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    services = principal.get("Service", []) if isinstance(principal, dict) else []
    return statement.get("Effect") == "Allow" and "s3.amazonaws.com" in _as_list(services)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def check_notification(
    subject: str, configuration: Mapping[str, Any], *, queue: str, prefix: str, decoded: Mapping[str, str]
) -> Iterator[Check]:
    """Whether a bucket tells a queue, an ARN, of all that happens below a prefix.

    ``configuration`` is what GetBucketNotificationConfiguration gives; ``decoded`` its filters' prefixes, decoded.
    """
    events: set[str] = set()
    for notification in configuration.get("QueueConfigurations", []):
        prefix_there = _prefix_of(notification)
        if notification["QueueArn"] == queue and prefix.startswith(decoded.get(prefix_there, prefix_there)):
            events.update(notification["Events"])
    missing = sorted(set(NEEDED_EVENTS) - events)
    if missing:
        remedy = "deploy again; does somebody else put the bucket's notification configuration? It is one for all"
        yield Check(subject, Verdict.TROUBLE, f"the bucket does not tell the queue of {join_names(missing)}", remedy)
    else:
        yield Check(subject, Verdict.OK, "the bucket tells the queue of what comes and goes")
    yield from _check_overlaps(subject, configuration, queue, prefix)


_TARGETS = {
    "QueueConfigurations": "QueueArn",
    "TopicConfigurations": "TopicArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}
"""The lists of a bucket's notification configuration, and the field that names whom each tells."""


def _check_overlaps(subject: str, configuration: Mapping[str, Any], queue: str, prefix: str) -> Iterator[Check]:
    """S3 refuses a second notification of an event below an overlapping prefix: ours cannot be put beside it."""
    for kind, target in _TARGETS.items():
        for notification in configuration.get(kind, []):
            prefix_there = _prefix_of(notification)
            # One begins with the other: in/ and in/eu/, but also in/eu and in/europe/, since to S3 a prefix is no
            # folder.
            overlaps = prefix_there.startswith(prefix) or prefix.startswith(prefix_there)
            if overlaps and notification[target] != queue:
                text = f"{notification[target]} is notified below {prefix_there!r}, too"
                yield Check(subject, Verdict.NOTE, text, "S3 refuses two notifications of one event that overlap")


def _prefix_of(configuration: Mapping[str, Any]) -> str:
    rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    for rule in rules:
        # Whatever its case: S3 answers `Prefix` to what was put as `prefix`.
        if rule["Name"].lower() == "prefix":
            return str(rule["Value"])
    return ""


def check_versioning(subject: str, status: str | None) -> Check:
    """Whether a bucket keeps versions; ``status`` as GetBucketVersioning gives it."""
    if status == "Enabled":
        return Check(subject, Verdict.OK, "keeps versions")
    text = "keeps no versions: an object that is overwritten while it is read is read again"
    return Check(subject, Verdict.NOTE, text)


def check_machine(machine: str | None, function: str | None) -> Check:
    """Whether big runs can be started; the states of the machine and of its function as AWS says them."""
    subject = "big runs"
    if machine is None:
        text = "no machine is deployed: what is more than one invocation can do fails as TooBig"
        return Check(subject, Verdict.NOTE, text, "deploy this version with `millrace deploy`")
    # A function that nobody called for weeks is Inactive, and wakes with the next call (AWS Lambda Developer Guide,
    # "Lambda function states").
    if machine == "ACTIVE" and function in {None, "Active", "Inactive"}:
        return Check(subject, Verdict.OK, "the machine and its function can be started")
    text = f"the machine is {machine}, its function {function}: no big run can be started"
    return Check(subject, Verdict.TROUBLE, text, "deploy again: millrace deploy")


def check_lifecycle(subject: str, rules: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Whether what is left of broken uploads goes, and whether the bucket deletes objects by itself."""
    aborts, expiring = False, []
    for rule in rules:
        if rule.get("Status") != "Enabled":
            continue
        aborts = aborts or "AbortIncompleteMultipartUpload" in rule
        if "Expiration" in rule and not _is_of_runs(rule):
            expiring.append(str(rule.get("ID", "without a name")))
    if not aborts:
        remedy = "add a lifecycle rule that aborts incomplete multipart uploads after some days"
        yield Check(subject, Verdict.NOTE, "parts of uploads that broke off stay, and cost", remedy)
    if expiring:
        yield Check(subject, Verdict.NOTE, f"its rules {join_names(expiring)} delete objects")


def _is_of_runs(rule: Mapping[str, Any]) -> bool:
    """Whether a rule deletes only what big runs left, as the stack's own do: below `lake/.millrace/runs/`."""
    prefix = rule.get("Filter", {}).get("Prefix", rule.get("Prefix", ""))
    return f"/{prefix}".endswith("/.millrace/runs/")
