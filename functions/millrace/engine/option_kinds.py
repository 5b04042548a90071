"""What kinds of values an option of reading or writing a file may have, and how each is read from what people write.

``parse`` reads a value of JSON or YAML, ``parse_typed`` what a person types after an option of a command. Both give the
engine's value, and raise ValueError with what was found and what was expected. Both take an engine's value as it is.
"""

from __future__ import annotations

import codecs
import dataclasses
import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, get_args

from millrace.engine.json_paths import parse_path
from millrace.engine.options import ColumnType
from millrace.engine.type_hints import TypeHint

NONE = "none"
"""What is written for a quote or an escape that there is none of; the engine's value is the empty text."""

_NAMED_CHARACTERS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "\\t": "\t",
    "bar": "|",
    "pipe": "|",
    "space": " ",
    "backslash": "\\",
    "double": '"',
    "single": "'",
}


class ValueKind(Protocol):
    """A kind of value. ``typed`` is the type that Typer reads: bool, int, str, an enum, or list[str]."""

    @property
    def typed(self) -> Any:
        """The type of what is typed after the option."""
        ...

    def parse(self, value: object) -> Any:
        """The engine's value of one of JSON; ValueError if it is of another kind."""
        ...

    def parse_typed(self, typed: Any) -> Any:
        """The engine's value of what was typed."""
        ...


@dataclass(frozen=True, slots=True)
class FlagKind:
    """True or false."""

    typed: ClassVar[type] = bool

    def parse(self, value: object) -> bool:
        """Only true and false: a text such as "no" would be read as true elsewhere."""
        if not isinstance(value, bool):
            raise _refuse("true or false", value)
        return value

    parse_typed = parse


@dataclass(frozen=True, slots=True)
class CountKind:
    """A whole number from 0."""

    typed: ClassVar[type] = int

    def parse(self, value: object) -> int:
        """JSON's true is a number to Python, and none here."""
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise _refuse("a whole number from 0", value)
        return value

    parse_typed = parse


@dataclass(frozen=True, slots=True)
class ChoiceKind:
    """One of the words of an enumeration."""

    words: type[enum.StrEnum]

    @property
    def typed(self) -> type[enum.StrEnum]:
        """The enumeration: Typer lists its words in the help."""
        return self.words

    def parse(self, value: object) -> enum.StrEnum:
        """The member with that word."""
        if not isinstance(value, str) or value not in set(self.words):
            raise ValueError(f"{value!r} is not one of {', '.join(self.words)}")
        return self.words(value)

    parse_typed = parse


@dataclass(frozen=True, slots=True)
class CharacterKind:
    """One ASCII character, or its name; the empty text is not given."""

    typed: ClassVar[type] = str

    def parse(self, value: object) -> str | None:
        """The character."""
        text = _to_text(value)
        if not text:
            return None
        try:
            return to_character(text)
        except ValueError as error:
            raise ValueError(f"{value!r} has {len(text)} characters; expected {error}") from None

    parse_typed = parse


@dataclass(frozen=True, slots=True)
class MarkKind:
    """A character that has a meaning inside of fields, or ``none``: no character has it."""

    typed: ClassVar[type] = str

    def parse(self, value: object) -> str:
        """The character, or the empty text."""
        text = _to_text(value)
        if text.lower() in {"", NONE}:
            return ""
        return CharacterKind().parse(text) or ""

    parse_typed = parse


@dataclass(frozen=True, slots=True)
class EncodingKind:
    """An encoding that Python knows."""

    typed: ClassVar[type] = str

    def parse(self, value: object) -> str:
        """The encoding's name as it was written."""
        text = _to_text(value)
        try:
            to_encoding(text)
        except ValueError as error:
            raise ValueError(f"{value!r} is not {error}") from None
        return text

    parse_typed = parse


@dataclass(frozen=True, slots=True)
class TextKind:
    """Any text but the empty one, which is not given."""

    typed: ClassVar[type] = str

    def parse(self, value: object) -> str | None:
        """The text."""
        return _to_text(value) or None

    parse_typed = parse


@dataclass(frozen=True, slots=True)
class JsonPathKind:
    """A path in a JSON document; the empty text is not given."""

    typed: ClassVar[type] = str

    def parse(self, value: object) -> str | None:
        """The path as it was written."""
        text = _to_text(value)
        if not text:
            return None
        parse_path(text)
        return text

    parse_typed = parse


@dataclass(frozen=True, slots=True)
class TextsKind:
    """A list of texts; an option of a command is given once for each."""

    typed: ClassVar[Any] = list[str]

    def parse(self, value: object) -> tuple[str, ...]:
        """The texts."""
        if not isinstance(value, list | tuple):
            raise _refuse("a list of texts", value)
        return tuple(map(_to_text, value))

    parse_typed = parse


@dataclass(frozen=True, slots=True)
class ChoicesKind:
    """Some of the words of an enumeration, each once; an option of a command is given once for each."""

    words: type[enum.StrEnum]

    typed: ClassVar[Any] = list[str]

    def parse(self, value: object) -> tuple[enum.StrEnum, ...]:
        """The members with those words, in the order that they were given in."""
        chosen = tuple(map(ChoiceKind(self.words).parse, TextsKind().parse(value)))
        if len(set(chosen)) < len(chosen):
            raise _refuse(f"each of {', '.join(self.words)} at most once", value)
        return chosen

    parse_typed = parse


@dataclass(frozen=True, slots=True)
class WordByNameKind:
    """One of a few words for each of several names, such as a type for each column; typed as NAME=WORD."""

    word: Any
    """A Literal of the words."""
    what: str = "types by column name"

    typed: ClassVar[Any] = list[str]

    @property
    def words(self) -> tuple[str, ...]:
        """The words."""
        return get_args(self.word)

    def parse(self, value: object) -> Mapping[str, str]:
        """Words by name."""
        if not isinstance(value, Mapping):
            raise _refuse(f"an object of {self.what}", value)
        for word in value.values():
            if word not in self.words:
                raise ValueError(f"{word!r} is not one of {', '.join(self.words)}")
        return value

    def parse_typed(self, typed: Sequence[str]) -> Mapping[str, str]:
        """Each text is divided at its last =, since a column's name may hold one: ``a=b=text`` is of column ``a=b``."""
        words = {}
        for text in typed:
            name, _, word = text.rpartition("=")
            if not name or word not in self.words:
                raise ValueError(f"{text!r} is not NAME=TYPE with one of {', '.join(self.words)}")
            words[name] = word
        return words


@dataclass(frozen=True, slots=True)
class HintsKind:
    """A type for each of some columns, as ``type_hints`` reads it; typed as NAME=TYPE."""

    typed: ClassVar[Any] = list[str]

    def parse(self, value: object) -> Mapping[str, str]:
        """Types by name, as they were written."""
        if not isinstance(value, Mapping):
            raise _refuse("an object of types by column name", value)
        for text in value.values():
            TypeHint.parse(_to_text(text))
        return value

    def parse_typed(self, typed: Sequence[str]) -> Mapping[str, str]:
        """Each text is divided at its last =, since a column's name may hold one."""
        hints = {}
        for text in typed:
            name, _, hint = text.rpartition("=")
            if not name:
                raise ValueError(f"{text!r} is not NAME=TYPE")
            TypeHint.parse(hint)
            hints[name] = hint
        return hints


@dataclass(frozen=True, slots=True)
class RecordsKind:
    """A list of objects, each with the fields of a dataclass of texts and whole numbers; typed as JSON."""

    record: type
    typed: ClassVar[type] = str

    def parse(self, value: object) -> tuple[Any, ...]:
        """An instance of the dataclass for each object."""
        if not isinstance(value, list | tuple):
            raise _refuse("a list of objects", value)
        return tuple(map(self._parse_record, value))

    def parse_typed(self, typed: str) -> tuple[Any, ...]:
        """The same, of JSON text."""
        try:
            value = json.loads(typed)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{typed!r} is no JSON ({error}); expected a list of objects") from None
        return self.parse(value)

    def _parse_record(self, value: object) -> Any:
        # The engine's own value: options that were read once may be read again.
        if isinstance(value, self.record):
            return value
        names = [field.name for field in dataclasses.fields(self.record)]
        if not isinstance(value, Mapping) or not set(value) <= set(names):
            raise _refuse(f"objects with {', '.join(names)}", value)
        try:
            return self.record(**value)
        except TypeError:
            raise _refuse(f"objects with {', '.join(names)}", value) from None


COLUMN_TYPES = WordByNameKind(ColumnType)
"""A type for each of some columns."""


def to_character(text: str) -> str:
    """The character that a text is, or names; ValueError says what was expected."""
    character = named_character(text)
    if len(character) != 1 or not character.isascii() or character in "\r\n\0":
        names = ", ".join(filter(str.isalpha, _NAMED_CHARACTERS))
        raise ValueError(f"one ASCII character, or one of the names {names}")
    return character


def named_character(text: str) -> str:
    """The character that a name stands for; a text that is no name is itself."""
    return _NAMED_CHARACTERS.get(text.lower(), text)


def to_encoding(text: str) -> str:
    """An encoding's name as Python writes it; ValueError says what was expected."""
    expected = "the name of a text encoding that Python knows, such as utf-8, utf-16, latin-1 or cp1252"
    try:
        codec = codecs.lookup(text)
        "".encode(codec.name)
    except (LookupError, ValueError):
        raise ValueError(expected) from None
    return codec.name


def _refuse(expected: str, value: object) -> ValueError:
    return ValueError(f"expected {expected}, found {value!r}")


def _to_text(value: object) -> str:
    if not isinstance(value, str):
        raise _refuse("text", value)
    return value
