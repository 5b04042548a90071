"""What only the first deployment of an installation does, so that nobody wonders what takes so long."""

from __future__ import annotations

from collections.abc import Iterator

from millrace.cdk.node import is_cdk_here
from millrace.deployment.project import ProjectFiles


def describe_fetch(project: ProjectFiles) -> Iterator[str]:
    """One sentence if the CDK's command line has to be fetched."""
    if not is_cdk_here(project):
        yield "The first time, the CDK's command line is fetched by npm: 30 MB."


def describe_first_run(project: ProjectFiles, *, needs_layers: bool) -> Iterator[str]:
    """One sentence for each thing that is not there yet and is kept from then on."""
    if not (project.build / "kernel").is_dir():
        yield "The first time, the native kernel is compiled for Lambda's processors: about a minute."
    if needs_layers and not (project.build / "layers").is_dir():
        yield "The first time, the packages for Lambda are fetched and trimmed: 110 MB."
