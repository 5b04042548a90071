"""Bytes changed at random, from a seed: what a target is fed with."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

_ODD_BYTES = (
    b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x80\0\0\0", b"\x7f\xff\xff\xff", b'"', b"\\", b"\r\n", b"\n\n", b",", b"{",
    b"}", b"[", b"]", b":", b"null", b"NaN", b"-0", b"1e999", b"\\ud800", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe",
    b"=cmd|' /C calc'!A0", b"../", b"%00", b"\x1b[31m", b"9" * 400, b"[" * 3000, b'{"a":' * 1500,
    b"\x1f\x8b", b"PK\x03\x04",
)  # fmt: skip
_ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 1.5, 1e999, "", "\0", "\ud800", "%ff", "x" * 3000, [], [[]], {}, {"a": []}, ["a"], "NaN",
)  # fmt: skip
Mutation = Callable[[random.Random, bytes], bytes]


def _flip(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _overwrite(rng: random.Random, data: bytes) -> bytes:
    at, odd = rng.randrange(len(data)), rng.choice(_ODD_BYTES)
    return data[:at] + odd + data[at + len(odd) :]


def _insert(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(_ODD_BYTES) + data[at:]


def _cut(rng: random.Random, data: bytes) -> bytes:
    begin, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:begin] + data[end:]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    begin, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[begin:end] * rng.choice((1, 2, 50)) + data[end:]


def _stop(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _structure(rng: random.Random, data: bytes) -> bytes:
    """Another value somewhere in a JSON document, where it is one."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return _overwrite(rng, data)
    holders = [holder for holder in _holders(document) if holder]
    if not holders:
        return data
    holder = rng.choice(holders)
    place = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    if rng.random() < 0.2:
        del holder[place]
    else:
        holder[place] = rng.choice(_ODD_VALUES)
    return json.dumps(document).encode()


def _holders(value: Any) -> list[Any]:
    if not isinstance(value, dict | list):
        return []
    children = value.values() if isinstance(value, dict) else value
    return [value, *(holder for child in children for holder in _holders(child))]


_MUTATIONS: Sequence[Mutation] = (_flip, _flip, _overwrite, _insert, _cut, _repeat, _stop, _structure, _structure)
_MOST_BYTES = 200_000


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A seed after some mutations."""
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        if data:
            data = rng.choice(_MUTATIONS)(rng, data)
    return data[:_MOST_BYTES]
