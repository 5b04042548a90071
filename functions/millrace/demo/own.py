"""The flow of somebody's own configuration: deploy it to the emulator, send files, show what came of each."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from millrace.config.document import Document, load
from millrace.demo.adapting import AdaptedConfiguration, adapt_document
from millrace.demo.deploy import DeployError
from millrace.demo.deployed import DemoFailure, DeployedDemo, Task, is_final
from millrace.demo.emulator import Emulator, EmulatorError, running
from millrace.demo.kept import kept, recall
from millrace.demo.preview import can_preview, preview
from millrace.demo.results import describe_outcome, show_use
from millrace.demo.screen import Screen, Step
from millrace.demo.sending import SentFile, list_sources, place_files, place_folders
from millrace.demo.steps import deploy_stacks, upload_files
from millrace.errors import UsageError
from millrace.ledger.entries import DONE, Entry
from millrace.planning.targets import QUARANTINE_FOLDER
from millrace.wording import count_of, list_counts

_SECONDS = 180.0
_QUIET_SECONDS = 1.0
_SILENT_SECONDS = 10.0
"""For which the queues are empty although the ledger has not heard of a file."""
_POLL_SECONDS = 0.3
_PREVIEW_ROWS = 5


@dataclass(frozen=True, slots=True)
class OwnRun:
    """What was sent, and what the ledger says of it: an entry for each sync that wants a file, None for none yet."""

    sent: Sequence[SentFile]
    entries: Mapping[Task, Entry | None]

    @property
    def failed(self) -> list[Task]:
        """What did not come out: failed, or not settled in time."""
        return [task for task, entry in self.entries.items() if entry is None or _is_trouble(entry)]


def run_own(*, config: Path, data: Sequence[str], keep: bool, console: Console) -> int:
    """Show what becomes of files under a configuration of somebody's own; 1 if something could not be converted.

    Raises InvalidConfiguration and UsageError, before anything is started.
    """
    screen = Screen(console)
    adapted = adapt_document(load(config))
    sent = place_folders(data, list_sources(adapted.document))
    if keep and (emulator := recall()):
        raise UsageError(f"a demonstration is left running on {emulator.url}; stop it: millrace demo --stop")
    screen.heading(f"{config} on a local emulator: the real stacks, the real CDK, the real functions; no AWS account")
    for note in adapted.notes:
        screen.say(f"  not as written: {note}")
    try:
        with contextlib.ExitStack() as stack:
            with screen.step("Start the emulator") as step:
                emulator = stack.enter_context(kept() if keep else running())
                step.result = emulator.url
            code = _show(emulator, adapted, sent, screen, keep=keep)
    except (EmulatorError, DeployError, DemoFailure) as failure:
        screen.wrong(str(failure))
        return 1
    if not keep:
        screen.heading("The emulator is stopped; nothing is left running.")
    return code


def upload_to_kept(*, files: Sequence[Path], to: str | None, console: Console) -> int:
    """Send files to the demonstration that was left running; 1 if something could not be converted.

    Raises UsageError if none is running.
    """
    screen = Screen(console)
    emulator = recall()
    if emulator is None:
        raise UsageError("no demonstration is running; start one: millrace demo --keep")
    deployed = DeployedDemo.find(emulator)
    sent = place_files(files, to, list_sources(deployed.document))
    try:
        run = _convert(deployed, sent, screen)
    except DemoFailure as failure:
        screen.wrong(str(failure))
        return 1
    return _report(deployed, run, screen)


def _show(
    emulator: Emulator, adapted: AdaptedConfiguration, sent: Sequence[SentFile], screen: Screen, *, keep: bool
) -> int:
    deployed = _deploy(emulator, adapted, screen)
    code = 0
    if sent:
        code = _report(deployed, _convert(deployed, sent, screen), screen)
    if keep:
        show_use(emulator, _name_example(deployed.document, sent), screen)
    elif not sent:
        screen.say("It can be deployed. Say --data DIR to see files converted, --keep to send some later.")
    return code


def _deploy(emulator: Emulator, adapted: AdaptedConfiguration, screen: Screen) -> DeployedDemo:
    path = emulator.folder / "configuration.json"
    path.write_text(adapted.document.to_json())
    with screen.step("Make the buckets that are there already in your account") as step:
        s3, glue = emulator.client("s3"), emulator.client("glue")
        for bucket in adapted.list_missing_buckets():
            s3.create_bucket(Bucket=bucket)
        for database in adapted.list_databases():
            glue.create_database(DatabaseInput={"Name": database})
        for name in adapted.list_table_buckets():
            emulator.client("s3tables").create_table_bucket(name=name)
        step.result = ", ".join(adapted.list_missing_buckets()) or "none: the stack makes all"
    return deploy_stacks(emulator, path, screen, _name_syncs)


def _name_syncs(document: Document) -> str:
    return ", ".join(sync.name for sync in document.active_syncs())


def _convert(deployed: DeployedDemo, sent: Sequence[SentFile], screen: Screen) -> OwnRun:
    upload_files(deployed, sent, screen)
    tasks = deployed.tasks(each.ref for each in sent)
    listed = _list_silent(deployed, tasks)
    if listed:
        with screen.step("List the sources that do not notify") as step:
            for sync in listed:
                deployed.reconcile(sync)
            step.result = ", ".join(listed)
    with screen.step("Wait for the functions") as step:
        entries = _wait(deployed, tasks, step)
        step.result = list_counts(_count_states(entries))
    return OwnRun(sent, entries)


def _list_silent(deployed: DeployedDemo, tasks: Iterable[Task]) -> list[str]:
    """The syncs whose buckets tell of nothing: a schedule would list them, and nobody waits for that here."""
    document, syncs = deployed.document, {task.sync for task in tasks}
    silent = []
    for sync in document.active_syncs():
        source = document.connection(document.source_connection_of(sync))
        if sync.name in syncs and source.notifications is None:
            silent.append(sync.name)
    return silent


class _Watch:
    """Sees whether anything still goes on: messages in the queues, entries that are not settled."""

    def __init__(self, deployed: DeployedDemo, tasks: Sequence[Task]) -> None:
        self._deployed, self._tasks = deployed, tasks
        self._quiet_since: float | None = None
        self.entries: dict[Task, Entry | None] = {}
        self.messages = 0

    def look(self) -> None:
        """Ask the ledger and the queues."""
        # The queues first: what is settled between the two questions counts as settled.
        self.messages = sum(map(self._deployed.messages, self._deployed.resources.queues.values()))
        self.entries = {task: self._deployed.entry(task) for task in self._tasks}
        if self.messages:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = time.monotonic()

    def is_over(self) -> bool:
        """Whether the queues have been empty for a moment, or nobody but a person can change what is left."""
        if self._quiet_since is None:
            return _is_stuck(self.entries)
        patience = _SILENT_SECONDS if None in self.entries.values() else _QUIET_SECONDS
        return time.monotonic() - self._quiet_since > patience

    def list_pending(self) -> list[Task]:
        """What is not settled."""
        return [task for task, entry in self.entries.items() if entry is None or not is_final(entry)]


def _wait(deployed: DeployedDemo, tasks: Sequence[Task], step: Step) -> dict[Task, Entry | None]:
    """The entries when all is over; raises DemoFailure with what is known if it takes too long."""
    deadline = time.monotonic() + _SECONDS
    watch = _Watch(deployed, tasks)
    watch.look()
    while not watch.is_over():
        step.update(f"{count_of(watch.messages, 'message')} in the queues; {list_counts(_count_states(watch.entries))}")
        if time.monotonic() > deadline:
            raise DemoFailure(deployed.diagnosis(watch.list_pending(), _SECONDS))
        time.sleep(_POLL_SECONDS)
        watch.look()
    return watch.entries


def _is_stuck(entries: Mapping[Task, Entry | None]) -> bool:
    """Whether all is settled but for what a person has to mend: such messages come back for a day."""
    # Without an entry an object may still be on its way; then nothing is stuck.
    found = [entry for entry in entries.values() if entry is not None]
    is_blocked = any(not entry.settled for entry in found)
    return is_blocked and len(found) == len(entries) and all(map(is_final, found))


def _count_states(entries: Mapping[Task, Entry | None]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for entry in entries.values():
        state = "unknown to the ledger" if entry is None else str(entry.state)
        counts[state] = counts.get(state, 0) + 1
    return counts


def _is_trouble(entry: Entry) -> bool:
    return entry.failure is not None or not (entry.settled or entry.state in DONE)


def _report(deployed: DeployedDemo, run: OwnRun, screen: Screen) -> int:
    screen.heading("What came out, as the ledger tells it")
    for each in run.sent:
        _report_file(each, run, screen)
    _show_outputs(deployed, screen)
    _preview(deployed, run, screen)
    if run.failed:
        screen.wrong(f"{len(run.failed)} of {len(run.entries)} did not come out; `millrace errors CODE` explains each")
    return 1 if run.failed else 0


def _report_file(sent: SentFile, run: OwnRun, screen: Screen) -> None:
    screen.say(f"  {sent.ref}")
    found = {task: entry for task, entry in run.entries.items() if task.source == sent.ref}
    for task, entry in found.items():
        if entry is None:
            screen.result("unknown", f"{task.sync}: the ledger has no entry; no event of it came")
        else:
            screen.result(entry.state, f"{task.sync}: {describe_outcome(entry)}")
    if not found:
        screen.result("not read", "no active sync wants it; `millrace plan` says why")


def _show_outputs(deployed: DeployedDemo, screen: Screen) -> None:
    outputs = deployed.list_outputs()
    screen.heading(f"{count_of(len(outputs), 'object')} in the destinations")
    for ref, size in outputs[:40]:
        screen.say(f"  {size:>12,} bytes  {ref}")
    if len(outputs) > 40:
        screen.say(f"  and {len(outputs) - 40} more")


def _preview(deployed: DeployedDemo, run: OwnRun, screen: Screen) -> None:
    for entry in run.entries.values():
        for output in entry.outputs if entry else ():
            # Rows that were put aside show why, not what came out.
            is_aside = f"/{QUARANTINE_FOLDER}/" in f"/{output.ref.key}"
            if can_preview(output.ref.key) and not is_aside:
                screen.heading(f"The first rows of {output.ref}, made of {entry.source if entry else ''}")
                screen.table(*preview(output.ref, deployed.read(output.ref), rows=_PREVIEW_ROWS))
                return


def _name_example(document: Document, sent: Sequence[SentFile]) -> Task | None:
    sync = next(iter(document.active_syncs()), None)
    return Task(sync.name, sent[0].ref) if sync and sent else None
