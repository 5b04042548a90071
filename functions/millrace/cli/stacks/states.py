"""What CloudFormation says of the stacks, as far as the user may ask."""

from __future__ import annotations

from typing import Any

from millrace.cli.stacks.target import StackTarget

ABSENT = "not there"
UNKNOWN = "unknown: cloudformation:DescribeStacks was denied"


def find_states(cloudformation: Any, target: StackTarget) -> dict[str, str]:
    """Each stack's state, such as CREATE_COMPLETE; a denial is a state like another, since it stops nobody."""
    states = {}
    for stack in target.stacks:
        states[stack] = _find_state(cloudformation, stack)
    return states


def _find_state(cloudformation: Any, stack: str) -> str:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import

    from millrace.aws.faults import error_code  # noqa: PLC0415 - needs boto3, which is slow to import

    try:
        (description,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        # CloudFormation says "ValidationError" of a stack that is not there.
        return ABSENT if error_code(error) == "ValidationError" else UNKNOWN
    except BotoCoreError:
        return UNKNOWN
    return str(description["StackStatus"])


def describe_interruption(cloudformation: Any, target: StackTarget, command: str) -> str:
    """What is going on in the account when a person has stopped watching it."""
    states = ", ".join(f"{stack} {state}" for stack, state in find_states(cloudformation, target).items())
    return (
        f"CloudFormation goes on by itself with what it has begun. Now: {states}. "
        f"When no state ends in IN_PROGRESS any more, run `millrace {command}` again: it goes on from there"
    )
