"""What is known of columns' types, as documents: evidence of texts, and the fields that files say themselves."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import pyarrow as pa

from millrace.engine.options import ColumnType
from millrace.engine.parts.documents import Document, Json, get_integer, get_items, get_text
from millrace.engine.types.inference import Demanded, Evidence, Kind

_PLAIN_TYPES: Mapping[str, pa.DataType] = {
    str(kind): kind for kind in (pa.string(), pa.int64(), pa.bool_(), pa.date32(), pa.float64())
}
# "timestamp[us]", "timestamp[us, tz=UTC]", "decimal256(76, 2)": the types of texts that have parameters.
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=(.+))?\]")
_DECIMAL = re.compile(r"decimal(128|256)\(([0-9]+), ([0-9]+)\)")


def evidence_to_document(evidence: Evidence | Demanded) -> Document:
    """The evidence, for ``evidence_of_document``."""
    if isinstance(evidence, Demanded):
        return {
            "demanded": evidence.type,
            "whole": evidence.whole,
            "fraction": evidence.fraction,
            "unzoned": evidence.unzoned,
        }
    kinds = None
    if evidence.kinds is not None:
        kinds = [[str(kind.type), kind.form] for kind in evidence.kinds]
    return {"kinds": kinds, "digits": evidence.digits}


def evidence_of_document(document: Document) -> Evidence | Demanded:
    """The evidence that gave the document."""
    if "demanded" in document:
        return Demanded(
            cast("ColumnType", get_text(document, "demanded")),
            whole=get_integer(document, "whole"),
            fraction=get_integer(document, "fraction"),
            unzoned=bool(document["unzoned"]),
        )
    kinds = None
    if document["kinds"] is not None:
        pairs = cast("Sequence[Sequence[str]]", get_items(document, "kinds"))
        kinds = tuple(Kind(_type_of(name), form) for name, form in pairs)
    return Evidence(kinds, get_integer(document, "digits"))


def _type_of(name: str) -> pa.DataType:
    """The type of texts that prints as the name."""
    if name in _PLAIN_TYPES:
        return _PLAIN_TYPES[name]
    if match := _TIMESTAMP.fullmatch(name):
        return pa.timestamp(match[1], tz=match[2])
    if match := _DECIMAL.fullmatch(name):
        make = pa.decimal256 if match[1] == "256" else pa.decimal128
        return make(int(match[2]), int(match[3]))
    raise ValueError(f"{name!r} is no type of texts")


def fields_to_json(fields: Iterable[pa.Field]) -> Json:
    """Fields as text: their schema as Arrow writes it, for ``fields_of_json``."""
    return base64.b64encode(pa.schema(fields).serialize().to_pybytes()).decode()


def fields_of_json(text: Json) -> list[pa.Field]:
    """The fields that gave the text."""
    return list(pa.ipc.read_schema(pa.py_buffer(base64.b64decode(cast("str", text)))))
