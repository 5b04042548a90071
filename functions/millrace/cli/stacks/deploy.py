"""`millrace deploy` and `millrace diff`."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from millrace.cdk.assembly import price_idle
from millrace.cli.configuration import DEFAULT_CONFIG, Config
from millrace.cli.deployments import Name, get_deployments
from millrace.cli.interrupts import Interrupted
from millrace.cli.stacks.states import ABSENT, describe_interruption, find_states
from millrace.cli.stacks.synthesis import NOT_PREPARED, SynthesisedStacks, synthesised
from millrace.cli.stacks.target import OptionTexts, StackTarget, Yes, find_target
from millrace.cli.terminal import Terminal, ask, print_line
from millrace.config.document import load
from millrace.demo.screen import Screen
from millrace.deployment.settings import DEFAULT_NAME
from millrace.errors import MillraceError

_BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
"""What `cdk bootstrap` leaves behind (AWS CDK Developer Guide, "Bootstrap template contract")."""


def deploy(
    context: typer.Context,
    *,
    config: Config = DEFAULT_CONFIG,
    name: Name = DEFAULT_NAME,
    option: OptionTexts = None,
    bootstrap: Annotated[
        bool, typer.Option("--bootstrap", help="First prepare the account and region for the CDK; needed once.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Deploy a configuration to your AWS account: shows what will be made and what it costs when idle, then asks.

    Example: millrace deploy --config millrace.yaml
    """
    screen = Screen(Terminal())
    deployments = get_deployments(context)
    target, cloudformation = find_target(deployments, config=config, name=name, options=option)
    if not bootstrap:
        _refuse_unprepared(deployments.client("ssm"))
    screen.heading(f"Deploy {target.config} to {target}")
    with synthesised(target, screen) as stacks:
        _show_plan(stacks, find_states(cloudformation, target), screen)
        if not yes:
            ask("deploy this?")
        try:
            _deploy(stacks, screen, bootstrap=bootstrap)
        except KeyboardInterrupt:
            raise Interrupted(describe_interruption(cloudformation, target, "deploy")) from None
    _show_next_steps(target, screen)


def diff(
    context: typer.Context, *, config: Config = DEFAULT_CONFIG, name: Name = DEFAULT_NAME, option: OptionTexts = None
) -> None:
    """Show what a deployment would change in your AWS account, resource by resource. Nothing is changed.

    Example: millrace diff --config millrace.yaml
    """
    target, _ = find_target(get_deployments(context), config=config, name=name, options=option)
    with synthesised(target, Screen(Terminal(stderr=True))) as stacks:
        # A change set would make the stack first, in order to have something to compare with.
        arguments = ["diff", "--no-change-set", *target.stacks, "--app", str(stacks.assembly)]
        done = stacks.command_line.run(arguments, on_line=print_line)
    if done.code:
        raise MillraceError(NOT_PREPARED if done.is_bootstrap_missing else "`cdk diff` failed; it said why above")


def _show_plan(stacks: SynthesisedStacks, states: dict[str, str], screen: Screen) -> None:
    for stack in stacks.stacks:
        state = states[stack.name]
        screen.say(f"  {stack.name}, {'new' if state == ABSENT else f'there already ({state})'}: {stack.count_kinds()}")
    costs = price_idle(stacks.stacks)
    total = sum(cost.dollars for cost in costs)
    screen.say(f"  When nothing happens: about {total:.2f} US dollars a month by list prices of us-east-1,")
    screen.say("  before what AWS gives for nothing (ten alarms, three dashboards, a million requests to queues):")
    for cost in costs:
        screen.say(f"    {cost.dollars:6.2f}  {cost.what}")
    screen.say(
        "  Each object costs its requests and the function's time: `millrace backfill` and `millrace costs` say."
    )
    if any(state != ABSENT for state in states.values()):
        screen.say("  `millrace diff` shows what changes, resource by resource.")


def _refuse_unprepared(ssm: Any) -> None:
    """Raise MillraceError if `cdk bootstrap` is missing; who may not ask sees it when the CDK begins."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import

    from millrace.aws.faults import error_code  # noqa: PLC0415 - needs boto3, which is slow to import

    try:
        ssm.get_parameter(Name=_BOOTSTRAP_PARAMETER)
    except ClientError as error:
        if error_code(error) == "ParameterNotFound":
            raise MillraceError(NOT_PREPARED) from error
    except BotoCoreError:
        return


def _deploy(stacks: SynthesisedStacks, screen: Screen, *, bootstrap: bool) -> None:
    target = stacks.target
    if bootstrap:
        title = f"cdk bootstrap of account {target.account}, {target.region}"
        stacks.run_cdk("bootstrap", f"aws://{target.account}/{target.region}", screen=screen, title=title)
    arguments = ["deploy", "--all", "--require-approval", "never", "--concurrency", "1"]
    stacks.run_cdk(*arguments, screen=screen, title="cdk deploy")


def _show_next_steps(target: StackTarget, screen: Screen) -> None:
    document = load(target.config)
    config = shlex.quote(str(target.config))
    name = "" if target.name == DEFAULT_NAME else f" --name {target.name}"
    screen.heading("Deployed. What to do next")
    screen.say(f"  millrace doctor --config {config}{name} --canary")
    screen.say("      sends an object through the whole way, and says what is wrong if it does not arrive")
    for sync in document.active_bulk_syncs():
        folder = document.connection(sync.source_connection).root
        screen.say(f"  upload a file to {folder}")
        screen.say(f"      sync {sync.name!r} converts it; `millrace status{name}` says how it is going")
        screen.say(f"  millrace backfill {shlex.quote(sync.name)}{name}")
        screen.say("      converts what the folder holds already, after it has said what that costs")
        break
    screen.say(f"  millrace ui{name}")
    screen.say("      shows the same on a page in the browser")
