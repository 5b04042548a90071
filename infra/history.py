"""The history of finished work: where it lies, and when the ledger is exported to it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.names import Names
from infra.options import Options, Unwanted
from infra.topology import Topology
from millrace.config.layout import Folder

_TIMES = "cron(50 23,0 * * ? *)"
"""Ten minutes before midnight UTC, the day as far as it has come; at ten to one, all of the day before."""


def find_home(topology: Topology, options: Options) -> Folder | None:
    """The folder of the history: the one that was chosen, else the default; None: there is none."""
    if not topology.sources or options.history is Unwanted.NONE:
        return None
    return options.history or topology.history


def refuse_home(topology: Topology, options: Options) -> Iterator[str]:
    """What is wrong with the folder that was chosen, in a sentence: what is written there must be nobody's source."""
    chosen = options.history
    if not isinstance(chosen, Folder) or ".millrace" in chosen.path.split("/"):
        return
    for source in topology.sources:
        if source.folder.contains(chosen):
            yield (
                f"context history: found {chosen}, which is within {source.folder}, a source of connection "
                f"{source.connection!r}: the history would be converted, and its conversions be history. Choose "
                f"another folder, or {chosen}/.millrace, which no sync reads"
            )


class History(Construct):
    """A rule that has ``exporter`` export what is due. Output: History, the folder."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        exporter: lambda_.IFunction,
        home: Folder,
        options: Options,
    ) -> None:
        super().__init__(scope, construct_id)
        target = events.CfnRule.TargetProperty(
            id="reconcile", arn=exporter.function_arn, input=json.dumps({"history": "due"})
        )
        rule = events.CfnRule(
            self,
            "Export",
            name=Names(options.name).history_rule,
            description=f"{options.name}: export finished work to the history",
            schedule_expression=_TIMES,
            targets=[target],
        )
        lambda_.CfnPermission(
            self,
            "Call",
            action="lambda:InvokeFunction",
            function_name=exporter.function_arn,
            principal="events.amazonaws.com",
            source_account=Stack.of(self).account,
            source_arn=rule.attr_arn,
        )
        CfnOutput(Stack.of(self), "History", value=f"s3://{home.bucket}/{home.prefix}")
