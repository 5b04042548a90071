"""What the Tab key offers: states, formats, and names of the configuration where one is known. It asks nobody."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

Completer = Callable[..., list[str]]
"""What Typer asks for the words that begin with what is typed."""


def complete_words(*words: str) -> Completer:
    """A completer of fixed words."""

    def complete(incomplete: str) -> list[str]:
        return _begin_with(words, incomplete)

    return complete


def complete_names(*lists: str) -> Completer:
    """A completer of the names in these lists of the configuration, such as ``bulk_syncs``.

    The configuration is the one of ``--config``, of MILLRACE_CONFIG, or the file ``millrace.yaml`` here. It need not be
    valid; if it cannot be read there is nothing to offer, since nobody wants an error for a Tab key.
    """

    # Typer finds the parameters by their types.
    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        return _begin_with(_read_names(_find_config(ctx), lists), incomplete)

    # Typer resolves annotations with the module's names, of which a nested function has all.
    return complete


COMPLETE_SYNC = complete_names("bulk_syncs", "model_syncs")
COMPLETE_ATTENTION = complete_words("failed", "waiting", "in flight")
"""The states that `reprocess` and `plan` select by."""
COMPLETE_CONNECTION = complete_names("connections")
COMPLETE_WEBHOOK = complete_names("webhooks")


def _find_config(context: Any) -> Path:
    for level in (context, context.parent):
        if level is not None and level.params.get("config"):
            return Path(level.params["config"])
    return Path(os.environ.get("MILLRACE_CONFIG") or "millrace.yaml")


def _read_names(path: Path, lists: Iterable[str]) -> Iterator[str]:
    from millrace.config import reading  # noqa: PLC0415 - it needs pydantic, and most commands have no such name
    from millrace.errors import InvalidConfiguration  # noqa: PLC0415 - as above

    try:
        data = reading.read(path)
    except InvalidConfiguration:
        return
    # Nothing is sure of a file that is being written: what is no name is passed over without a word.
    for field in lists:
        items = data.get(field) if isinstance(data, dict) else None
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict) and isinstance(item.get("name"), str):
                yield item["name"]


def _begin_with(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
