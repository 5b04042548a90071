"""Where in a JSON document its rows are, and which members of what is around them each row repeats; without pyarrow.

A path names members from the top of a document, a dot between them: ``response.items``. Lists on the way need no
sign: of ``orders.items`` every order's items are meant. ``*`` stands for every member. A dot, a star or a backslash
that belongs to a name has a backslash before it: ``v1\\.2``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from millrace.errors import InvalidConfiguration

ANY = "*"
"""The step that stands for every member."""
MOST_STEPS = 32
"""Of a path, and of lists that are nested directly within each other on its way."""
# Tokens of a path are a backslash with one of . * = \ behind it, or one other character: v1\.2 is v, 1, \., 2.
_TOKEN = re.compile(r"\\[.*=\\]|[^\\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PathStep:
    """One step of a path: a member's name, or every member."""

    name: str
    is_any: bool = False

    def matches(self, name: str) -> bool:
        """Whether the step leads to a member of that name."""
        return self.is_any or self.name == name

    def __str__(self) -> str:
        return ANY if self.is_any else re.sub(r"([.*=\\])", r"\\\1", self.name)


JsonPath = tuple[PathStep, ...]


@dataclass(frozen=True, slots=True)
class ParentField:
    """A member that rows repeat: the row's field, how many steps of the records' path lead to it, and those behind."""

    name: str
    depth: int
    steps: JsonPath


@dataclass(frozen=True, slots=True)
class RecordPath:
    """Where rows are, and what they repeat of what is around them."""

    steps: JsonPath
    parents: tuple[ParentField, ...] = ()

    @classmethod
    def of(cls, path: str, parents: Iterable[str] = ()) -> RecordPath:
        """Read both as they are written in a configuration. Raises ValueError that says what is wrong and expected."""
        steps = parse_path(path)
        fields = tuple(_parse_parent(text, steps) for text in parents)
        names = [field.name for field in fields]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two parent fields are called {name!r}; give one of them another name: NEW_NAME=PATH")
        return cls(steps, fields)

    def __str__(self) -> str:
        return written(self.steps)


def find_record_path(path: str | None, parents: Iterable[str]) -> RecordPath | None:
    """What both options say together; None if rows are at the top of the file.

    Raises InvalidConfiguration that says what is wrong and expected.
    """
    parents = tuple(parents)
    if path is None and parents:
        raise InvalidConfiguration(
            f"json_parent_fields: {', '.join(parents)}: only together with json_records, the path to the rows"
        )
    if path is None:
        return None
    try:
        return RecordPath.of(path, parents)
    except ValueError as error:
        raise InvalidConfiguration(f"json_records or json_parent_fields: {error}") from None


def written(steps: JsonPath) -> str:
    """A path as it is written."""
    return ".".join(map(str, steps))


def parse_path(text: str) -> JsonPath:
    """A path's steps; raise ValueError for what is none."""
    steps = tuple(map(_parse_step, _split(text, ".")))
    if any(not step.name for step in steps):
        raise ValueError(f"{text!r} is no path: expected names with a dot between them, such as Records or data.items")
    if len(steps) > MOST_STEPS:
        raise ValueError(f"{text[:100]!r} has {len(steps)} steps; {MOST_STEPS} are the most")
    return steps


def _parse_step(tokens: list[str]) -> PathStep:
    if tokens == [ANY]:
        return PathStep(ANY, is_any=True)
    if ANY in tokens:
        raise ValueError(f"{''.join(tokens)!r}: * stands for a whole name; write \\* if the name has a star in it")
    return PathStep("".join(token.removeprefix("\\") or "\\" for token in tokens))


def _split(text: str, separator: str) -> list[list[str]]:
    """The text's tokens, cut at each separator that has no backslash before it."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text:
        raise ValueError(f"{text!r}: a backslash is written before . * = and backslash alone")
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _parse_parent(text: str, records: JsonPath) -> ParentField:
    """A parent field: ``owner``, ``meta.id``, or with a name of its own, ``list_id=meta.id``."""
    parts = _split(text, "=")
    if len(parts) > 2:
        raise ValueError(f"{text!r}: expected a path, or NEW_NAME=PATH")
    path = parse_path("".join(parts[-1]))
    name = ".".join(step.name for step in path)
    if len(parts) == 2:
        name = _parse_step(parts[0]).name
    depth = 0
    # Of owner.id with rows at owner.orders both share one step: the field is taken from the owner around the orders.
    while depth < min(len(path), len(records)) and path[depth] == records[depth]:
        depth += 1
    if depth == len(path):
        raise ValueError(f"{text!r} leads to the rows of {written(records)!r}; name a member beside them")
    if depth == len(records):
        raise ValueError(f"{text!r} is within the rows of {written(records)!r}, which have their fields anyway")
    return ParentField(name, depth, path[depth:])
