"""`millrace show`: what the ledger knows of one object, of the source of an output, or of a table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Annotated, Any

import typer

from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.terminal import Terminal, print_json
from millrace.errors import MillraceError
from millrace.ledger.entries import Entry
from millrace.ledger.table_entries import SchemaEntry
from millrace.objects.references import ObjectRef
from millrace.remote.entry_documents import entry_to_json, find_entries, find_source
from millrace.wording import count_of, join_names

_LABEL_WIDTH = 18


def show(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="A source object, a table or an output: s3://bucket/key.")],
    *,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Show what the ledger knows of one source object, under each sync; or of a table, by its folder and name.

    Of an output it shows the source that the output was made of, if you may read the output's metadata.

    Examples: millrace show "s3://acme-in/landing/2026 q1.csv"
              millrace show s3://acme-in/landing/orders
              millrace show s3://acme-lake/orders.parquet
    """
    ref = ObjectRef.parse(address)
    deployments = get_deployments(context)
    deployed, ledger = deployments.find(name)
    entries = find_entries(ledger, deployed.syncs, ref)
    # An output is no source of any sync: its lineage says which object it was made of.
    if not entries and (source := find_source(deployments, ref)) is not None:
        entries = find_entries(ledger, deployed.syncs, source)
    if not entries:
        raise _refuse_unknown(ref, deployed.syncs)
    for entry in entries:
        if as_json:
            print_json(entry_to_json(entry))
        else:
            _print_entry(entry)


def _refuse_unknown(ref: ObjectRef, syncs: Collection[str]) -> MillraceError:
    return MillraceError(
        f"the ledger has no entry for {ref} under {join_names(syncs, before_last='or')}: it was not "
        "uploaded since the deployment, its event is still on its way, or no sync reads its folder; nor is it an "
        "output whose metadata you may read"
    )


def _print_entry(entry: Entry | SchemaEntry) -> None:
    """One field a line, all values in one column."""
    console = Terminal(highlight=False, markup=False, soft_wrap=True)
    for label, value in _to_lines(entry):
        console.print(f"{label + ':':<{_LABEL_WIDTH}}{value}")
    console.print()


def _to_lines(entry: Entry | SchemaEntry) -> Iterator[tuple[str, str]]:
    """A label and a text for each line."""
    for field, value in entry_to_json(entry).items():
        if field in _LINES:
            yield from _LINES[field](value)
        elif isinstance(value, int):
            yield field.replace("_", " "), f"{value:,}"
        else:
            yield field.replace("_", " "), str(value)


def _to_output_lines(outputs: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for output in outputs:
        counts = f"{count_of(output['rows'], 'row')}, {count_of(output['bytes'], 'byte')}"
        yield "output", f"{output['target']} ({counts})"


def _to_version_lines(versions: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for version in versions:
        yield f"version {version['number']}", f"{version['changes']} ({version['source']}, {version['when']})"


def _to_field_lines(fields: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, kind in fields.items():
        yield "field", f"{name}: {kind}"


_LINES: dict[str, Callable[[Any], Iterator[tuple[str, str]]]] = {
    "outputs": _to_output_lines,
    "versions": _to_version_lines,
    "fields": _to_field_lines,
}
"""Fields that have a line for each of their parts."""
