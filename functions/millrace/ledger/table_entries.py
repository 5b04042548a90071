"""Snapshot tables: a table is its newest file. Which one that is, and who may write it, is an entry of its own.

The table's entry lies in the ledger beside those of its files, under the sync's name with ``#table``. It is claimed and
settled by the same rules; its sequencer is the order of files.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from urllib.parse import quote

from millrace.objects.references import ObjectRef, Sequencer

TABLE_MARK = "#table"
"""Names of syncs hold no ``#``, so a table's entry is never a file's."""
_LONGEST_KEY = 200


def table_sync(sync: str) -> str:
    """The sync that a table's entry stands under."""
    return sync + TABLE_MARK


def is_table(sync: str) -> bool:
    """Whether an entry tells of a table and not of an object."""
    return "#" in sync


def order(modified: datetime, source: ObjectRef) -> Sequencer:
    """Where a version of a file stands among all of its table's: by the time S3 gives it, then by its key.

    S3 tells the time to the second. Of files of the same second the one whose key is greater counts as newer, which is
    what dated names mean.
    """
    return Sequencer(f"{int(modified.timestamp()):012X}/{_key(source)}/")


def _key(source: ObjectRef) -> str:
    key = quote(source.key, safe="/")
    if len(key) > _LONGEST_KEY:
        return key[:_LONGEST_KEY] + hashlib.sha256(key.encode()).hexdigest()[:16]
    return key


def after(version: Sequencer) -> Sequencer:
    """Where the deletion of a version stands."""
    return Sequencer(version.value + "~")


def next_in_same_second(version: Sequencer) -> Sequencer:
    """Where the next version of the same file stands that S3 gives the same second."""
    return Sequencer(version.value + "+")


def is_of(version: Sequencer, source: ObjectRef) -> bool:
    """Whether it is this file's version, or its deletion."""
    return version.value.partition("/")[2].rstrip("+~") == _key(source) + "/"
