"""`millrace plan`: what would become of objects, what is stale, and what doing it again would take."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace import __version__
from millrace.cli.completion import COMPLETE_ATTENTION, COMPLETE_SYNC
from millrace.cli.configuration import DEFAULT_CONFIG, Config
from millrace.cli.counting import counting
from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.repair.staleness import By, parse_reasons
from millrace.cli.terminal import print_json, print_line
from millrace.config.bulk_sync import BulkSync
from millrace.config.document import Document, load
from millrace.config.model_sync import ModelSync
from millrace.engine.parallel import in_order
from millrace.errors import MillraceError, UsageError
from millrace.ledger.entries import DONE, NEEDS_ATTENTION, Entry, State
from millrace.ledger.stores import LedgerStore
from millrace.mappings import leave_out_none
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectStore, Stores
from millrace.operations.forecast import SAMPLE, Forecast, Speed
from millrace.operations.reprocess import SCHEME, resolve_prefix
from millrace.operations.stale import StaleFinder, StaleReason
from millrace.operations.survey import Survey
from millrace.planning.descriptions import Description, describe_plan
from millrace.planning.planner import ActiveSync, Planner
from millrace.remote.deployments import Deployments
from millrace.wording import count_of, describe_size, join_names

if TYPE_CHECKING:
    from millrace.aws.deployed import Deployed
    from millrace.aws.dynamodb_ledger import DynamoDBLedger
    from millrace.aws.sessions import Sessions

_LABEL_WIDTH = 12
"""Of what stands before each line of a description."""
_SHOWN = 10
"""Tables and reasons that are shown; --json has them all."""
_READ_AT_ONCE = 16
"""Entries that are read whole side by side."""
_SAMPLED_FROM = 10 * SAMPLE
"""Entries among which conversions are looked for, to learn the speed from."""

KeysArgument = Annotated[
    list[str] | None, typer.Argument(metavar="KEY", help="Keys, or s3://bucket/key; they need not exist.")
]
SyncOption = Annotated[
    str | None, typer.Option(help="Only this sync; without keys: all of its objects.", autocompletion=COMPLETE_SYNC)
]
PrefixOption = Annotated[str | None, typer.Option(help="All objects below it, as reprocess takes it.")]
StateOption = Annotated[
    str | None,
    typer.Option(help="All objects in this state: failed, waiting or in flight.", autocompletion=COMPLETE_ATTENTION),
]
StaleOption = Annotated[bool, typer.Option("--stale", help="What would be another output if written now.")]


def plan(
    context: typer.Context,
    keys: KeysArgument = None,
    *,
    sync: SyncOption = None,
    prefix: PrefixOption = None,
    state: StateOption = None,
    stale: StaleOption = False,
    by: By = None,
    show_each: Annotated[bool, typer.Option("--list", help="Show each object, not only counts.")] = False,
    config: Config = DEFAULT_CONFIG,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Say what would become of objects, before anything is done: whose they are, where they go, why not.

    Of keys it says it from the configuration alone. Of a sync or a prefix it lists the bucket, counts tables and what
    is passed over, and says how long a reprocess takes and what it costs, by what earlier conversions took. With
    --stale it reads the ledger: what a change of the configuration, the engine or a schema made stale.

    Examples: millrace plan in/2026/orders.csv

              millrace plan --sync to-parquet --prefix in/2026/

              millrace plan --sync to-parquet --stale --by configuration
    """
    planner = Planner(load(config))
    if keys:
        _refuse_with_keys(prefix=prefix, state=state, stale=stale or None)
        _print_keys(planner, keys, sync, as_json=as_json)
        return
    selection = Selection(prefix=prefix, state=_parse_state(state), stale=parse_reasons(by, is_stale=stale))
    for active in _find_syncs(planner, sync, prefix):
        outlook = Outlook(planner, active, _open_stores(planner), get_deployments(context), name)
        _print_survey(outlook, selection, show_each=show_each, as_json=as_json)


def _open_stores(planner: Planner) -> Sessions:
    from millrace.aws.sessions import Sessions  # noqa: PLC0415 - needs botocore, which is slow to import

    return Sessions(planner.document)


def _refuse_with_keys(**options: object) -> None:
    given = [f"--{option}" for option, value in options.items() if value is not None]
    if given:
        raise UsageError(f"keys and {join_names(given)} were given together; give one of them")


def _parse_state(state: str | None) -> State | None:
    if state is None:
        return None
    if state not in NEEDS_ATTENTION:
        accepted = join_names(sorted(NEEDS_ATTENTION), before_last="or")
        raise UsageError(f"--state is {state!r}; expected {accepted} (for others name a prefix)")
    return State(state)


def _find_syncs(planner: Planner, sync: str | None, prefix: str | None) -> list[ActiveSync]:
    if sync is not None:
        return [planner.active_sync(sync)]
    if prefix is None or not prefix.startswith(SCHEME):
        raise UsageError("say of what: keys, --sync NAME, or --prefix s3://bucket/prefix; see `millrace plan --help`")
    readers = []
    for active in map(planner.active_sync, _name_active(planner.document)):
        # An address says the bucket: syncs of other folders are passed over, and none at all is an error.
        with suppress(UsageError):
            resolve_prefix(prefix, active.folder)
            readers.append(active)
    if not readers:
        raise UsageError(f"no active sync reads {prefix}")
    return readers


def _name_active(document: Document) -> list[str]:
    return [sync.name for sync in document.active_syncs()]


def _print_keys(planner: Planner, keys: Iterable[str], sync: str | None, *, as_json: bool) -> None:
    for key in keys:
        for ref in _to_refs(planner, key, sync):
            plans = planner.plan(ref, only=sync)
            for plan_of_ref in plans:
                _print_description(describe_plan(plan_of_ref, ref), as_json=as_json)
            if not plans:
                _print_nobody(planner, ref, as_json=as_json)


def _to_refs(planner: Planner, key: str, sync: str | None) -> list[ObjectRef]:
    """The objects that a key may name: one in each bucket that is read."""
    if key.startswith(SCHEME):
        return [ObjectRef.parse(key)]
    names = [sync] if sync is not None else _name_active(planner.document)
    buckets = dict.fromkeys(planner.active_sync(name).folder.bucket for name in names)
    return [ObjectRef(bucket, key) for bucket in buckets]


def _print_description(description: Description, *, as_json: bool) -> None:
    if as_json:
        fields = asdict(description) | {"source": str(description.source)}
        if description.newer_than is not None:
            fields["newer_than"] = description.newer_than.isoformat()
        print_json(leave_out_none(fields))
        return
    print_line(str(description.source))
    _print_field("sync", description.sync)
    if description.is_ignored:
        _print_field("ignored", description.reason or "")
        return
    for label, text in (
        ("reads", description.reads),
        ("table", description.table),
        ("output", description.output),
        ("bad rows", description.quarantine),
        ("note", description.note),
        ("read if", _describe_time(description.newer_than)),
        ("trouble", description.reason),
    ):
        if text is not None:
            _print_field(label, text)


def _describe_time(newer_than: datetime | None) -> str | None:
    return None if newer_than is None else f"it was modified after {newer_than.isoformat()}"


def _print_field(label: str, text: str) -> None:
    print_line(f"  {label + ':':<{_LABEL_WIDTH}}{text}")


def _print_nobody(planner: Planner, ref: ObjectRef, *, as_json: bool) -> None:
    """Say of each sync why it does not want an object."""
    reasons = dict(_explain_refusals(planner, ref))
    if as_json:
        print_json({"source": str(ref), "sync": None, "reasons": reasons})
        return
    print_line(str(ref))
    for sync, reason in reasons.items():
        print_line(f"  {sync}: {reason}")


def _explain_refusals(planner: Planner, ref: ObjectRef) -> Iterator[tuple[str, str]]:
    syncs: list[BulkSync | ModelSync] = [*planner.document.bulk_syncs, *planner.document.model_syncs]
    for sync in syncs:
        if not sync.active:
            yield sync.name, "is not active"
            continue
        folder = planner.active_sync(sync.name).folder
        if ref.bucket == folder.bucket and ref.key.startswith(folder.prefix):
            yield sync.name, "passes it over: it is a folder's marker, or what Millrace itself remembers"
        else:
            yield sync.name, f"does not read it: its folder is {folder}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which objects of a sync."""

    prefix: str | None = None
    state: State | None = None
    stale: frozenset[StaleReason] = frozenset()


@dataclass(frozen=True, slots=True)
class Outlook:
    """One sync of a deployment, asked what a run would take."""

    planner: Planner
    sync: ActiveSync
    stores: Stores | Mapping[str, ObjectStore]
    deployments: Deployments
    name: str

    def select(self, selection: Selection, survey: Survey) -> Iterator[tuple[Description, int]]:
        """What becomes of each object, and its bytes; what is stale is counted in passing."""
        if selection.stale:
            yield from self._select_stale(selection, survey)
        elif selection.state is not None:
            _, ledger = self.deployments.find(self.name)
            entries = (entry for entry in ledger.needing_attention(selection.state) if entry.sync == self.sync.name)
            for entry in _read_whole(entries, ledger):
                yield from self._describe(entry.source, entry.version.size)
        else:
            yield from self._list(selection)

    def _select_stale(self, selection: Selection, survey: Survey) -> Iterator[tuple[Description, int]]:
        _, ledger = self.deployments.find(self.name)
        finder = StaleFinder(planner=self.planner, index=ledger, ledger=ledger, engine=__version__)
        prefix = resolve_prefix(selection.prefix or "", self.sync.folder)
        for examined in finder.examine(self.sync.name, selection.stale, prefix=prefix):
            if examined.is_stale:
                survey.stale.update(examined.reasons)
                yield from self._describe(examined.entry.source, examined.entry.version.size)
            else:
                survey.not_stale += 1

    def _list(self, selection: Selection) -> Iterator[tuple[Description, int]]:
        folder, store = self.sync.folder, self.stores[self.sync.source_connection]
        for listed in store.list(folder.bucket, resolve_prefix(selection.prefix or "", folder)):
            for description, size in self._describe(listed.ref, listed.size):
                yield description.at_time(listed.modified), size

    def _describe(self, ref: ObjectRef, size: int | None) -> Iterator[tuple[Description, int]]:
        """What the sync makes of an object; nothing if it is not the sync's."""
        for plan_of_ref in self.planner.plan(ref, only=self.sync.name):
            yield describe_plan(plan_of_ref, ref), size or 0

    def forecast(self, survey: Survey) -> Forecast | str:
        """What the objects take, or why nobody can say."""

        def find_queue(deployed: Deployed) -> str | None:
            return deployed.queues.get(self.sync.source_connection)

        return forecast_objects(
            self.deployments, self.name, self.sync.name, survey.objects, survey.size, find_queue=find_queue
        )


def forecast_objects(
    deployments: Deployments,
    name: str,
    sync: str,
    objects: int,
    size: int,
    *,
    find_queue: Callable[[Deployed], str | None],
    concurrency: int | None = None,
) -> Forecast | str:
    """What converting so many objects of a sync takes, with ``size`` bytes in all; or why nobody can say.

    ``find_queue`` gives the URL of the queue that their requests wait in. As many functions are at work as its event
    source says, or ``concurrency`` of them.
    """
    from millrace.aws.function_capacity import read_machines  # noqa: PLC0415 - needs botocore, which is slow to import

    try:
        deployed, ledger = deployments.find(name)
        speed = _learn_speed(ledger, sync)
        if speed is None:
            return "nothing of this sync is converted yet to learn the speed from"
        # The name at the end of the URL, by which the event source says its concurrency.
        queue = (find_queue(deployed) or "").rpartition("/")[2]
        machines = read_machines(deployments.client("lambda"), deployed.convert_function, queue)
    except MillraceError as error:
        return str(error)
    if concurrency is not None:
        machines = replace(machines, concurrency=concurrency)
    return Forecast.make(objects, size, speed, machines)


def _learn_speed(ledger: DynamoDBLedger, sync: str) -> Speed | None:
    done = (entry for entry in islice(ledger.of_sync(sync), _SAMPLED_FROM) if entry.state in DONE)
    return Speed.learn(_read_whole(islice(done, SAMPLE), ledger))


def _read_whole(entries: Iterable[Entry], ledger: LedgerStore) -> Iterator[Entry]:
    """The entries with what an index does not carry; one that is gone by now is as the index had it."""

    def read(entry: Entry) -> Entry:
        return ledger.get(entry.sync, entry.source) or entry

    return in_order(read, entries, workers=_READ_AT_ONCE, ahead=_READ_AT_ONCE)


def _print_survey(outlook: Outlook, selection: Selection, *, show_each: bool, as_json: bool) -> None:
    survey = Survey(outlook.sync.name)
    with counting() as show:
        for description, size in outlook.select(selection, survey):
            survey.add(description, size)
            show(f"{survey.sync}: {count_of(survey.objects, 'object')}, {describe_size(survey.size)}")
            if show_each:
                _print_description(description, as_json=as_json)
    forecast = outlook.forecast(survey)
    if as_json:
        print_json(survey_to_json(survey, selection, forecast))
    else:
        for line in _describe_survey(survey, selection, forecast):
            print_line(line)


def survey_to_json(survey: Survey, selection: Selection, forecast: Forecast | str) -> dict[str, Any]:
    """The counts of a survey for programs; sizes in bytes, money in US dollars."""
    answer: dict[str, Any] = {
        "sync": survey.sync,
        "objects": survey.objects,
        "bytes": survey.size,
        "tables": dict(survey.tables.most_common()),
        "ignored": dict(survey.ignored.most_common()),
        "failing": dict(survey.failing.most_common()),
        "examples": survey.examples,
    }
    if selection.stale:
        answer["stale"] = {str(reason): survey.stale[reason] for reason in sorted(selection.stale)}
        answer["not_stale"] = survey.not_stale
    if isinstance(forecast, str):
        return answer | {"forecast": None, "no_forecast": forecast}
    return answer | {"forecast": forecast_to_json(forecast)}


def forecast_to_json(forecast: Forecast) -> dict[str, Any]:
    """A forecast for programs; money in US dollars."""
    return {
        "minutes": round(forecast.minutes, 4),
        "dollars": round(forecast.dollars, 6),
        "learned_from": forecast.speed.sample,
        "megabytes_per_second": round(forecast.speed.megabytes_per_second, 3),
        "seconds_per_object": round(forecast.speed.object_seconds, 3),
        "functions": forecast.machines.concurrency,
        "memory_mb": forecast.machines.memory_mb,
    }


def _describe_survey(survey: Survey, selection: Selection, forecast: Forecast | str) -> Iterator[str]:
    what = "stale" if selection.stale else "to be converted"
    yield f"{survey.sync}: {count_of(survey.objects, 'object')}, {describe_size(survey.size)}, {what}"
    if selection.stale:
        by_reason = ", ".join(f"{survey.stale[reason]:,} by {reason}" for reason in sorted(selection.stale))
        yield f"  stale:    {by_reason}; not stale: {survey.not_stale:,}"
    yield from _describe_counts("tables", survey.tables)
    yield from _describe_counts("ignored", survey.ignored)
    yield from _describe_counts("failing", survey.failing)
    for example in survey.examples:
        yield f"  for example {example}"
    if survey.objects:
        yield from describe_forecast(forecast)
    if survey.objects and selection.stale:
        yield f"to do it: {_to_command(survey, selection)}"


def _describe_counts(title: str, counts: dict[str, int]) -> Iterator[str]:
    if not counts:
        return
    yield f"  {title}:"
    for name, count in sorted(counts.items(), key=lambda item: -item[1])[:_SHOWN]:
        yield f"    {count:>9,}  {name}"
    if len(counts) > _SHOWN:
        yield f"    and {len(counts) - _SHOWN:,} more; --json has them all"


def describe_forecast(forecast: Forecast | str) -> Iterator[str]:
    """A forecast in lines for people, or why there is none."""
    if isinstance(forecast, str):
        yield f"no forecast: {forecast}"
        return
    speed, machines = forecast.speed, forecast.machines
    yield f"expected: {_format_minutes(forecast.minutes)}, about ${forecast.dollars:,.2f}"
    yield f"  with {count_of(machines.concurrency, 'function')} of {machines.memory_mb:,} MB at work, at list prices"
    yield (
        f"  learned from {count_of(speed.sample, 'conversion')}: {speed.megabytes_per_second:,.1f} MB/s, "
        f"and {speed.object_seconds:.2f} s for each object"
    )


def _to_command(survey: Survey, selection: Selection) -> str:
    words = ["millrace reprocess", shlex.quote(survey.sync), "--stale"]
    if selection.stale != frozenset(StaleReason):
        words += [f"--by {reason}" for reason in sorted(selection.stale)]
    if selection.prefix is not None:
        words.append(f"--prefix {shlex.quote(selection.prefix)}")
    return " ".join(words)


def _format_minutes(minutes: float) -> str:
    if minutes < 1:
        return "less than a minute"
    if minutes < 120:
        return f"about {count_of(round(minutes), 'minute')}"
    return f"about {count_of(round(minutes / 60), 'hour')}"
