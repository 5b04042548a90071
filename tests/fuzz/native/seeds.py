"""What libFuzzer begins with for each target: files of our own making, and bytes from a seed for what builds values."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.fuzz.targets import TARGETS

_CHOSEN_BYTES = {"columns": 200, "render": 600, "parquet_encoding": 900, "double_text": 9}
"""Targets whose input is choices rather than text, and about how many bytes of it make a whole batch."""
_CSV_CHOICES = (
    b"\x00\x03\x00\x00\x02\x00\x03\x00\x01\x00",  # comma, quotes; four columns: integer, text, date, double
    b"\x00\x03\x02\x00\x02\x00\x02\x00\x02\x00",  # four of text
    b"\x41\x02\x00\x00\x02\x00\x05\x00",  # semicolon, one null value; three columns: integer, text, timestamp
    b"\x08\x00\x02\x00",  # no quotes; one column of text
)
"""Leads of CSV: the bytes that `fuzz_csv.c` and `take_schema` take, one for the options, two for each column."""
_JSON_CHOICES = (
    b"\x02\x01\x00\x00\x03\x00",  # lines; "a" has integers, "b" any value as its text
    b"\x11\x01\x01\x00\x02\x00",  # an array; "a" has doubles, "b" texts
    b"\x02\x01\x06\x00\x05\x00\x02\x01\x00\x02\x00\x00\x00",  # an object and a list
)
"""Leads of JSON, as those of CSV. The fields are named a, b, c and on."""
_JSON_TEXTS = (
    b'{"a": 1, "b": [1.50, "x", null, {"c": true}]}\n{"b": "\\u00e9\\ud83d\\ude00\\n", "a": -12}\n',
    b'[{"a":0.25,"b":"text of more than sixteen bytes"},\n {"b":null},{"a":1e-7}]',
    b'{"a":{"c":"x","d":1},"b":[7,8]}{"b":[],"a":{}}',
)
_TEXTS = ("csv", "json", "jsonl")


def write_seeds(target: str, folder: Path) -> None:
    """Put the first inputs of a target into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(_make_seeds(target)):
        (folder / f"seed-{number:03}").write_bytes(seed)


def _make_seeds(target: str) -> Iterator[bytes]:
    if target in _CHOSEN_BYTES:
        yield from _choose_bytes(_CHOSEN_BYTES[target])
        return
    if target == "json":
        yield from (choice + text for choice in _JSON_CHOICES for text in _JSON_TEXTS)
    for name, fuzzed in sorted(TARGETS.items()):
        if name.startswith(_TEXTS):
            yield from _lead_with_choices(target, fuzzed.seeds())


def _lead_with_choices(target: str, texts: Sequence[bytes]) -> Iterator[bytes]:
    """The texts, behind what a target reads before its text: options and a schema."""
    choices: Sequence[bytes] = (b"",)
    if target == "csv":
        choices = _CSV_CHOICES
    elif target == "json":
        choices = _JSON_CHOICES
    for text in texts:
        for choice in choices:
            yield choice + text


def _choose_bytes(size: int) -> Iterator[bytes]:
    """Bytes of which half are small, since a small byte is a null, a short text or a first choice."""
    chooser = random.Random(size)
    for _ in range(60):
        yield bytes(chooser.randrange(256) if chooser.random() < 0.5 else chooser.randrange(24) for _ in range(size))
