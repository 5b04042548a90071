"""The metrics that alarms and the dashboard read: each is written once, so that both mean the same."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn

from .handler_function import service
from .options import Options

PERIOD = Duration.minutes(5)


def read_ours(name: str, options: Options, *, statistic: str = "Sum", function: str = "convert") -> cloudwatch.Metric:
    """A metric that one of the functions writes."""
    return cloudwatch.Metric(
        namespace="Millrace",
        metric_name=name,
        dimensions_map={"service": service(function, options)},
        statistic=statistic,
        period=PERIOD,
    )


def count_visible(queue: sqs.IQueue) -> cloudwatch.Metric:
    """How many messages wait."""
    # Maximum, not the CDK's average: a letter that was there for a minute of five counts.
    return queue.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum")


def count_invisible(queue: sqs.IQueue) -> cloudwatch.Metric:
    """How many messages are worked on, or put off."""
    return queue.metric_approximate_number_of_messages_not_visible(period=PERIOD, statistic="Maximum")


def find_oldest(queue: sqs.IQueue) -> cloudwatch.Metric:
    """For how many seconds the oldest message has waited."""
    return queue.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum")


def count_errors(function: lambda_.IFunction) -> cloudwatch.Metric:
    """How often a function broke."""
    return function.metric_errors(period=PERIOD)


def count_throttles(function: lambda_.IFunction) -> cloudwatch.Metric:
    """How often a function was refused."""
    return function.metric_throttles(period=PERIOD)


def count_failed(machine: sfn.IStateMachine) -> cloudwatch.Metric:
    """How many executions failed."""
    return machine.metric_failed(period=PERIOD, statistic="Sum")


def count_timed_out(machine: sfn.IStateMachine) -> cloudwatch.Metric:
    """How many executions took too long."""
    return machine.metric_timed_out(period=PERIOD, statistic="Sum")
