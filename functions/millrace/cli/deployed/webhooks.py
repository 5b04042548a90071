"""`millrace webhooks`: what is sent where, and whether receivers take it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from millrace.cli.completion import COMPLETE_WEBHOOK
from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.terminal import print_json, print_line
from millrace.errors import UsageError

Webhook = Annotated[
    str, typer.Argument(help="The webhook's name, as the configuration has it.", autocompletion=COMPLETE_WEBHOOK)
]

webhooks = typer.Typer(help="Webhooks: what is sent where, and whether receivers take it.", no_args_is_help=True)


def _call(context: typer.Context, name: str, event: dict[str, Any]) -> dict[str, Any]:
    deployments = get_deployments(context)
    deployed, _ = deployments.find(name)
    if deployed.webhook_function is None:
        raise UsageError(f"the deployment {name!r} has no webhooks; add some to the configuration and deploy it")
    return deployments.invoke(deployed.webhook_function, event)


@webhooks.command("list")
def list_webhooks(context: typer.Context, *, name: Name = "millrace", as_json: Json = False) -> None:
    """Show the webhooks as they are deployed, and which of them are off because their receiver answered 410.

    Example: millrace webhooks list
    """
    for webhook in _call(context, name, {"list": True})["webhooks"]:
        if as_json:
            print_json(webhook)
        else:
            print_line(_describe(webhook))


def _describe(webhook: dict[str, Any]) -> str:
    state = "on" if webhook["active"] else "not active"
    if webhook["off_since"] is not None:
        state = f"off since {webhook['off_since']}: its receiver answered 410"
    of = f"syncs {', '.join(webhook['syncs'])}" if webhook["syncs"] else "all syncs"
    names = ", ".join(webhook["events"])
    return f"{webhook['webhook']}: {state}; {webhook['url']} ({webhook['format']}), {of}: {names}"


@webhooks.command("test")
def try_webhook(context: typer.Context, webhook: Webhook, *, name: Name = "millrace", as_json: Json = False) -> None:
    """Send a signed event of type webhook.test, and show what the receiver answered; exit 1 if it did not take it.

    A webhook that is off because of a 410 is on again if its receiver takes the test.

    Example: millrace webhooks test operations
    """
    answer = _call(context, name, {"test": webhook})
    if as_json:
        print_json(answer)
    else:
        said = answer.get("reason") or f"answered {answer['status']}"
        print_line(f"{answer['url']}: {'taken' if answer['taken'] else 'not taken'}: {said}")
    if not answer["taken"]:
        raise typer.Exit(1)
