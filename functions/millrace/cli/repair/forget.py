"""`millrace forget`: clean up after a sync that was taken out of the configuration."""

from __future__ import annotations

from typing import Annotated

import typer

from millrace.cli.counting import counting
from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.terminal import print_json, print_line
from millrace.operations.forgetting import Forgetter
from millrace.wording import count_of


def forget(
    context: typer.Context,
    sync: Annotated[str, typer.Argument(help="The sync that the configuration no longer has.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it entries are only counted.")] = False,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Remove what the ledger has of a sync that the configuration no longer has; outputs stay.

    Without --yes it is a dry run. A sync of that name that comes back later converts everything again, and finds its
    earlier outputs by their lineage.

    Example: millrace forget old-sync --yes
    """
    deployed, ledger = get_deployments(context).find(name)
    forgetter = Forgetter(ledger, frozenset(deployed.syncs))
    count = 0
    with counting() as show:
        for _ in forgetter.forget(sync, dry_run=not yes):
            count += 1
            show(f"{sync}: {count_of(count, 'entry')}")
    if as_json:
        print_json({"sync": sync, "dry_run": not yes, "forgotten": count})
        return
    hint = "" if yes or not count else "; remove them with --yes"
    print_line(f"{'forgot' if yes else 'would forget'} {count_of(count, 'entry')} of sync {sync!r}{hint}")
