"""The options that choose what is stale, for every command that has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from millrace.errors import UsageError
from millrace.operations.stale import StaleReason

By = Annotated[
    list[StaleReason] | None,
    typer.Option(
        help="With --stale: only what is stale for this reason; may be given often. configuration: what is said of the "
        "object has changed; engine: another version of Millrace wrote it; schema: its table has a newer schema."
    ),
]


def parse_reasons(by: Sequence[StaleReason] | None, *, is_stale: bool) -> frozenset[StaleReason]:
    """The reasons that count: none without --stale, all of them without --by. Raises: UsageError."""
    if by and not is_stale:
        raise UsageError("--by needs --stale: it says for which reasons")
    if not is_stale:
        return frozenset()
    return frozenset(by or StaleReason)
