"""A function with a role of its own and a log group of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from .acknowledged import acknowledge, acknowledge_wildcard
from .grants import Grant, is_wildcard, to_statement
from .names import Names
from .options import Options

RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64


class HandlerFunction(Construct):
    """Runs `<name>.handler.handle` of the code; may do what ``grants`` say and write its own log."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        code: lambda_.Code,
        layers: Iterable[lambda_.ILayerVersion],
        environment: Mapping[str, str],
        grants: Sequence[Grant],
        options: Options,
        key: kms.IKey | None,
        memory_mb: int,
        function_name: str | None = None,
        reserved_concurrency: int | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        title = name.replace("_", "-")
        # Made by the stack, not by Lambda at the first call: that one would keep its lines for ever, outside the key.
        self.log_group = self._make_log_group(Names(options.name).log_group(title), key)
        self.role = self._make_role(f"What the {title} function of {options.name} may do", grants)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=function_name,
            description=f"{options.name}: {title}",
            code=code,
            handler=f"{name}.handler.handle",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            memory_size=memory_mb,
            timeout=Duration.seconds(options.timeout_seconds),
            reserved_concurrent_executions=reserved_concurrency,
            layers=list(layers),
            # Every grant is written above: the CDK adds none of its own.
            role=self.role.without_policy_updates(),
            log_group=self.log_group,
            tracing=lambda_.Tracing.DISABLED if options.emulator else lambda_.Tracing.ACTIVE,
            environment={**_powertools(title, options), **environment},
        )

        acknowledge(self.function, "AwsSolutions-L1", "the layers hold wheels for this version of Python")

    def _make_log_group(self, name: str, key: kms.IKey | None) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            "Log",
            log_group_name=name,
            retention=logs.RetentionDays.ONE_MONTH,
            encryption_key=key,
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _make_role(self, description: str, grants: Sequence[Grant]) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=description,
            inline_policies={"Grants": iam.PolicyDocument(statements=[*map(to_statement, grants), self._log()])},
        )
        for grant in grants:
            for resource in filter(is_wildcard, grant.resources):
                acknowledge_wildcard(role, resource, grant.because)
        return role

    def _log(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="WriteOwnLog",
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[self.log_group.log_group_arn],
        )


def service(name: str, options: Options) -> str:
    """What a function calls itself in logs, metrics and traces, apart from other deployments: `millrace-convert`."""
    return f"{options.name}-{name}"


def _powertools(name: str, options: Options) -> dict[str, str]:
    """Metrics appear as namespace Millrace, dimension service = the deployment's name and the function's."""
    names = {"POWERTOOLS_SERVICE_NAME": service(name, options), "POWERTOOLS_METRICS_NAMESPACE": "Millrace"}
    return {**names, "POWERTOOLS_TRACE_DISABLED": "true"} if options.emulator else names
