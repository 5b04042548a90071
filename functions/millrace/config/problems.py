"""Problems in words: the path of a field, what was found there, what is accepted; never a secret's value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import SecretStr, ValidationError

SECRET_FIELDS = frozenset({"aws_access_key_id", "aws_secret_access_key"})
"""The fields whose values are never shown."""

# An access key's id begins with AKIA or ASIA, as in AKIAIOSFODNN7EXAMPLE; a secret key is 40 characters of base64
# (IAM User Guide, "IAM identifiers").
# AWS's key ids begin with AKIA, those of sessions with ASIA; a secret key is 40 characters of base64. A wrong value is
# shown in an error, and such a one must not be.
_CREDENTIAL = re.compile(r"(AKIA|ASIA)[A-Z0-9]{12,}|\b[A-Za-z0-9/+]{40}\b")
_LONGEST_SHOWN = 80

Step = str | int


def path_of(steps: Sequence[Step]) -> str:
    """Write where a field stands: ``connections[0].configuration.s3_bucket_region``."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def found(value: object) -> str:
    """Name a value as it was found; what may be a credential, and what is no plain value, is only described."""
    match value:
        # Before int, which True is to Python as well.
        case bool():
            return str(value).lower()
        case str() if _CREDENTIAL.search(value):
            return "text that looks like a credential (not shown)"
        case str() if len(value) > _LONGEST_SHOWN:
            return f"{value[:_LONGEST_SHOWN]!r} and more"
        case str() | int() | float():
            return repr(value)
        case SecretStr():
            return "a secret (not shown)"
        case _:
            return kind_of(value)


def kind_of(value: object) -> str:
    """Name a value's kind, not its content."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case Mapping():
            return "an object"
        case Sequence():
            return "a list"
        case _:
            return f"a {type(value).__name__}"


def lines_of(error: ValidationError, *, below: Sequence[Step] = ()) -> Iterator[str]:
    """Write one line a problem, in the order of the file; ``below`` is where the validated value stands."""
    for detail in error.errors(include_url=False):
        steps: tuple[Step, ...] = (*below, *detail["loc"])
        yield f"{path_of(steps) or 'configuration'}: {_sentence(detail, steps)}"


def _sentence(detail: Any, steps: tuple[Step, ...]) -> str:
    context = detail.get("ctx", {})
    hidden = not SECRET_FIELDS.isdisjoint(steps)
    value = "a value that is not shown" if hidden else found(detail["input"])
    kind = "a value that is not shown" if hidden else kind_of(detail["input"])
    write = _SENTENCES.get(detail["type"])
    return write(context, value, kind) if write else f"found {value}; {context.get('message', detail['msg'])}"


_SENTENCES: Mapping[str, Callable[[Mapping[str, Any], str, str], str]] = {
    "missing": lambda _context, _value, _kind: "required, but not given",
    "rule": lambda context, _value, _kind: str(context["text"]),
    "unexpected": lambda context, value, _kind: f"found {value}; expected {context['expected']}",
    "enum": lambda context, value, _kind: f"found {value}; accepted: {context['expected']}",
    "literal_error": lambda context, value, _kind: f"found {value}; accepted: {context['expected']}",
    "bool_type": lambda _context, value, _kind: f"found {value}; accepted: true, false",
    "int_type": lambda _context, value, _kind: f"found {value}; expected a whole number",
    "greater_than_equal": lambda context, value, _kind: f"found {value}; expected at least {context['ge']}",
    "string_type": lambda _context, value, _kind: f"found {value}; expected text (quote it if it is meant as text)",
    "string_sub_type": lambda _context, value, _kind: f"found {value}; expected text",
    "tuple_type": lambda _context, _value, kind: f"found {kind}; expected a list",
    "list_type": lambda _context, _value, kind: f"found {kind}; expected a list",
    "dict_type": lambda _context, _value, kind: f"found {kind}; expected an object",
    "mapping_type": lambda _context, _value, kind: f"found {kind}; expected an object",
    "model_type": lambda _context, _value, kind: f"found {kind}; expected an object",
    "invalid_key": lambda _context, _value, _kind: "a field's name must be text",
}
