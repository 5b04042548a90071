"""Findings of cdk-nag that are meant to be so, each with its reason, next to what it is about."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Say that ``rule`` (`AwsSolutions-S1`) does not hold for ``construct``, and why."""
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions::{rule}", reason=reason))


def acknowledge_wildcard(construct: IConstruct, resource: str, reason: str) -> None:
    """Say why a policy of ``construct`` names ``resource``, which ends in a wildcard."""
    acknowledge(construct, f"AwsSolutions-IAM5[Resource::{_spelled(Stack.of(construct).resolve(resource))}]", reason)


def _spelled(value: object) -> str:
    """A resolved value as cdk-nag writes it: `arn:<AWS::Partition>:s3:::bucket/*`."""
    match value:
        case {"Ref": str(name)}:
            return f"<{name}>"
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(map(_spelled, parts))
        case Mapping():
            raise TypeError(f"an ARN of literals and references was expected, found {value!r}")
        case _:
            return str(value)
