"""What somebody must be told of."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from .metrics import (
    count_errors,
    count_failed,
    count_throttles,
    count_timed_out,
    count_visible,
    find_oldest,
    read_ours,
)
from .names import construct_id
from .options import Options
from .source_queue import visibility_seconds


class Alarms(Construct):
    """Quiet while there is nothing to do; each says in its description what to do first."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        dead_letters: sqs.IQueue,
        queues: Mapping[str, sqs.IQueue],
        functions: Mapping[str, lambda_.IFunction],
        options: Options,
        backfills: sqs.IQueue | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.alarms: list[cloudwatch.IAlarm] = []
        self.dead_letters: dict[str, sqs.IQueue] = {"DeadLetters": dead_letters}
        self._topic = (
            sns.Topic.from_topic_arn(self, "Topic", options.alarm_topic_arn) if options.alarm_topic_arn else None
        )
        self._watch_dead_letters(dead_letters, options)
        self._watch_work(options)
        if "Reconcile" in functions:
            self._watch_comparisons(options)
        for name, queue in queues.items():
            self._watch_queue(name, queue, options)
        if backfills is not None:
            self._watch_backfills(backfills)
        for name, function in functions.items():
            self._watch_function(name, function)

    def _watch_dead_letters(self, dead_letters: sqs.IQueue, options: Options) -> None:
        self._above(
            "DeadLetters",
            count_visible(dead_letters),
            0,
            "Messages that nobody could read, or whose work failed five times. Look: millrace dead-letters.",
        )
        for arn in options.own_dead_letter_arns:
            name = construct_id(arn)
            queue = sqs.Queue.from_queue_arn(self, name, arn)
            self.dead_letters[f"DeadLetters{name}"] = queue
            self._above(
                f"DeadLetters{name}",
                count_visible(queue),
                0,
                "Messages that SQS gave up by itself, from a queue of yours. Look: millrace dead-letters.",
            )

    def _watch_work(self, options: Options) -> None:
        self._above(
            "Failures",
            read_ours("Failed", options),
            0,
            "Objects that could not be converted. Look: millrace status, then millrace show s3://...",
        )
        self._above(
            "CircuitOpen",
            read_ours("CircuitOpen", options, statistic="Maximum"),
            0,
            "Configuration errors in a row paused an event source; its messages wait. Look: millrace status. Mend what "
            "it names, then run: millrace resume (which also ends this alarm).",
            # The metric is written when a circuit opens and when it closes, and never in between: silence keeps the
            # state.
            missing=cloudwatch.TreatMissingData.IGNORE,
        )

    def _watch_comparisons(self, options: Options) -> None:
        self._above(
            "Unaccounted",
            read_ours("Unaccounted", options, function="reconcile"),
            0,
            "Objects whose notification should have come and did not; they are on the queue now. Look: millrace "
            "audit. Is the bucket's notification in place?",
        )
        self._above(
            "Vanished",
            read_ours("Vanished", options, function="reconcile"),
            0,
            "Outputs that the ledger knows are gone; a comparison looks at one in a hundred. Look: millrace audit "
            "--outputs. Unless they were deleted on purpose: millrace audit --outputs --restore.",
        )

    def watch_big_runs(self, machine: sfn.IStateMachine) -> None:
        """Add alarms for executions that end badly."""
        look = "Look: millrace runs list, then millrace runs show."
        self._above(
            "BigRunsFailed",
            count_failed(machine),
            0,
            f"A big run ended without its output. {look}",
        )
        self._above(
            "BigRunsTimedOut",
            count_timed_out(machine),
            0,
            f"A big run was not done in a day. {look} Raise big_run_concurrency with the account's quota.",
        )

    def watch_catalog(self, options: Options) -> None:
        """Add alarms for tables that query engines do not find as they are."""
        for name, function in (("NotCatalogued", "convert"), ("NotCataloguedBigRuns", "big-run")):
            self._above(
                name,
                read_ours("NotCatalogued", options, function=function),
                0,
                "A table could not be brought into the catalog; its objects are converted all the same. The function's "
                "log says why (not catalogued). Mend it; the table's next object tries again.",
            )

    def watch_commits(self, queue: sqs.IQueue, dead_letters: sqs.IQueue) -> None:
        """Add alarms for tables of Iceberg that are behind their files, and for commits that were given up."""
        self._above(
            "AgeCommits",
            find_oldest(queue),
            Duration.hours(1).to_seconds(),
            "A finished file has waited for an hour to be in its Iceberg table. Look: millrace status, then the commit "
            "function's log. Is it throttled, or denied?",
        )
        self.dead_letters["DeadLettersCommits"] = dead_letters
        self._above(
            "DeadLettersCommits",
            count_visible(dead_letters),
            0,
            "Files that could not be committed to their Iceberg table for a day; they lie at the destination all the "
            "same. The commit function's log says why. Mend it, then send them back: aws sqs start-message-move-task.",
        )

    def watch_webhook(self, name: str, queue: sqs.IQueue) -> None:
        """Add an alarm for events that their receiver does not take; in two hours all five tries are over."""
        self._above(
            f"AgeWebhook{name}",
            find_oldest(queue),
            Duration.hours(2).to_seconds(),
            "An event has waited longer for its webhook than all tries take. Look: millrace webhooks test. Is the "
            "webhook function throttled, or denied?",
        )

    def _watch_queue(self, name: str, queue: sqs.IQueue, options: Options) -> None:
        self._above(
            f"Age{name}",
            find_oldest(queue),
            visibility_seconds(options),
            "A message has waited longer than a whole attempt takes. Is the function throttled, or denied?",
        )

    def _watch_backfills(self, queue: sqs.IQueue) -> None:
        """A backfill's messages may wait for days; after ten SQS deletes them, and all has to be listed once more."""
        self._above(
            "AgeBackfills",
            find_oldest(queue),
            Duration.days(7).to_seconds(),
            "A backfill's request has waited for a week. Look: millrace backfill --status. Is it paused?",
        )

    def _watch_function(self, name: str, function: lambda_.IFunction) -> None:
        self._above(f"{name}Errors", count_errors(function), 0, f"The {name} function broke. Read its log.")
        self._above(
            f"{name}Throttles",
            count_throttles(function),
            0,
            f"The {name} function was refused: the account's concurrency is used up.",
        )

    def _above(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        description: str,
        *,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=missing,
            alarm_description=description,
        )
        self.alarms.append(alarm)
        if self._topic:
            alarm.add_alarm_action(actions.SnsAction(self._topic))
