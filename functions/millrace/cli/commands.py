"""The commands by name; a command's module, and with it pyarrow, pydantic or boto3, is imported when it runs."""

from __future__ import annotations

import inspect
import shutil
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from millrace.cli.extras import Extra, require_extra
from millrace.cli.interrupts import CODE, NOTHING_CHANGED, describe_interrupt
from millrace.cli.waiting import show_waiting

Command = Any
"""Typer's own base class of commands, which it does not export."""


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command's name, where its function (or its Typer with sub-commands) lies, and its line in the help.

    ``extra``: what has to be installed beside the package itself; None: nothing. ``left``: what Ctrl-C leaves.
    """

    name: str
    module: str
    attribute: str
    summary: str
    extra: Extra | None = None
    left: str = NOTHING_CHANGED

    def load_part(self) -> Any:
        """The function, or the Typer, with its module imported."""
        return getattr(import_module(f"millrace.cli.{self.module}"), self.attribute)


_HELP = frozenset({"-h", "--help"})

COMMANDS = (
    CommandEntry(
        "demo",
        "demo",
        "demo",
        "Show the whole system on this machine: no AWS account, no Docker.",
        extra="demo",
        left="nothing is left running",
    ),
    CommandEntry(
        "convert",
        "local.convert",
        "convert",
        "Convert one file, or many, without AWS. The target is whole or absent, whatever happens.",
        left="targets that are finished are whole, all others are as they were",
    ),
    CommandEntry(
        "explain",
        "local.explain",
        "explain",
        "Explain what conversion would make of a file, and why. Nothing is written; all of the file is read.",
    ),
    CommandEntry(
        "init",
        "beginning.command",
        "init",
        "Write a configuration to begin with: asks what it needs to know, or takes it all as options.",
        left="nothing was written",
    ),
    CommandEntry(
        "validate",
        "configuration",
        "validate",
        "Check a configuration: all problems at once, each with the path of its field. Nothing is contacted.",
    ),
    CommandEntry(
        "errors",
        "errors.command",
        "errors",
        "Explain an error class: what it means, what becomes of the work, and what to do. Nothing is contacted.",
    ),
    CommandEntry(
        "import",
        "local.import_answers",
        "import_command",
        "Make a configuration of what Polytomic's API answers; says what a person must do, and what was passed over.",
    ),
    CommandEntry("schema", "configuration", "schema", "Print the JSON Schema of the configuration file, for editors."),
    CommandEntry(
        "deploy",
        "stacks.deploy",
        "deploy",
        "Deploy a configuration to your AWS account: shows what will be made and what it costs when idle, then asks.",
        extra="deploy",
        left="nothing was deployed",
    ),
    CommandEntry(
        "diff",
        "stacks.deploy",
        "diff",
        "Show what a deployment would change in your AWS account, resource by resource. Nothing is changed.",
        extra="deploy",
    ),
    CommandEntry(
        "destroy",
        "stacks.destroy",
        "destroy",
        "Take a deployment's functions away, and with --storage its queues; says what stays, then asks.",
        extra="deploy",
        left="nothing was destroyed",
    ),
    CommandEntry(
        "doctor",
        "deployed.doctor",
        "doctor",
        "Prove the wiring: credentials, buckets, notifications, queues, keys. Says what is wrong and what to do.",
        extra="aws",
        left="nothing was changed; an output of --canary may be there, with millrace-canary- in its name",
    ),
    CommandEntry(
        "status",
        "deployed.status",
        "status",
        "Show how it is going: queues, objects by sync and state, failures.",
        extra="aws",
    ),
    CommandEntry(
        "ui",
        "ui",
        "ui",
        "Show a deployment on a page in the browser: lag, failures by cause, objects and their stories.",
        extra="ui",
        left="the page is gone, and nothing was changed",
    ),
    CommandEntry(
        "show",
        "deployed.show",
        "show",
        "Show what the ledger knows of one source object, under each sync; or of a table, by its folder and name.",
        extra="aws",
    ),
    CommandEntry(
        "history",
        "deployed.history",
        "history",
        "List finished work: what became of each object, with rows, bytes, seconds and an estimated cost.",
        extra="aws",
    ),
    CommandEntry(
        "costs",
        "deployed.history",
        "costs",
        "Sum finished work by sync, folder or day: GB-seconds, requests and estimated dollars.",
        extra="aws",
    ),
    CommandEntry(
        "plan",
        "deployed.plan",
        "plan",
        "Say what would become of objects, before anything is done: whose they are, where they go, why not.",
        extra="aws",
    ),
    CommandEntry(
        "reprocess",
        "repair.runs",
        "reprocess",
        "Convert objects again, also what is converted; without a choice: all objects of the sync.",
        extra="aws",
        left="what was put on the queue stays there and is converted",
    ),
    CommandEntry(
        "backfill",
        "repair.backfill",
        "backfill",
        "Convert what a bucket held already, on a queue of its own, so that live files do not wait.",
        extra="aws",
        left="a backfill that has begun goes on; `millrace backfill --status` shows it",
    ),
    CommandEntry(
        "replay",
        "repair.replay",
        "replay",
        "Read rows that were put aside again, with the present options; without --yes it shows what would be done.",
        extra="aws",
        left="what was put on the queue stays there and is converted",
    ),
    CommandEntry(
        "reconcile",
        "repair.runs",
        "reconcile",
        "Compare a sync's source with the ledger now: what is new, changed or gone is put on the queue.",
        extra="aws",
        left="what was put on the queue stays there and is converted",
    ),
    CommandEntry(
        "runs",
        "deployed.big_runs",
        "runs",
        "Big runs: objects and tables that are more than one invocation can do, converted in parts side by side.",
        extra="aws",
        left="a run that was being stopped or resumed may be; `millrace runs list` shows it",
    ),
    CommandEntry(
        "webhooks",
        "deployed.webhooks",
        "webhooks",
        "Webhooks: what is sent where, and whether receivers take it.",
        extra="aws",
        left="a test event may have been sent",
    ),
    CommandEntry(
        "audit",
        "deployed.audit",
        "audit",
        "Account for every object: join the listing of each source with the ledger, and count by state.",
        extra="aws",
        left="nothing was changed but by --restore: what was put on the queue stays there and is converted",
    ),
    CommandEntry(
        "resume",
        "repair.resume",
        "resume",
        "Receive again from event sources that configuration errors paused, and end the alarm.",
        extra="aws",
        left="what was resumed stays so; `millrace resume --dry-run` shows what is paused",
    ),
    CommandEntry(
        "dead-letters",
        "repair.dead_letters",
        "dead_letters",
        "Show the messages of the dead-letter queue, what they name and why they are there; they stay where they are.",
        extra="aws",
        left="messages that were deleted stay so, all others stay where they are",
    ),
    CommandEntry(
        "redrive",
        "repair.dead_letters",
        "redrive",
        "Put messages of the dead-letter queue back on the queues that they came from, to be tried again.",
        extra="aws",
        left="no message is lost; the last one may be there twice, and is done once",
    ),
    CommandEntry(
        "connections",
        "configuration",
        "connections",
        "Show connections with what their AWS side needs: external id, policies, user. `store` keeps keys safely.",
        left="nothing was changed, unless keys were being stored: store them again",
    ),
    CommandEntry(
        "forget",
        "repair.forget",
        "forget",
        "Remove what the ledger has of a sync that the configuration no longer has; outputs stay.",
        extra="aws",
        left="what was removed stays so; the same command goes on",
    ),
    CommandEntry(
        "ledger",
        "repair.ledger",
        "ledger",
        "The ledger as a whole.",
        extra="aws",
        left="what was put back stays so; the same command goes on",
    ),
)
"""In the order of the help. A test compares each summary with what the command says of itself."""


def load_command(entry: CommandEntry) -> Command:
    """The whole command, as Typer makes it."""
    part = entry.load_part()
    parent = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    if isinstance(part, typer.Typer):
        parent.add_typer(part, name=entry.name)
    else:
        parent.command(entry.name)(part)
    return get_group(parent).commands[entry.name]


def _fit_help(command: Any, *, is_narrow: bool) -> None:
    """Let a help's text fill its lines, and show a narrow one without tables.

    A table of options shares 80 columns among six of its own, so that words were cut: ``--json-parent-fie…``.
    """
    sub_commands = getattr(command, "commands", {})
    if is_narrow and not sub_commands:
        command.rich_markup_mode = None
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    command.help = "\n\n".join(_fill_paragraph(text, is_narrow=is_narrow) for text in paragraphs)
    for sub_command in sub_commands.values():
        _fit_help(sub_command, is_narrow=is_narrow)


def _fill_paragraph(text: str, *, is_narrow: bool) -> str:
    """A paragraph as one line; examples keep theirs, for which a help without tables wants a mark."""
    if not text.startswith(("Example", " ")):
        return " ".join(text.split())
    return f"\b\n{text}" if is_narrow and "\n" in text else text


_COLUMNS_FOR_TABLES = 100
"""From here on the widest help, that of `convert`, is whole in a table."""


class LazyCommands(TyperGroup):
    """A group that lists its commands from a table, and imports the one that is called.

    `millrace --help` asks each command for its name and summary alone: a TyperCommand without a function has both.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for entry in COMMANDS:
            self.add_command(TyperCommand(entry.name, help=entry.summary))
        self._called: CommandEntry | None = None

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name; who interrupts it hears what is left."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            left = self._called.left if self._called else NOTHING_CHANGED
            _say_interrupted(describe_interrupt(error, left))
            raise typer.Exit(CODE) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """The command that the arguments name, loaded, and the arguments that are left for it.

        Raises: MissingExtra if it needs packages that are not installed; its help is shown without them.
        """
        name, command, rest = super().resolve_command(ctx, args)
        is_to_run = not ctx.resilient_parsing and _HELP.isdisjoint(rest)  # completion parses, and runs nothing
        for entry in COMMANDS:
            if entry.name == name:
                if is_to_run:
                    self._prepare(ctx, entry)
                command = load_command(entry)
                _fit_help(command, is_narrow=shutil.get_terminal_size().columns < _COLUMNS_FOR_TABLES)
        return name, command, rest

    def _prepare(self, ctx: Any, entry: CommandEntry) -> None:
        self._called = entry
        if entry.extra is not None:
            require_extra(entry.extra, f"millrace {entry.name}")
        if entry.extra == "aws":
            ctx.with_resource(show_waiting(f"millrace {entry.name}"))


def _say_interrupted(text: str) -> None:
    from millrace.cli.terminal import print_line  # noqa: PLC0415 - it needs rich

    print_line(text, err=True)
