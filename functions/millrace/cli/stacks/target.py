"""Where the stacks go, and what they are made of."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from millrace.config.document import load
from millrace.deployment.settings import processing_stack, storage_stack
from millrace.errors import UsageError
from millrace.remote.deployments import Deployments

OptionTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        metavar="NAME=VALUE",
        help="An option of the deployment, such as kms=customer; docs/deploying.md lists them. May be given often.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
_OWN_FLAGS = {"config": "--config", "name": "--name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StackTarget:
    """One deployment: its configuration file and name, its options, and the account and region that the user is in."""

    config: Path
    name: str
    options: Mapping[str, str]
    account: str
    region: str

    @property
    def stacks(self) -> tuple[str, str]:
        """The names of both stacks: of what is kept, and of what can be made again."""
        return storage_stack(self.name), processing_stack(self.name)

    def list_context(self) -> list[str]:
        """The CDK's options that say all of it."""
        # The application refuses a name that it does not know; the CDK would pass over it.
        names = ",".join(self.options)
        given = {"config": str(self.config.resolve()), "name": self.name, **self.options}
        words = ["--context", f"millrace:options={names}"]
        for name, value in given.items():
            words += ["--context", f"{name}={value}"]
        return words

    def make_environment(self, *, are_deployed: bool = True) -> dict[str, str]:
        """The user's own variables, with the region that is meant wherever the CDK looks for it.

        ``are_deployed``: whether the stacks are made for that, and not to be taken away.
        """
        environment = {**os.environ, "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}
        if not are_deployed:
            # All of CloudFormation's rules, four of eight seconds of CPU, are of no use to what goes.
            environment["CDK_VALIDATION"] = "false"
        return environment

    def __str__(self) -> str:
        return f"account {self.account}, {self.region}, as {self.name!r}"


def find_target(
    deployments: Deployments, *, config: Path, name: str, options: Sequence[str] | None
) -> tuple[StackTarget, Any]:
    """The target, with a client of its CloudFormation.

    Raises InvalidConfiguration for what is wrong with the file, UsageError for the options, and MillraceError if AWS
    does not know the user.
    """
    # Loaded here, too: its mistakes are shown before anybody waits for a network.
    load(config)
    parsed = _parse_options(options or ())
    from millrace.aws.faults import translated  # noqa: PLC0415 - boto3 takes a third of a second to import

    client = deployments.client("sts")
    with translated("sts:GetCallerIdentity for", "your credentials"):
        account = client.get_caller_identity()["Account"]
    region = client.meta.region_name
    target = StackTarget(config=config, name=name, options=parsed, account=account, region=region)
    return target, deployments.client("cloudformation")


def _parse_options(texts: Sequence[str]) -> dict[str, str]:
    """``kms=customer`` as a name and a value. Raises UsageError."""
    options: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (name and sign and value):
            raise UsageError(f"--option {text!r}: expected NAME=VALUE, such as kms=customer")
        if name in _OWN_FLAGS:
            raise UsageError(f"--option {text!r}: use {_OWN_FLAGS[name]} {value}")
        if name in options:
            raise UsageError(f"--option {name}: found twice, {options[name]!r} and {value!r}; give it once")
        options[name] = value
    return options
