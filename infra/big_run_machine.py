"""The state machine of big runs: what is more than one invocation can do, spread over many of one function."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from .acknowledged import acknowledge, acknowledge_wildcard
from .grants import Grant, is_wildcard, to_statement
from .names import Names
from .options import Options
from .schedules import permit_rule

SINGLE_PHASES = ("plan", "split", "join", "publish", "finish")
AFTER_MAP: Mapping[str, str] = MappingProxyType(
    {"inflate": "plan", "scan": "split", "survey": "join", "convert": "publish", "settle": "finish"}
)
"""The phases that ask a child for each item, and the single phase that reads what the children left in S3."""
LONGEST_RUN = Duration.hours(24)
"""An entry trusts its run an hour longer; what a run keeps in S3 goes after a week (`infra/created_bucket.py`)."""
_START_SECONDS = 60
"""A child may wait so long for its function to start, before its own time begins."""
_ENDED_BADLY = ("FAILED", "TIMED_OUT", "ABORTED")

_PLACE = {"run.$": "$.run", "order.$": "$.order"}
"""What each phase hears of its run, taken from the execution's input as it is."""


class BigRunMachine(Construct):
    """Goes from phase to phase by the answers of ``function``, and has it heal runs that end badly.

    A state keeps ``{"run", "order", "step"}``: the execution's input, and the last answer, ``{"next": "scan", "items":
    [0, 1, 2]}``. Items are whole numbers, so that 10,000 of them have 49 KB; Step Functions takes 256 KB. Children
    return nothing: 10,000 answers would be one array of the map's.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: lambda_.IFunction,
        grants: tuple[Grant, ...],
        options: Options,
    ) -> None:
        super().__init__(scope, construct_id)
        self._function = function
        self._options = options
        self._name = Names(options.name).big_run
        self._broken = self._make_broken()
        self.machine = self._make_machine(grants)
        acknowledge(
            self.machine,
            "AwsSolutions-SF1",
            "a standard execution keeps each of its steps for 90 days in its own history, and why a run failed is in "
            "the ledger and in the function's log",
        )
        if options.emulator:
            acknowledge(self.machine, "AwsSolutions-SF2", "the emulator has no X-Ray")
        self._heal()

    def _make_machine(self, grants: tuple[Grant, ...]) -> sfn.StateMachine:
        machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=self._name,
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_chainable(self._define()),
            # Every grant is written in `infra/grants.py`: the CDK adds none of its own.
            role=self._make_role(grants).without_policy_updates(),
            timeout=LONGEST_RUN,
            tracing_enabled=not self._options.emulator,
            removal_policy=RemovalPolicy.DESTROY,
        )
        # But this one, which it adds to any role for a machine with a Distributed Map.
        machine.node.try_remove_child("DistributedMapPolicy")
        return machine

    def _define(self) -> sfn.IChainable:
        """The phases, joined by one choice that reads where the last answer sends the run."""
        route = sfn.Choice(self, "route", comment="where the last phase sends the run")
        pause = self._make_pause(route)
        singles = {phase: self._make_single(phase, pause) for phase in SINGLE_PHASES}
        for phase, state in singles.items():
            if phase != "plan":
                route.when(_is_next(phase), state)
        for phase, after in AFTER_MAP.items():
            route.when(_is_next(phase), self._make_map(phase, singles[after]))
        route.when(_is_next("plan"), singles["plan"])
        route.when(_is_next("done"), sfn.Succeed(self, "done"))
        route.when(_is_next("failed"), self._make_refused())
        route.otherwise(self._make_confused())
        return singles["plan"]

    def _make_pause(self, route: sfn.IChainable) -> sfn.Choice:
        """Wait first where an answer says so: another run is writing the same table."""
        wait = sfn.Wait(self, "wait", time=sfn.WaitTime.seconds_path("$.step.wait"))
        wait.next(route)
        is_asked = sfn.Condition.and_(
            sfn.Condition.is_present("$.step.wait"), sfn.Condition.number_greater_than("$.step.wait", 0)
        )
        return sfn.Choice(self, "pause").when(is_asked, wait).otherwise(route)

    def _make_single(self, phase: str, behind: sfn.IChainable) -> tasks.LambdaInvoke:
        task = self._invoke(phase, {"phase": phase, **_PLACE}, result_path="$.step")
        task.add_catch(self._broken, errors=["States.ALL"], result_path="$.error")
        task.next(behind)
        return task

    def _make_map(self, phase: str, after: sfn.IChainable) -> sfn.DistributedMap:
        """A child execution for each item of the last answer, so many at once; one that fails ends the map."""
        children = sfn.DistributedMap(
            self,
            phase,
            label=phase,
            items_path="$.step.items",
            item_selector={"phase": phase, **_PLACE, "index.$": "$$.Map.Item.Value"},
            max_concurrency=self._options.big_run_concurrency,
            map_execution_type=sfn.StateMachineType.STANDARD,
            result_path=sfn.JsonPath.DISCARD,
        )
        child = self._invoke(f"{phase} one", None, result_path=sfn.JsonPath.DISCARD, output_path=sfn.JsonPath.DISCARD)
        children.item_processor(child)
        children.add_catch(self._broken, errors=["States.ALL"], result_path="$.error")
        children.next(after)
        return children

    def _invoke(
        self, name: str, payload: dict[str, str] | None, *, result_path: str, output_path: str | None = None
    ) -> tasks.LambdaInvoke:
        """One invocation; without a payload it hears the state's whole input."""
        task = tasks.LambdaInvoke(
            self,
            name,
            lambda_function=self._function,
            payload=sfn.TaskInput.from_object(payload) if payload else None,
            payload_response_only=True,
            # Those and more are below.
            retry_on_service_exceptions=False,
            result_path=result_path,
            output_path=output_path,
            task_timeout=sfn.Timeout.duration(Duration.seconds(self._options.timeout_seconds + _START_SECONDS)),
        )
        _retry(task)
        return task

    def _make_broken(self) -> tasks.LambdaInvoke:
        """What a phase that raised comes to: the entry is settled, then the execution fails with that error."""
        payload = {"phase": "fail", **_PLACE, "error.$": "$.error"}
        task = self._invoke("fail", payload, result_path=sfn.JsonPath.DISCARD)
        task.next(sfn.Fail(self, "broken", error_path="$.error.Error", cause_path="$.error.Cause"))
        return task

    def _make_refused(self) -> sfn.Fail:
        cause = "the input was refused, and the ledger's entry says why: millrace runs show, millrace status"
        return sfn.Fail(self, "refused", error="Refused", cause=cause)

    def _make_confused(self) -> sfn.Fail:
        cause = "the function named a phase that this machine does not know; deploy both again: cdk deploy --all"
        return sfn.Fail(self, "confused", error="UnknownPhase", cause=cause)

    def _make_role(self, grants: tuple[Grant, ...]) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            # Without the condition another account's machine could have Step Functions take this role (AWS Step
            # Functions Developer Guide, "Prevent cross-service confused deputy issues").
            assumed_by=iam.ServicePrincipal(
                "states.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            ),
            description=f"What the state machine of {self._options.name} may do",
            inline_policies={"Grants": iam.PolicyDocument(statements=list(map(to_statement, grants)))},
        )
        for grant in grants:
            for resource in filter(is_wildcard, grant.resources):
                acknowledge_wildcard(role, resource, grant.because)
        return role

    def _heal(self) -> None:
        """Tell the function of executions that end badly; EventBridge does its best, and the daily comparison the rest.

        Children have a machine of another name, ``millrace-big-run/survey``, so the rule is not for them.
        """
        detail = {"stateMachineArn": [self.machine.state_machine_arn], "status": list(_ENDED_BADLY)}
        rule = events.CfnRule(
            self,
            "EndedBadly",
            name=Names(self._options.name).heal_rule,
            description=f"{self._options.name}: heal big runs that failed, timed out or were stopped",
            event_pattern={
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": detail,
            },
            targets=[events.CfnRule.TargetProperty(id="heal", arn=self._function.function_arn)],
        )
        permit_rule(self, "Heal", self._function, rule.attr_arn)


def _is_next(phase: str) -> sfn.Condition:
    return sfn.Condition.string_equals("$.step.next", phase)


def _retry(task: tasks.LambdaInvoke) -> None:
    """Try again what may succeed: every phase is idempotent, so also one that was killed half-way.

    Source of the names: AWS Step Functions Developer Guide, "Handle transient Lambda service exceptions".
    """
    # The account's concurrency is used up for minutes, by live files: 2, 4, 8, … 300 s, at most some two hours.
    task.add_retry(
        errors=["Lambda.TooManyRequestsException"],
        interval=Duration.seconds(2),
        backoff_rate=2,
        max_delay=Duration.minutes(5),
        max_attempts=30,
        jitter_strategy=sfn.JitterType.FULL,
    )
    task.add_retry(
        errors=[
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
        ],
        interval=Duration.seconds(2),
        backoff_rate=2,
        max_attempts=6,
    )
    task.add_retry(errors=["States.ALL"], interval=Duration.seconds(2), backoff_rate=2, max_attempts=4)
