"""How the demonstration words what came of an object, and how one goes on with what is left running."""

from __future__ import annotations

import shlex

from millrace.demo.deployed import Task, find_deployed, load_deployed
from millrace.demo.emulator import Emulator
from millrace.demo.screen import Screen
from millrace.demo.sending import list_sources
from millrace.ledger.entries import Entry
from millrace.wording import count_of

_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION")


def describe_outcome(entry: Entry) -> str:
    """Why it is in its state, or its rows, outputs and time."""
    if why := _find_reason(entry):
        return why
    rows = count_of(entry.rows.written, "row")
    if entry.rows.quarantined:
        rows += f", {entry.rows.quarantined:,} aside"
    targets = ", ".join(str(output.ref) for output in entry.outputs)
    return f"{rows} to {targets} in {entry.milliseconds:,} ms"


def _find_reason(entry: Entry) -> str | None:
    if entry.failure is None:
        return entry.reason
    failure = entry.failure
    position = ""
    if failure.row:
        position += f", row {failure.row}"
    if failure.byte:
        position += f", byte {failure.byte}"
    return f"{failure.branch} error {failure.error}{position}: {failure.message}"


def show_use(emulator: Emulator, example: Task | None, screen: Screen) -> None:
    """Print the commands for the emulator that was left running, with an object that it converted, if there is one."""
    environment = emulator.client_environment()
    screen.heading(f"Left running on {emulator.url} (process {emulator.pid}). Send it a file of yours:")
    sources = list_sources(load_deployed(emulator))
    to = "" if len(sources) == 1 else f" --to {shlex.quote(min(sources))}"
    screen.say(f"  millrace demo --upload my.csv{to}")
    screen.say("For the other commands, in a shell of its own:")
    screen.say("  unset AWS_PROFILE AWS_SESSION_TOKEN")
    screen.say(f"  export {' '.join(f'{name}={shlex.quote(environment[name])}' for name in _VARIABLES)}")
    # What differs on the emulator, such as regions, would be trouble to doctor, diff and destroy.
    screen.say(f"  export MILLRACE_CONFIG={shlex.quote(str(find_deployed(emulator)))}")
    screen.say("  millrace status")
    if example is not None:
        screen.say(f"  millrace show {shlex.quote(str(example.source))}")
        screen.say(f"  millrace reprocess {shlex.quote(example.sync)} --key {shlex.quote(example.source.key)}")
    screen.say("  millrace ui")
    screen.say("  millrace demo --stop")
    screen.say(f"(or: kill {emulator.pid}). What the functions say is in {emulator.log}")
