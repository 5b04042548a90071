"""Lists of an entry that do not fit into one item of DynamoDB: they go to items of their own.

An item has at most 400 kB (Amazon DynamoDB Developer Guide, "Item size"). An entry has up to a hundred outputs for each
attempt that announced some, each with a key of up to a kilobyte, so hostile names and a few failures are enough.

A part is named by the hash of what it holds and never changes. So it is written before the entry that names it, under
no condition: whichever of two workers wins the entry, its parts are there. Parts that no entry names any more stay.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from millrace.mappings import pick

_LISTS = ("outputs", "obsolete")
_PARTS = "parts"
_MARK = "\x1fpart\x1f"
"""No sync's name is empty, so that no entry's key begins like this."""
_SURELY_FIT = 100
"""Outputs that fit whatever their keys are: 100 times 1.3 kB."""
# Half of what an item may have: the other half is for the entry's remaining fields.
_MOST_BYTES = 200_000
_PART_BYTES = 300_000

Item = dict[str, Any]
"""An item as DynamoDB's API has it: each value with its type, ``{"S": "text"}``."""


def divide_item(item: Item) -> tuple[Item, list[Item]]:
    """An entry's item, and the parts to write before it; none, and the item as it is, if all fits."""
    lists = pick(item, *_LISTS)
    count = sum(len(value["L"]) for value in lists.values())
    if count <= _SURELY_FIT:
        return item, []
    # Sorted, so that the same lists give the same hash: a try that is repeated writes the same parts, not new ones.
    text = json.dumps(lists, sort_keys=True).encode()
    if len(text) <= _MOST_BYTES:
        return item, []
    # Keys of one entry are much alike: 450 outputs of 500 kB take a few kilobytes.
    parts = _to_parts(zlib.compress(text))
    small = {**item, _PARTS: {"L": [part["pk"] for part in parts]}}
    for name in lists:
        del small[name]
    return small, parts


def _to_parts(content: bytes) -> list[Item]:
    digest = hashlib.sha256(content).hexdigest()
    parts = []
    for number, start in enumerate(range(0, len(content), _PART_BYTES)):
        # The number comes last: all parts of one content share its hash, as in `...3fa1\x1f0` and `...3fa1\x1f1`.
        key = {"S": f"{_MARK}{digest}\x1f{number}"}
        parts.append({"pk": key, "content": {"B": content[start : start + _PART_BYTES]}})
    return parts


def join_item(item: Mapping[str, Any], read_part: Callable[[str], Mapping[str, Any]]) -> Mapping[str, Any]:
    """An entry's item with what its parts hold; ``read_part`` gives the item of a part's key."""
    if _PARTS not in item:
        return item
    parts = [read_part(name["S"]) for name in item[_PARTS]["L"]]
    content = b"".join(bytes(part["content"]["B"]) for part in parts)
    return {**item, **json.loads(zlib.decompress(content))}
