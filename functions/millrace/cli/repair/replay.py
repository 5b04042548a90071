"""`millrace replay`: read rows that were put aside with the present options."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace.cli.completion import COMPLETE_SYNC
from millrace.cli.configuration import DEFAULT_CONFIG, Config
from millrace.cli.deployments import Json, Keys, Name, get_deployments
from millrace.cli.terminal import print_json, print_line
from millrace.config.document import load
from millrace.errors import UsageError
from millrace.objects.references import ObjectRef
from millrace.operations.replay import ReplayCandidate, ReplayFinder, ReplayWay, raw_rows
from millrace.operations.reprocess import SCHEME
from millrace.planning.planner import Planner
from millrace.planning.targets import QUARANTINE_FOLDER
from millrace.remote.deployments import Deployments
from millrace.wording import count_of

if TYPE_CHECKING:
    from millrace.config.document import Document
    from millrace.objects.store import ObjectStore, Stores

_PORTION = 500
_ADVICE: Mapping[ReplayWay, str] = {
    ReplayWay.AGAIN: "converted again with the present options: give --yes",
    ReplayWay.NEWER: "left alone: another version is there, whose own event converts it",
    ReplayWay.GONE: "gone: take their rows as they were with --raw FOLDER, and upload what you mend",
    ReplayWay.UNWANTED: "left alone: the sync does not read such objects any more",
}


SyncArgument = Annotated[
    str, typer.Argument(help="The sync whose bad rows are read again.", autocompletion=COMPLETE_SYNC)
]
YesOption = Annotated[bool, typer.Option("--yes", help="Put them on the queue; without it they are shown.")]
RawOption = Annotated[
    Path | None, typer.Option(help="Write the rows of objects that are gone to files below this folder.")
]


def replay(
    context: typer.Context,
    sync: SyncArgument,
    *,
    key: Keys = None,
    config: Config = DEFAULT_CONFIG,
    yes: YesOption = False,
    raw: RawOption = None,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Read rows that were put aside again, with the present options; without --yes it shows what would be done.

    An object that is there as it was is converted again as a whole: good rows go to its output, rows that are still bad
    to its quarantine, and the counts are those of the whole object. Of an object that is gone the rows are left, which
    --raw takes out as they were.

    Examples: millrace replay to-parquet
              millrace replay to-parquet --key "in/2026 q1.csv" --yes
              millrace replay to-parquet --raw rows/
    """
    from millrace.aws.sessions import Sessions  # noqa: PLC0415 - boto3 takes a third of a second to import

    document = load(config)
    deployments = get_deployments(context)
    _, ledger = deployments.find(name)
    stores = Sessions(document)
    finder = ReplayFinder(planner=Planner(document), stores=stores, ledger=ledger)
    candidates = list(finder.find(sync, _parse_keys(key or (), sync, document)))
    for candidate in candidates:
        _print_candidate(candidate, as_json=as_json)
    if raw is not None:
        _write_raw_rows(candidates, raw, stores)
    sent = _convert_again(deployments, name, sync, candidates) if yes else None
    _print_summary(candidates, sent, as_json=as_json)


def _parse_keys(keys: Sequence[str], sync: str, document: Document) -> list[ObjectRef]:
    source = document.connection(Planner(document).active_sync(sync).source_connection)
    return [ObjectRef.parse(key) if key.startswith(SCHEME) else ObjectRef(source.bucket, key) for key in keys]


def _convert_again(deployments: Deployments, name: str, sync: str, candidates: Sequence[ReplayCandidate]) -> int:
    """Have the deployment convert what can be converted again; the number of objects that it put on the queue."""
    deployed, _ = deployments.find(name)
    keys = [str(candidate.source) for candidate in candidates if candidate.way is ReplayWay.AGAIN]
    sent = 0
    for start in range(0, len(keys), _PORTION):
        event: dict[str, Any] = {"sync": sync, "keys": keys[start : start + _PORTION]}
        sent += deployments.invoke(deployed.reprocess_function, event)["sent"]
    return sent


def _write_raw_rows(
    candidates: Sequence[ReplayCandidate], folder: Path, stores: Stores | Mapping[str, ObjectStore]
) -> None:
    for candidate in candidates:
        if candidate.way is not ReplayWay.GONE or candidate.connection is None:
            continue
        store = stores[candidate.connection]
        for output in candidate.aside:
            path = folder / _relative_path(output.ref)
            path.parent.mkdir(parents=True, exist_ok=True)
            with store.open(output.ref) as opened, path.open("wb") as file:
                for row in raw_rows(opened.stream, str(output.ref)):
                    file.write(row + b"\n")


def _relative_path(quarantine: ObjectRef) -> str:
    """The path of a quarantine object's rows below a folder; raise UsageError where it would lead out of it."""
    _, _, path = f"/{quarantine.key}".partition(f"/{QUARANTINE_FOLDER}/")
    path = path.removesuffix(".jsonl") + ".rows"
    parts = path.split("/")
    if not path.isprintable() or {"", ".", ".."} & set(parts):
        raise UsageError(f"--raw: the key of {quarantine} is no path below a folder; copy that object yourself")
    return path


def _print_candidate(candidate: ReplayCandidate, *, as_json: bool) -> None:
    places = [str(output.ref) for output in candidate.aside]
    if as_json:
        print_json(
            {
                "source": str(candidate.source),
                "way": str(candidate.way),
                "rows_quarantined": candidate.rows,
                "quarantine": places,
            }
        )
        return
    where = ", ".join(places)
    print_line(f"{candidate.way}: {candidate.source}, {count_of(candidate.rows, 'row')} in {where}")


def _print_summary(candidates: Sequence[ReplayCandidate], sent: int | None, *, as_json: bool) -> None:
    """What was found; ``sent`` None: nothing was put on the queue."""
    objects, rows = Counter[ReplayWay](), Counter[ReplayWay]()
    for candidate in candidates:
        objects[candidate.way] += 1
        rows[candidate.way] += candidate.rows
    if as_json:
        counts = {str(way): {"objects": objects[way], "rows": rows[way]} for way in objects}
        print_json({"objects": len(candidates), "ways": counts, "sent": sent or 0, "dry_run": sent is None})
        return
    if not candidates:
        print_line("no object of the sync has rows that were put aside")
    if sent is not None:
        del objects[ReplayWay.AGAIN]
    _print_ways(objects, rows)
    if sent is not None:
        print_line(f"put {count_of(sent, 'object')} on the queue, to be converted again with the present options")


def _print_ways(objects: Counter[ReplayWay], rows: Counter[ReplayWay]) -> None:
    for way in ReplayWay:
        if objects[way]:
            print_line(f"{count_of(objects[way], 'object')}, {count_of(rows[way], 'row')}: {_ADVICE[way]}")
