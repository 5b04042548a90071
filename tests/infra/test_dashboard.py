"""The page of who is on call: each of its metrics is one that something writes, and each alarm's is on it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

from infra.dashboard import OUTCOMES, divide_list
from infra.names import Names
from millrace.catalog.iceberg.committing import CommitReport
from millrace.delivery.outcome_log import metric_names
from millrace.delivery.worker import TRIED_AGAIN, Outcome
from millrace.deployment.settings import FUNCTIONS_ROOT
from millrace.ledger.entries import State
from millrace.ledger.rules import RefusalKind
from millrace.objects.references import ObjectRef
from millrace.operations.checkpoints import Counts
from tests.infra.templates import Synthesised, Template, text

AWS_WRITES = {
    "AWS/Lambda": {"Errors", "Throttles", "Duration", "Invocations"},
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
    },
    "AWS/States": {"ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut"},
}
"""What the services' guides list, and this page uses."""
Metric = tuple[str, str, str, str]
"""Namespace, name, the dimension's value, statistic."""


def _body(processing: Template) -> dict[str, Any]:
    """The dashboard's JSON; references stay as `<name>`."""
    properties = processing.one("CloudWatch::Dashboard")["Properties"]
    body: dict[str, Any] = json.loads(text(properties["DashboardBody"]))
    return body


def _graphs(processing: Template) -> Iterator[dict[str, Any]]:
    for widget in _body(processing)["widgets"]:
        if widget["type"] == "metric":
            yield widget["properties"]


def _metrics(processing: Template) -> Iterator[Metric]:
    for graph in _graphs(processing):
        for line in graph["metrics"]:
            if isinstance(line[0], str):
                options = line[-1] if isinstance(line[-1], dict) else {}
                yield line[0], line[1], line[3], options.get("stat", "Average")


def _written_by(function: str) -> set[str]:
    """The names of metrics that a function's own code counts by name."""
    names = set()
    for path in (FUNCTIONS_ROOT / function).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                given = [keyword.value for keyword in node.keywords if keyword.arg == "name"]
                values = given if node.func.attr == "add_metric" else node.args
                if node.func.attr in {"add_metric", "_count"}:
                    names |= {str(value.value) for value in values if isinstance(value, ast.Constant)}
    return names


def _outcomes() -> set[str]:
    results = [*State, *RefusalKind, TRIED_AGAIN]
    names: set[str] = {"SchemaEvolved"}
    for result in results:
        names |= set(metric_names(Outcome(result=result, source=ObjectRef("b", "k"))))
    return names


def test_every_metric_is_one_that_something_writes(synthesised: Synthesised) -> None:
    """A graph of a name that nobody writes is empty for ever, and looks like peace."""
    name = synthesised.case.options.name
    ours = {
        f"{name}-convert": _outcomes() | _written_by("convert"),
        f"{name}-big-run": _written_by("big_run"),
        f"{name}-reconcile": {field.name.capitalize() for field in fields(Counts)} | _written_by("reconcile"),
        f"{name}-commit": set(CommitReport().metrics) | _written_by("commit"),
    }
    functions = set(synthesised.processing.of("Lambda::Function"))
    shown = set(_metrics(synthesised.processing))

    for namespace, metric, dimension, _ in shown:
        if namespace == "Millrace":
            assert metric in ours[dimension]
        else:
            assert metric in AWS_WRITES[namespace]
        if namespace == "AWS/Lambda":
            assert dimension.strip("<>") in functions


def test_shows_what_each_alarm_watches_and_its_state(synthesised: Synthesised) -> None:
    """Who is woken finds the graph of what rang, by the alarm's own metric."""
    alarms = synthesised.processing.of("CloudWatch::Alarm")
    shown = set(_metrics(synthesised.processing))
    listed: list[str] = []
    for widget in _body(synthesised.processing)["widgets"]:
        if widget["type"] == "alarm":
            listed += widget["properties"]["alarms"]

    assert len(listed) == len(alarms)
    for alarm in alarms.values():
        rule = alarm["Properties"]
        dimension = text(rule["Dimensions"][0]["Value"])
        assert (rule["Namespace"], rule["MetricName"], dimension, rule["Statistic"]) in shown


def test_shows_the_lag_of_every_queue_first(synthesised: Synthesised) -> None:
    """The first graph says how long the oldest message has waited, with the line at which the alarm rings."""
    lag = next(_graphs(synthesised.processing))
    queues = {queue["QueueName"] for queue in synthesised.storage.properties("SQS::Queue")}
    shown = {line[3] for line in lag["metrics"]}
    names = Names(synthesised.case.options.name)

    assert lag["title"].startswith("Lag")
    assert queues - {names.dead_letters, names.commit_dead_letters} <= shown
    assert lag["annotations"]["horizontal"][0]["value"] > synthesised.case.options.timeout_seconds


def test_estimates_the_cost_of_every_function(synthesised: Synthesised) -> None:
    """By its memory and its time; what objects ask of other services is one more line."""
    *_, cost = _graphs(synthesised.processing)
    expressions = [line[0] for line in cost["metrics"] if isinstance(line[0], dict)]
    functions = synthesised.processing.of("Lambda::Function")

    assert cost["title"].startswith("Cost estimate: US dollars")
    assert len(expressions) == len(functions) + 1


def test_every_outcome_on_it_has_a_name_of_its_own() -> None:
    assert len(set(OUTCOMES)) == len(OUTCOMES)


@pytest.mark.parametrize(("count", "lists"), [(0, 0), (100, 1), (101, 2)])
def test_many_queues_are_shown_in_several_graphs(count: int, lists: int) -> None:
    assert len(list(divide_list(range(count), 100))) == lists
