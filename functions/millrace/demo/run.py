"""The demonstration's flow: deploy, upload, watch the functions convert, show the result, ask again, clean up."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pyarrow as pa
from rich.console import Console

from millrace.config.document import Document
from millrace.demo.deploy import DeployError
from millrace.demo.deployed import DemoFailure, DeployedDemo, Task
from millrace.demo.emulator import Emulator, EmulatorError, running, stop
from millrace.demo.kept import forget, kept, recall
from millrace.demo.large import FOLDER, row_differences, write_large
from millrace.demo.preview import preview
from millrace.demo.results import describe_outcome, show_use
from millrace.demo.samples import SEED
from millrace.demo.screen import Screen
from millrace.demo.sending import SentFile, object_in
from millrace.demo.steps import deploy_stacks, upload_files
from millrace.deployment.project import find_project
from millrace.ledger.entries import DONE, Entry, State
from millrace.mappings import pick
from millrace.objects.references import ObjectRef
from millrace.wording import count_of, list_counts

_CONVERT_SECONDS = 180.0
_AGAIN_SECONDS = 60.0
_DATA_FOLDER = "data"
_SHOWN_AGAIN = "2026-09.csv"
_PREVIEW_ROWS = 5
_INTERRUPTED = 130
"""What shells give for Ctrl-C: 128 and the signal's number, 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoUpload(SentFile):
    """A file and where it goes; ``ours`` must come out converted, and with exactly ``rows`` if they are known."""

    ours: bool
    rows: pa.Table | None = None


def run_demo(*, keep: bool, data: Path | None, console: Console) -> int:
    """Show the whole way; ``data`` names a folder of files to convert besides the examples.

    Returns 0 where all came as promised, 1 where it did not, 2 where it cannot be asked for like this.
    """
    screen = Screen(console)
    if (refusal := _refuse_request(data, keep=keep)) is not None:
        screen.wrong(refusal)
        return 2
    screen.heading("Millrace on a local emulator: the real stacks, the real CDK, the real functions; no AWS account")
    try:
        with contextlib.ExitStack() as stack:
            with screen.step("Start the emulator") as step:
                emulator = stack.enter_context(kept() if keep else running())
                step.result = emulator.url
            example = _show(emulator, _data_folder(data), screen)
            if keep:
                show_use(emulator, example, screen)
    except (EmulatorError, DeployError, DemoFailure) as failure:
        screen.wrong(str(failure))
        return 1
    except KeyboardInterrupt:
        screen.wrong("interrupted; nothing is left running")
        return _INTERRUPTED
    if not keep:
        screen.heading("All came as promised. The emulator is stopped; nothing is left running.")
    return 0


def _refuse_request(data: Path | None, *, keep: bool) -> str | None:
    """Why the demonstration cannot start like this; None if it can."""
    if data is not None and not data.is_dir():
        return f"--data {data} is not a folder"
    if keep and (emulator := recall()):
        return (
            f"a demonstration is left running on {emulator.url} (process {emulator.pid}); stop it: millrace demo --stop"
        )
    return None


def stop_demo(*, console: Console) -> int:
    """Stop the demonstration that was left running; 0 also where there is none."""
    screen = Screen(console)
    if (emulator := recall()) is None:
        screen.say("no demonstration is running")
    else:
        stop(emulator)
        screen.say(f"stopped the emulator on {emulator.url} (process {emulator.pid})")
    forget()
    return 0


def _data_folder(given: Path | None) -> Path | None:
    beside = find_project().root.parent / "shared" / "data"
    return given or (beside if beside.is_dir() else None)


def _show(emulator: Emulator, data: Path | None, screen: Screen) -> Task:
    deployed = deploy_stacks(emulator, find_project().examples / "millrace.yaml", screen, _describe_syncs)
    uploads = list(_uploads(deployed, data))
    entries = _convert(deployed, uploads, screen)
    _report(entries, uploads, screen)
    _compare_rows(deployed, entries, uploads, screen)
    _preview(deployed, entries, screen)
    example = _example(entries, uploads)
    _show_nothing_twice(deployed, example, uploads, screen)
    _show_reprocessing(deployed, example, screen)
    _show_dead_letters(deployed, screen)
    return example


def _describe_syncs(document: Document) -> str:
    syncs = [sync.name for sync in document.active_bulk_syncs()]
    return f"{len(syncs)} syncs: {', '.join(syncs)}"


def _uploads(deployed: DeployedDemo, data: Path | None) -> Iterator[DemoUpload]:
    """The examples, the large objects, and the files of the person's own folder, if one was named."""
    examples = find_project().examples / "data"
    for file in _files(examples):
        yield DemoUpload(file=file, ref=deployed.ref(file.relative_to(examples).as_posix()), ours=True)
    large = deployed.folders()[0].child(FOLDER)
    for file, rows in write_large(deployed.emulator.folder / FOLDER, SEED).items():
        yield DemoUpload(file=file, ref=object_in(large, file.name), ours=True, rows=rows)
    if data is not None:
        folder = deployed.folders()[0].child(_DATA_FOLDER)
        for file in _files(data):
            yield DemoUpload(file=file, ref=object_in(folder, file.relative_to(data).as_posix()), ours=False)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))


def _convert(deployed: DeployedDemo, uploads: Sequence[DemoUpload], screen: Screen) -> Mapping[Task, Entry]:
    upload_files(deployed, uploads, screen)
    tasks = deployed.tasks(upload.ref for upload in uploads)
    with screen.step("Wait for the function to convert them") as step:
        done: list[Entry] = []

        def count(entry: Entry) -> None:
            done.append(entry)
            step.count(len(done), len(tasks))

        entries = deployed.wait(tasks, seconds=_CONVERT_SECONDS, on_entry=count)
        step.result = list_counts(_count_states(done))
    # In the order of the uploads: they were settled in any.
    return pick(entries, *tasks)


def _count_states(entries: Sequence[Entry]) -> dict[State, int]:
    """How many entries are in each state, in the order in which the states are declared."""
    counts = Counter(entry.state for entry in entries)
    return pick(counts, *State)


def _list_promised(uploads: Iterable[DemoUpload]) -> set[ObjectRef]:
    """The objects of ours: they must come out converted."""
    return {upload.ref for upload in uploads if upload.ours}


def _report(entries: Mapping[Task, Entry], uploads: Sequence[DemoUpload], screen: Screen) -> None:
    screen.heading("What came out, as the ledger tells it")
    for source, group in groupby(entries.values(), key=lambda entry: entry.source):
        screen.say(f"  {source}")
        for entry in group:
            screen.result(entry.state, f"{entry.sync}: {describe_outcome(entry)}")
    ours = _list_promised(uploads)
    spoilt = [str(entry.source) for entry in entries.values() if not _is_promised(entry, ours)]
    if spoilt:
        raise DemoFailure(f"{len(spoilt)} objects did not end as promised: {', '.join(spoilt)}")


def _is_promised(entry: Entry, ours: set[ObjectRef]) -> bool:
    """The examples must be converted; anybody's own file may also be refused for its content, with the reason."""
    return entry.state in DONE if entry.source in ours else entry.settled


def _compare_rows(
    deployed: DeployedDemo, entries: Mapping[Task, Entry], uploads: Sequence[DemoUpload], screen: Screen
) -> None:
    """Read the large objects' outputs with other readers than Millrace's, and compare every row."""
    expected = {upload.ref: upload.rows for upload in uploads if upload.rows is not None}
    with screen.step("Compare every row of the large objects") as step:
        outputs, rows = 0, 0
        for entry in entries.values():
            if (table := expected.get(entry.source)) is None:
                continue
            ref = entry.outputs[0].ref
            step.update(str(ref))
            if differences := row_differences(table, ref.key, deployed.read(ref)):
                raise DemoFailure(f"{ref} does not hold the rows of {entry.source}: {'; '.join(differences)}")
            outputs, rows = outputs + 1, rows + table.num_rows
        step.result = f"{count_of(rows, 'row')} in {count_of(outputs, 'output')}, each as it was, in its order"


def _example(entries: Mapping[Task, Entry], uploads: Sequence[DemoUpload]) -> Task:
    ours = _list_promised(uploads)
    return _choose_shown([task for task in entries if task.source in ours])


def _choose_shown(tasks: Sequence[Task]) -> Task:
    """The example that people know from the documents, or the first task."""
    for task in tasks:
        if task.source.key.endswith(_SHOWN_AGAIN):
            return task
    return tasks[0]


def _preview(deployed: DeployedDemo, entries: Mapping[Task, Entry], screen: Screen) -> None:
    entry = entries[_choose_shown(list(entries))]
    output = entry.outputs[0]
    screen.heading(f"The first rows of {output.ref}, made of {entry.source}")
    names, rows = preview(output.ref, deployed.read(output.ref), rows=_PREVIEW_ROWS)
    screen.table(names, rows)


def _show_nothing_twice(deployed: DeployedDemo, task: Task, uploads: Sequence[DemoUpload], screen: Screen) -> None:
    screen.heading("Nothing is done twice, unless somebody asks")
    with screen.step(f"Upload {task.source} again, unchanged") as step:
        before, version = _standing(deployed, task)
        reads = deployed.function_calls()["GetItem"]
        files = {upload.ref: upload.file for upload in uploads}
        deployed.upload(task.source, files[task.source].read_bytes())
        deployed.wait_for_calls("GetItem", more_than=reads, seconds=_AGAIN_SECONDS)
        deployed.wait_until_idle(seconds=_AGAIN_SECONDS)
        after, version_after = _standing(deployed, task)
        if (after.fence, after.outputs, version_after) != (before.fence, before.outputs, version):
            raise DemoFailure(f"the second upload was worked on: {before} became {after}; {version}, {version_after}")
        step.result = f"seen and not done twice: fence {after.fence}, output {version[0]} of {version[1]} as before"


def _show_reprocessing(deployed: DeployedDemo, task: Task, screen: Screen) -> None:
    with screen.step("Reprocess it by hand") as step:
        before, version = _standing(deployed, task)
        answer = deployed.reprocess({"sync": task.sync, "keys": [task.source.key]})
        run_id = answer["run_id"]
        entries = deployed.wait(
            [task], seconds=_AGAIN_SECONDS, until=lambda entry: entry.run_id == run_id and entry.state in DONE
        )
        after, version_after = entries[task], deployed.version(entries[task].outputs[0].ref)
        if after.fence != before.fence + 1 or version_after[0] != version[0]:
            raise DemoFailure(f"expected one more claim and the same bytes: {before} became {after}; {version_after}")
        step.result = (
            f"run {run_id}: converted once more, fence {before.fence} to {after.fence}, same bytes {version[0]}"
        )


def _standing(deployed: DeployedDemo, task: Task) -> tuple[Entry, tuple[str, str, str | None]]:
    entry = deployed.entry(task)
    if entry is None or not entry.outputs:
        raise DemoFailure(f"{task.source} under sync {task.sync!r} has no output")
    return entry, deployed.version(entry.outputs[0].ref)


def _show_dead_letters(deployed: DeployedDemo, screen: Screen) -> None:
    deployed.wait_until_idle(seconds=_AGAIN_SECONDS)
    if dead := deployed.messages(deployed.resources.dead_letter_queue):
        raise DemoFailure(f"{dead} messages are in the dead-letter queue; expected none")
    screen.say("No message is left in a queue, none in the dead-letter queue.")
