"""What a synthesised deployment makes, what of it stays when it is destroyed, and what it costs when idle."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace.deployment.prices import IDLE_PRICES, IdlePrices

_HOURS_OF_A_MONTH = 730
"""Of 365 days, by twelve."""
_POLLS_AN_HOUR = 900
"""Lambda waits at each queue with five requests, each of which an empty queue answers after 20 s (AWS Lambda Developer
Guide, "Using Lambda with Amazon SQS")."""

KINDS: Mapping[str, tuple[str, str]] = {
    "AWS::S3::Bucket": ("bucket", "buckets"),
    "AWS::SQS::Queue": ("queue", "queues"),
    "AWS::DynamoDB::Table": ("table", "tables"),
    "AWS::KMS::Key": ("key", "keys"),
    "AWS::SecretsManager::Secret": ("secret", "secrets"),
    "AWS::Glue::Database": ("database", "databases"),
    "AWS::Lambda::Function": ("function", "functions"),
    "AWS::Lambda::LayerVersion": ("layer", "layers"),
    "AWS::StepFunctions::StateMachine": ("state machine", "state machines"),
    "AWS::IAM::Role": ("role", "roles"),
    "AWS::Events::Rule": ("schedule or rule", "schedules and rules"),
    "AWS::CloudWatch::Alarm": ("alarm", "alarms"),
    "AWS::CloudWatch::Dashboard": ("dashboard", "dashboards"),
}
"""What is worth a word, in this order; the rest is counted together."""


@dataclass(frozen=True, slots=True)
class StackPlan:
    """One stack: its name, and its resources as its template has them, by logical id."""

    name: str
    resources: Mapping[str, Mapping[str, Any]]

    def count_kinds(self) -> str:
        """``4 queues, 1 table, 9 more``."""
        counts = Counter(resource["Type"] for resource in self.resources.values())
        words = []
        for kind, (one, several) in KINDS.items():
            if number := counts.pop(kind, 0):
                words.append(f"{number} {one if number == 1 else several}")
        if rest := counts.total():
            words.append(f"{rest} more")
        return ", ".join(words)

    def list_kept(self) -> Iterator[str]:
        """What stays when the stack goes: ``bucket acme-in``, with the name if the template has one."""
        for resource in self.resources.values():
            if resource.get("DeletionPolicy") == "Retain" and resource["Type"] in KINDS:
                name = _find_name(resource.get("Properties", {}))
                yield f"{KINDS[resource['Type']][0]} {name}".rstrip()


@dataclass(frozen=True, slots=True)
class IdleCost:
    """What is paid for while nothing happens: the words for it, and US dollars a month."""

    what: str
    dollars: float


def read_stacks(assembly: Path, names: Sequence[str]) -> list[StackPlan]:
    """The stacks that were synthesised into ``assembly``, in the order of ``names``."""
    stacks = []
    for name in names:
        template = json.loads((assembly / f"{name}.template.json").read_text(encoding="utf-8"))
        stacks.append(StackPlan(name, template["Resources"]))
    return stacks


def price_idle(stacks: Iterable[StackPlan], prices: IdlePrices = IDLE_PRICES) -> list[IdleCost]:
    """What idle stacks cost a month by list prices; what is free for the first few in an account is counted, too."""
    resources: list[Mapping[str, Any]] = []
    for stack in stacks:
        resources += stack.resources.values()
    counts = Counter(resource["Type"] for resource in resources)
    metrics = sum(map(_count_metrics, resources))
    polls = counts["AWS::Lambda::EventSourceMapping"] * _POLLS_AN_HOUR * _HOURS_OF_A_MONTH
    costs = [
        IdleCost(f"{metrics} metrics of alarms", metrics * prices.alarm_metric),
        IdleCost("the dashboard", counts["AWS::CloudWatch::Dashboard"] * prices.dashboard),
        IdleCost("Lambda asking the queues", polls * prices.message),
        IdleCost("the key", counts["AWS::KMS::Key"] * prices.key),
        IdleCost("the secret", counts["AWS::SecretsManager::Secret"] * prices.secret),
    ]
    return [cost for cost in costs if cost.dollars]


def _count_metrics(resource: Mapping[str, Any]) -> int:
    """How many metrics an alarm watches: each is paid for (Amazon CloudWatch pricing, "Alarms")."""
    if resource["Type"] != "AWS::CloudWatch::Alarm":
        return 0
    # An expression over two metrics: [{"Expression": "a / b"}, {"MetricStat": ...}, {"MetricStat": ...}]
    queries = resource["Properties"].get("Metrics", ())
    watched = [query for query in queries if "MetricStat" in query]
    return len(watched) or 1


def _find_name(properties: Mapping[str, Any]) -> str:
    for key, value in properties.items():
        if key in {"BucketName", "QueueName", "TableName"} and isinstance(value, str):
            return value
    # A secret's is called Name, and a Glue database's is within its input.
    name = properties.get("Name") or properties.get("DatabaseInput", {}).get("Name", "")
    return name if isinstance(name, str) else ""
