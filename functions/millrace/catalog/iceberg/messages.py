"""What a worker says to the committer: look at this object's entry.

The message does not say what to commit. Whoever takes it reads the ledger then, so that a message that comes twice,
late, or before an earlier one leads to the same table.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol, Self

from millrace.catalog.tables import CatalogName
from millrace.errors import MessageError, UnknownMessage
from millrace.objects.references import ObjectRef

_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """The entry to look at: of an object, or of a model's build, whose address is its folder's."""

    sync: str
    source: ObjectRef

    def to_body(self) -> str:
        """The message's body: ``{"schema": 1, "sync": "orders", "bucket": "acme", "key": "in/a.csv"}``."""
        fields = {"schema": _SCHEMA, "sync": self.sync, "bucket": self.source.bucket, "key": self.source.key}
        return json.dumps(fields, ensure_ascii=False)

    @classmethod
    def parse(cls, body: str) -> Self:
        """Read what ``to_body`` gave. Raises: MessageError, UnknownMessage."""
        try:
            fields: Any = json.loads(body)
        except ValueError as error:
            raise MessageError(f"the message is no JSON: {error}") from error
        if not isinstance(fields, dict) or fields.get("schema") != _SCHEMA:
            raise UnknownMessage(f"the message is none of schema {_SCHEMA} to the committer: {body[:200]}")
        return cls(_take_text(fields, "sync"), ObjectRef(_take_text(fields, "bucket"), _take_text(fields, "key")))


def _take_text(fields: dict[str, Any], name: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str) or not text:
        raise UnknownMessage(f"the message to the committer has no {name}: {json.dumps(fields)[:200]}")
    return text


class CommitRequests(Protocol):
    """Where requests to the committer go: first in, first out for each table."""

    def send(self, body: str, *, group: str, deduplication: str) -> None:
        """Send a message; return only when it is on its way. Raises MillraceError."""
        ...


def name_group(name: CatalogName) -> str:
    """The group of a table's messages: 32 hexadecimal digits, since names may be longer than a group's may."""
    return hashlib.sha256(f"{name.database}\n{name.table}".encode()).hexdigest()[:32]


def name_request(request: CommitRequest, revision: int) -> str:
    """The id by which SQS knows a request that is sent again: of the object and of what its entry was."""
    text = f"{request.sync}\n{request.source}\n{revision}"
    return hashlib.sha256(text.encode()).hexdigest()[:64]
