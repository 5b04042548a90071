"""The options that choose a deployment, and what a command that asks one begins with."""

from __future__ import annotations

from typing import Annotated

import typer

from millrace.remote.deployments import AWSDeployments, Deployments

Name = Annotated[str, typer.Option("--name", envvar="MILLRACE_NAME", help="The deployment's name, as it was deployed.")]
Keys = Annotated[list[str] | None, typer.Option(help="A key, or s3://bucket/key; may be given often.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines instead of text.")]


def get_deployments(context: typer.Context) -> Deployments:
    """The port that `main` was given, else AWS."""
    deployments: Deployments | None = context.obj
    return deployments or AWSDeployments()
