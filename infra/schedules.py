"""When sources are listed: a rule of EventBridge for each sync that has a schedule."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from .names import Names, construct_id
from .options import Options
from .topology import Listing


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledCall:
    """What a schedule calls: a function with an event. ``id`` is what the rule calls its target."""

    id: str
    function: lambda_.IFunction
    event: Mapping[str, str]


class Schedules(Construct):
    """Each rule calls ``function`` with the name of its sync; one permission is for all of them.

    The policy of a function holds 20 KB: a permission for each rule would end at some sixty syncs.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id_: str,
        *,
        function: lambda_.IFunction,
        listings: Sequence[Listing],
        options: Options,
    ) -> None:
        super().__init__(scope, construct_id_)
        names = Names(options.name)
        for listing in listings:
            _make_rule(
                self,
                construct_id(listing.sync),
                name=names.rule(listing.sync),
                description=f"{options.name}: compare the source of sync {listing.sync!r} with the ledger",
                schedule=listing.expression,
                call=ScheduledCall(id="reconcile", function=function, event={"sync": listing.sync}),
            )
        if listings:
            rules = Stack.of(self).format_arn(service="events", resource="rule", resource_name=f"{names.rules}*")
            permit_rule(self, "Call", function, rules)


def call_on_schedule(
    scope: Construct, construct_id: str, *, name: str, description: str, schedule: str, call: ScheduledCall
) -> None:
    """Have a function called on a schedule, such as ``rate(1 day)``, by a rule that may call it."""
    rule = _make_rule(scope, construct_id, name=name, description=description, schedule=schedule, call=call)
    permit_rule(scope, "Call", call.function, rule.attr_arn)


def _make_rule(
    scope: Construct, construct_id: str, *, name: str, description: str, schedule: str, call: ScheduledCall
) -> events.CfnRule:
    target = events.CfnRule.TargetProperty(
        id=call.id, arn=call.function.function_arn, input=json.dumps(dict(call.event))
    )
    return events.CfnRule(
        scope, construct_id, name=name, description=description, schedule_expression=schedule, targets=[target]
    )


def permit_rule(scope: Construct, construct_id: str, function: lambda_.IFunction, rule_arn: str) -> None:
    """Let a rule of this account call a function; ``rule_arn`` may end in ``*``."""
    lambda_.CfnPermission(
        scope,
        construct_id,
        action="lambda:InvokeFunction",
        function_name=function.function_arn,
        principal="events.amazonaws.com",
        source_account=Stack.of(scope).account,
        source_arn=rule_arn,
    )
