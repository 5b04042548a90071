"""Builders of raw configuration: a test writes what matters to it, the rest is sound."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.config.bulk_sync import BulkSync
from millrace.config.connection import Connection
from millrace.config.document import Document, parse
from millrace.config.model_sync import ModelSync
from millrace.errors import InvalidConfiguration

Raw = dict[str, Any]


def connection(name: str = "in", /, **fields: Any) -> Raw:
    """A connection under the function's own role; a field given as ... is left out."""
    sound: Raw = {"auth_mode": "execution_role", "s3_bucket_name": f"acme-{name}", "s3_bucket_region": "eu-west-1"}
    given = {key: value for key, value in {**sound, **fields}.items() if value is not ...}
    return {"name": name, "type": "s3", "configuration": given}


def bulk_sync(name: str = "copy", /, **fields: Any) -> Raw:
    """A bulk sync from ``in`` to ``out``."""
    return {"name": name, "source_connection": "in", "destination_connection": "out", **fields}


def model(name: str = "customers", /, **fields: Any) -> Raw:
    """A model of the connection ``in``."""
    return {"name": name, "connection": "in", **fields}


def model_sync(name: str = "push", /, **fields: Any) -> Raw:
    """A model sync of ``customers`` to ``out``."""
    return {"name": name, "model": "customers", "target": {"connection": "out"}, **fields}


def document(**lists: Any) -> Raw:
    """A document with the connections ``in`` and ``out``."""
    return {"connections": [connection("in"), connection("out")], **lists}


def parsed_connection(**fields: Any) -> Connection:
    """A connection, through the front door."""
    return parse({"connections": [connection("in", **fields)]}).connections[0]


def parsed_bulk_sync(**fields: Any) -> BulkSync:
    """A bulk sync, through the front door."""
    return parse(document(bulk_syncs=[bulk_sync(**fields)])).bulk_syncs[0]


def parsed_model_sync(**fields: Any) -> ModelSync:
    """A model sync, through the front door."""
    return parse(document(models=[model()], model_syncs=[model_sync(**fields)])).model_syncs[0]


def problems_of(raw: object) -> list[str]:
    """The problems that ``raw`` is refused with."""
    with pytest.raises(InvalidConfiguration) as refused:
        parse(raw)
    return refused.value.problems


def accepted(**lists: Any) -> Document:
    """A document that is sound."""
    return parse(document(**lists))
