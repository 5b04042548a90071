"""What is on the screen of who is on call: lag first, then what came of the work, then what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from millrace.deployment.prices import LIST_PRICES, price_calls

from .metrics import (
    PERIOD,
    count_errors,
    count_failed,
    count_invisible,
    count_throttles,
    count_timed_out,
    count_visible,
    find_oldest,
    read_ours,
)
from .names import Names
from .options import Options
from .source_queue import visibility_seconds

OUTCOMES = (
    "Converted",
    "Quarantined",
    "Failed",
    "Waiting",
    "Removed",
    "Superseded",
    "Ignored",
    "AlreadyDone",
    "TriedAgain",
)
"""Metrics of what came of an object; `delivery.outcome_log` names them after states and refusals."""
_FINDINGS = ("Compared", "New", "Changed", "Gone", "Unaccounted", "Vanished")
COMMIT_METRICS = ("Commits", "CommittedFiles", "CommitRepeats", "CommitConflicts", "CommitRefused", "CommitFailures")
"""Metrics that the commit function writes."""
_WHOLE_WIDTH = 24
_HALF_WIDTH = 12
_HEIGHT = 6
_MOST_METRICS = 100
"""CloudWatch draws 500 in a graph, and shows 100 alarms in a list; nobody reads so many lines."""
_HOUR = Duration.hours(1)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What there is to watch; queues and functions by the names that their alarms have."""

    alarms: Sequence[cloudwatch.IAlarm]
    queues: Mapping[str, sqs.IQueue]
    webhooks: Mapping[str, sqs.IQueue]
    backfills: sqs.IQueue | None
    dead_letters: Mapping[str, sqs.IQueue]
    functions: Mapping[str, lambda_.Function]
    machine: sfn.IStateMachine
    has_catalog: bool = False
    commits: sqs.IQueue | None = None


class Dashboard(Construct):
    """One page, named as the deployment is."""

    def __init__(self, scope: Construct, construct_id: str, *, watched: Watched, options: Options) -> None:
        super().__init__(scope, construct_id)
        self._options = options
        self._watched = watched
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=Names(options.name).dashboard,
            default_interval=Duration.hours(12),
            period_override=cloudwatch.PeriodOverride.AUTO,
            widgets=[
                self._introduce(),
                self._show_lag(),
                self._show_work(),
                self._show_functions(),
                self._show_care(),
                self._show_cost(),
            ],
        )

    def _introduce(self) -> list[cloudwatch.IWidget]:
        text = (
            f"# {self._options.name}\n"
            "What waits and failed: `millrace status`. One object's story: `millrace show s3://…`. "
            "Messages that nobody could work on: `millrace dead-letters`. "
            "Each alarm says in its description what to do."
        )
        widgets: list[cloudwatch.IWidget] = [cloudwatch.TextWidget(markdown=text, width=_WHOLE_WIDTH, height=3)]
        return widgets + list(map(_list_alarms, divide_list(self._watched.alarms, _MOST_METRICS)))

    def _show_lag(self) -> list[cloudwatch.IWidget]:
        """The oldest waiting message of each queue, with the line at which its alarm rings; and how many wait."""
        queues = dict(self._watched.queues)
        if self._watched.backfills is not None:
            queues["Backfills"] = self._watched.backfills
        if self._watched.commits is not None:
            queues["Commits"] = self._watched.commits
        ages = [label_metric(find_oldest(queue), f"Age{name}") for name, queue in queues.items()]
        for name, queue in self._watched.webhooks.items():
            ages.append(label_metric(find_oldest(queue), f"AgeWebhook{name}"))
        line = cloudwatch.HorizontalAnnotation(value=visibility_seconds(self._options), label="Age…")
        waiting = []
        # What is put off is invisible as well as what is worked on: SQS counts both alike.
        for name, queue in queues.items():
            waiting += [
                label_metric(count_visible(queue), name),
                label_metric(count_invisible(queue), f"{name}, worked on"),
            ]
        return [
            *draw_all("Lag: seconds that the oldest message has waited", ages, line=line),
            *draw_all("Messages that wait, and that are worked on or put off", waiting),
        ]

    def _show_work(self) -> list[cloudwatch.IWidget]:
        rate = [read_ours(name, self._options) for name in ("Messages", "Converted")]
        outcomes = [read_ours(name, self._options) for name in OUTCOMES]
        return [draw("Rate: in five minutes", rate), draw("Outcomes", outcomes, stacked=True)]

    def _show_functions(self) -> list[cloudwatch.IWidget]:
        errors, durations = [], []
        for name, function in self._watched.functions.items():
            errors += [
                label_metric(count_errors(function), f"{name}Errors"),
                label_metric(count_throttles(function), f"{name}Throttles"),
            ]
        for name in ("Convert", "BigRun"):
            for statistic in ("p50", "p99", "Maximum"):
                metric = self._watched.functions[name].metric_duration(period=PERIOD, statistic=statistic)
                durations.append(label_metric(metric, f"{name} {statistic}"))
        return [draw("Errors", errors), draw("Durations of invocations, in milliseconds", durations)]

    def _show_care(self) -> list[cloudwatch.IWidget]:
        """What somebody may have to look after: dead letters, paused sources, lost events, big runs."""
        letters = [label_metric(count_visible(queue), name) for name, queue in self._watched.dead_letters.items()]
        letters.append(label_metric(read_ours("DeadLetters", self._options), "new"))
        care = [
            read_ours("CircuitOpen", self._options, statistic="Maximum"),
            read_ours("SchemaEvolved", self._options),
        ]
        if self._watched.has_catalog:
            for function in ("convert", "big-run"):
                metric = read_ours("NotCatalogued", self._options, function=function)
                care.append(label_metric(metric, f"NotCatalogued, {function}"))
        widgets: list[cloudwatch.IWidget] = [
            draw("Dead letters", letters),
            draw("Circuits and schemas", care),
            draw("Big runs", self._count_big_runs()),
        ]
        if self._watched.commits is not None:
            commits = [read_ours(name, self._options, function="commit") for name in COMMIT_METRICS]
            widgets.append(draw("Iceberg: commits", commits))
        if "Reconcile" in self._watched.functions:
            findings = [read_ours(name, self._options, function="reconcile") for name in _FINDINGS]
            widgets.append(draw("Comparisons", findings))
        return widgets

    def _count_big_runs(self) -> list[cloudwatch.IMetric]:
        machine = self._watched.machine
        return [
            label_metric(machine.metric_started(period=PERIOD, statistic="Sum"), "started"),
            label_metric(machine.metric_succeeded(period=PERIOD, statistic="Sum"), "succeeded"),
            label_metric(count_failed(machine), "BigRunsFailed"),
            label_metric(count_timed_out(machine), "BigRunsTimedOut"),
        ]

    def _show_cost(self) -> list[cloudwatch.IWidget]:
        """An estimate by list prices: the functions' time, and what each converted object asks of other services."""
        compute = []
        for number, (name, function) in enumerate(self._watched.functions.items()):
            compute.append(self._price_function(name, function, number))
        objects = {
            "done": read_ours("Converted", self._options).with_(period=_HOUR),
            "aside": read_ours("Quarantined", self._options).with_(period=_HOUR),
        }
        calls = cloudwatch.MathExpression(
            expression=f"(FILL(done, 0) + FILL(aside, 0)) * {price_calls():.10f}",
            using_metrics=objects,
            label="requests to S3, DynamoDB and SQS",
            period=_HOUR,
        )
        title = "Cost estimate: US dollars an hour, list prices of us-east-1 (November 2026), without logs and storage"
        return [draw(title, [*compute, calls], stacked=True, width=_WHOLE_WIDTH)]

    def _price_function(self, name: str, function: lambda_.Function, number: int) -> cloudwatch.MathExpression:
        memory = find_memory(function)
        # Milliseconds times gigabytes; CloudWatch wants the names of metrics to begin with a small letter.
        rate = LIST_PRICES.arm_gigabyte_second * memory / 1024 / 1000
        duration, calls = f"time{number}", f"calls{number}"
        return cloudwatch.MathExpression(
            expression=f"{duration} * {rate:.15f} + {calls} * {LIST_PRICES.invocation:.10f}",
            using_metrics={
                duration: function.metric_duration(period=_HOUR, statistic="Sum"),
                calls: function.metric_invocations(period=_HOUR, statistic="Sum"),
            },
            label=name,
            period=_HOUR,
        )


def _list_alarms(alarms: Sequence[cloudwatch.IAlarm]) -> cloudwatch.AlarmStatusWidget:
    return cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=_WHOLE_WIDTH, height=3)


def find_memory(function: lambda_.Function) -> float:
    """The memory of a function in MB."""
    resource = function.node.default_child
    assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101 - for the type checker: what the CDK always makes
    return resource.memory_size or 128


def label_metric(metric: cloudwatch.Metric, text: str) -> cloudwatch.Metric:
    """The metric under a name of its own in a graph's legend."""
    return metric.with_(label=text)


def draw(
    title: str, metrics: Sequence[cloudwatch.IMetric], *, stacked: bool = False, width: int = _HALF_WIDTH
) -> cloudwatch.GraphWidget:
    """One graph over time."""
    return cloudwatch.GraphWidget(title=title, left=list(metrics), stacked=stacked, width=width, height=_HEIGHT)


def draw_all(
    title: str, metrics: Sequence[cloudwatch.IMetric], *, line: cloudwatch.HorizontalAnnotation | None = None
) -> Iterator[cloudwatch.GraphWidget]:
    """As many graphs as the metrics need: a deployment may have hundreds of queues."""
    for part in divide_list(metrics, _MOST_METRICS):
        yield cloudwatch.GraphWidget(
            title=title, left=part, left_annotations=[line] if line else [], width=_HALF_WIDTH, height=_HEIGHT
        )


def divide_list(values: Sequence[T], size: int) -> Iterator[list[T]]:
    """The values in lists of at most ``size``."""
    for start in range(0, len(values), size):
        yield list(values[start : start + size])
