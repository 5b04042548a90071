"""`millrace destroy`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from millrace.cdk.assembly import StackPlan
from millrace.cli.configuration import DEFAULT_CONFIG, Config
from millrace.cli.deployments import Name, get_deployments
from millrace.cli.interrupts import Interrupted
from millrace.cli.stacks.states import ABSENT, describe_interruption, find_states
from millrace.cli.stacks.synthesis import SynthesisedStacks, synthesised
from millrace.cli.stacks.target import OptionTexts, Yes, find_target
from millrace.cli.terminal import Terminal, ask
from millrace.demo.screen import Screen
from millrace.deployment.settings import DEFAULT_NAME

StorageOption = Annotated[
    bool,
    typer.Option("--storage", help="Also the stack of queues and ledger, whose protection is switched off first."),
]


def destroy(
    context: typer.Context,
    *,
    config: Config = DEFAULT_CONFIG,
    name: Name = DEFAULT_NAME,
    option: OptionTexts = None,
    storage: StorageOption = False,
    yes: Yes = False,
) -> None:
    """Take a deployment's functions away, and with --storage its queues; says what stays, then asks.

    Example: millrace destroy --config millrace.yaml
    """
    screen = Screen(Terminal())
    target, cloudformation = find_target(get_deployments(context), config=config, name=name, options=option)
    screen.heading(f"Destroy {target}")
    with synthesised(target, screen, are_deployed=False) as stacks:
        states = find_states(cloudformation, target)
        doomed = _choose_stacks(stacks, states, storage=storage)
        if not doomed:
            screen.say(f"  nothing is there: no stack {' and no stack '.join(target.stacks)}")
            return
        _show_plan(stacks, doomed, states, screen)
        if not yes:
            ask(f"destroy this of {target}?")
        try:
            _destroy(stacks, doomed, cloudformation, screen)
        except KeyboardInterrupt:
            raise Interrupted(describe_interruption(cloudformation, target, "destroy")) from None
    screen.heading("Destroyed. " + _describe_way_back(doomed, storage=storage))


def _choose_stacks(stacks: SynthesisedStacks, states: dict[str, str], *, storage: bool) -> list[StackPlan]:
    """The stacks that go and are there."""
    # The stack of functions holds nothing; that of queues and ledger what no deployment brings back.
    kept, made_again = stacks.stacks
    wanted = (made_again, kept) if storage else (made_again,)
    return [stack for stack in wanted if states[stack.name] != ABSENT]


def _show_plan(stacks: SynthesisedStacks, doomed: list[StackPlan], states: Mapping[str, str], screen: Screen) -> None:
    for stack in doomed:
        screen.say(f"  {stack.name} goes: {stack.count_kinds()}")
        for kept in stack.list_kept():
            screen.say(f"    but this stays: {kept}")
    names = {stack.name for stack in doomed}
    for stack in stacks.stacks:
        if stack.name not in names and states[stack.name] != ABSENT:
            screen.say(f"  {stack.name} stays as it is: {stack.count_kinds()}")
    screen.say("  What was converted stays where it is; objects that arrive meanwhile are not converted.")


def _destroy(stacks: SynthesisedStacks, doomed: list[StackPlan], cloudformation: Any, screen: Screen) -> None:
    kept, _ = stacks.stacks
    for stack in doomed:
        if stack is kept:
            _switch_protection_off(cloudformation, stack.name)
        arguments = ["destroy", "--force", "--exclusively", stack.name]
        stacks.run_cdk(*arguments, screen=screen, title=f"cdk destroy of {stack.name}")


def _switch_protection_off(cloudformation: Any, stack: str) -> None:
    from millrace.aws.faults import translated  # noqa: PLC0415 - boto3 takes a third of a second to import

    with translated("cloudformation:UpdateTerminationProtection of", stack):
        cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)


def _describe_way_back(doomed: list[StackPlan], *, storage: bool) -> str:
    if not storage:
        return "Messages wait in the queues for ten days; `millrace deploy` goes on with them."
    if not any(any(stack.list_kept()) for stack in doomed):
        return "Nothing of it stays."
    return (
        "The names of what stays are taken: a new deployment needs another --name, `cdk import`, "
        "or what stays deleted by hand."
    )
