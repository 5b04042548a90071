"""`millrace ui`: a page to look at."""

from __future__ import annotations

import os
import webbrowser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace.cli.configuration import DEFAULT_CONFIG
from millrace.cli.deployments import Name, get_deployments
from millrace.cli.terminal import print_line
from millrace.errors import UsageError
from millrace.remote.deployments import Deployments

if TYPE_CHECKING:
    from millrace.demo.emulator import Emulator
    from millrace.planning.planner import Planner

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="MILLRACE_CONFIG",
        help="The configuration that is deployed; default: millrace.yaml here, if there is one.",
    ),
]
PortOption = Annotated[
    int | None, typer.Option(min=0, max=65535, help="The port; default: 8765, or any that is free if it is taken.")
]
ActionsOption = Annotated[
    bool,
    typer.Option(
        "--allow-actions", help="Let the page reprocess, redrive, resume, pause and stop, each after a dry run."
    ),
]
DemoOption = Annotated[
    bool, typer.Option(help="Look at the demonstration that `millrace demo --keep` left running, if one runs.")
]
BrowserOption = Annotated[bool, typer.Option("--open", help="Open it in the browser, too.")]


def ui(
    context: typer.Context,
    *,
    name: Name = "millrace",
    config: ConfigOption = None,
    port: PortOption = None,
    allow_actions: ActionsOption = False,
    demo: DemoOption = True,
    open_browser: BrowserOption = False,
) -> None:
    """Show a deployment on a page in the browser: lag, failures by cause, objects and their stories.

    It is served on this machine alone, asks AWS with your own rights, and changes nothing without --allow-actions. If
    the demonstration was left running, it shows that, unless AWS_ENDPOINT_URL names another; --no-demo shows AWS.
    """
    from millrace.ui.server import serve  # noqa: PLC0415 - the page's packages are an extra
    from millrace.ui.world import KeptDeployments, PageWorld  # noqa: PLC0415 - it needs boto3

    is_demo = demo and context.obj is None and _turn_to_demo()
    deployments = KeptDeployments(get_deployments(context))
    world = PageWorld(
        deployments=deployments,
        name=name,
        planner=_load_planner(config, is_demo=is_demo),
        place=_describe_place(deployments),
        is_demo=is_demo,
        allow_actions=allow_actions,
    )
    serve(world, port, partial(_announce, is_demo=world.is_demo, open_browser=open_browser))


def _announce(address: str, *, is_demo: bool, open_browser: bool) -> None:
    if is_demo:
        print_line(f"showing the demonstration on {os.environ['AWS_ENDPOINT_URL']}; --no-demo shows AWS")
    print_line(f"open {address}")
    print_line("it answers this machine alone, and only with the token in that address; Ctrl-C ends it")
    if open_browser:
        webbrowser.open(address)


def _turn_to_demo() -> bool:
    """Look at the demonstration that was left running, if one was."""
    emulator = _recall_demo()
    if emulator is not None:
        _look_at(emulator)
    return emulator is not None


def _recall_demo() -> Emulator | None:
    """The demonstration that was left running; None if the environment names another endpoint, or there is none."""
    try:
        from millrace.demo.deploy import DeployError  # noqa: PLC0415 - the demo's packages are an extra
        from millrace.demo.kept import recall  # noqa: PLC0415 - so is this
    except ImportError:
        return None
    try:
        emulator = recall()
    except DeployError:
        # No checkout is around: no demonstration can have been started.
        return None
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    return emulator if emulator is not None and endpoint in {None, "", emulator.url} else None


def _look_at(emulator: Emulator) -> None:
    """From here on this process talks to the emulator and to nothing else."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    os.environ.update(emulator.client_environment())


def _load_planner(config: Path | None, *, is_demo: bool) -> Planner | None:
    """That of the configuration; None if none is named and none is here. Raises InvalidConfiguration, UsageError."""
    from millrace.config.document import load  # noqa: PLC0415 - it needs pydantic
    from millrace.planning.planner import Planner  # noqa: PLC0415 - it needs pydantic, too

    path = config
    if path is None and is_demo:
        from millrace.deployment.project import find_project  # noqa: PLC0415 - no other way needs it

        path = find_project().examples / DEFAULT_CONFIG
    if path is None and DEFAULT_CONFIG.is_file():
        path = DEFAULT_CONFIG
    if path is None:
        return None
    if not path.is_file():
        raise UsageError(f"there is no configuration {path}; leave --config out to do without one")
    return Planner(load(path))


def _describe_place(deployments: Deployments) -> str:
    """``us-east-1``, or an endpoint that the environment names."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    client: Any = deployments.client("cloudformation")
    region: str = client.meta.region_name
    return f"{region} at {endpoint}" if endpoint else region
