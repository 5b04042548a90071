"""Circuit breakers through boto3: circuits in the ledger's table, event sources of the convert function."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from millrace.aws.dynamodb_ledger import follows
from millrace.aws.faults import translated
from millrace.delivery.breaker import Circuit

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient

_MARK = "\x1fcircuit\x1f"
"""No sync's name is empty, so that no entry's key begins like this."""


class DynamoDBCircuits:
    """Satisfies ``breaker.Circuits``: one item an event source, in none of the table's indexes."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, queue: str) -> Circuit | None:
        """One strongly consistent GetItem."""
        with translated("dynamodb:GetItem on", self._table):
            answer = self._client.get_item(TableName=self._table, Key=_key(queue), ConsistentRead=True)
        if "Item" not in answer:
            return None
        fields = json.loads(answer["Item"]["circuit"]["S"])
        paused = fields.pop("paused")
        return Circuit(
            failures=_to_failures(fields.pop("failures")),
            queue=queue,
            revision=int(answer["Item"]["revision"]["N"]),
            paused=datetime.fromisoformat(paused) if paused else None,
            **fields,
        )

    def put(self, circuit: Circuit) -> None:
        """One conditional PutItem."""
        fields = {
            "failures": dict(circuit.failures),
            "paused": circuit.paused.isoformat() if circuit.paused else None,
            "sync": circuit.sync,
            "reason": circuit.reason,
        }
        item: dict[str, Any] = {"revision": {"N": str(circuit.revision)}, "circuit": {"S": json.dumps(fields)}}
        with translated("dynamodb:PutItem on", f"{self._table} for the circuit of {circuit.queue}"):
            self._client.put_item(TableName=self._table, Item=item | _key(circuit.queue), **follows(circuit.revision))


def _to_failures(stored: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The objects that failed, by sync."""
    failures: dict[str, tuple[str, ...]] = {}
    for sync, objects in stored.items():
        # 0.1.0 counted failures and did not name the objects: what it counted begins from nought.
        if isinstance(objects, list):
            failures[sync] = tuple(objects)
    return failures


def _key(queue: str) -> dict[str, Any]:
    return {"pk": {"S": f"{_MARK}{queue}"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """One queue that feeds the function; ``enabled`` also while it is being switched on."""

    queue: str
    mapping: str
    enabled: bool


class FunctionEventSources:
    """Satisfies ``breaker.EventSources`` for one function, named by name or ARN."""

    def __init__(self, client: LambdaClient, function: str) -> None:
        self._client = client
        self._function = function

    def all(self) -> Iterator[EventSource]:
        """Every event source of the function."""
        with translated("lambda:ListEventSourceMappings of", self._function):
            pages = self._client.get_paginator("list_event_source_mappings").paginate(FunctionName=self._function)
            for page in pages:
                for mapping in page["EventSourceMappings"]:
                    # A switch takes its time: `Disabling` will be off and `Enabling` will be on. What it becomes
                    # counts.
                    on = not mapping["State"].startswith("Disabl")
                    yield EventSource(queue=mapping["EventSourceArn"], mapping=mapping["UUID"], enabled=on)

    def pause(self, queue: str) -> None:
        """Switch the event source of a queue off, where it is on."""
        self._switch(queue, on=False)

    def resume(self, queue: str) -> None:
        """Switch the event source of a queue on, where it is off."""
        self._switch(queue, on=True)

    def _switch(self, queue: str, *, on: bool) -> None:
        for source in self.all():
            if source.queue == queue and source.enabled is not on:
                with translated("lambda:UpdateEventSourceMapping on", queue):
                    self._client.update_event_source_mapping(UUID=source.mapping, Enabled=on)


def tell_closed(client: Any, function: str) -> None:
    """Write that no circuit of the function is open, for its alarm."""
    with translated("cloudwatch:PutMetricData of", "CircuitOpen"):
        client.put_metric_data(
            Namespace="Millrace",
            MetricData=[
                {"MetricName": "CircuitOpen", "Dimensions": [{"Name": "service", "Value": function}], "Value": 0}
            ],
        )
