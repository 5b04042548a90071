"""A Glue that compares revisions, as the real one does and moto does not; in memory, for threads."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError


class _EntityNotFound(ClientError):
    pass


class _AlreadyExists(ClientError):
    pass


class _ConcurrentModification(ClientError):
    pass


EXCEPTIONS = SimpleNamespace(
    EntityNotFoundException=_EntityNotFound,
    AlreadyExistsException=_AlreadyExists,
    ConcurrentModificationException=_ConcurrentModification,
)


def _refuse(kind: type[ClientError], code: str, action: str) -> ClientError:
    return kind({"Error": {"Code": code, "Message": code}}, action)


@dataclass
class FakeGlue:
    """Databases with their tables; ``losses`` counts updates that came too late.

    Of ``lost_answers`` updates the answer gets lost: the client asks again, and hears of a conflict.
    """

    databases: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    losses: int = 0
    lost_answers: int = 0
    exceptions: Any = field(default_factory=lambda: EXCEPTIONS)
    lock: Any = field(default_factory=threading.Lock)

    def get_database(self, *, Name: str) -> dict[str, Any]:  # noqa: N803 - the name is boto3's
        """As boto3."""
        if Name not in self.databases:
            raise _refuse(_EntityNotFound, "EntityNotFoundException", "GetDatabase")
        return {"Database": {"Name": Name}}

    def get_table(self, *, DatabaseName: str, Name: str) -> dict[str, Any]:  # noqa: N803 - the names are boto3's
        """As boto3."""
        with self.lock:
            table = self.databases.get(DatabaseName, {}).get(Name)
            if table is None:
                raise _refuse(_EntityNotFound, "EntityNotFoundException", "GetTable")
            return {"Table": copy.deepcopy(table)}

    def create_table(self, *, DatabaseName: str, TableInput: dict[str, Any]) -> None:  # noqa: N803 - as above, boto3's
        """As boto3."""
        with self.lock:
            if DatabaseName not in self.databases:
                raise _refuse(_EntityNotFound, "EntityNotFoundException", "CreateTable")
            tables = self.databases[DatabaseName]
            if TableInput["Name"] in tables:
                raise _refuse(_AlreadyExists, "AlreadyExistsException", "CreateTable")
            tables[TableInput["Name"]] = {**TableInput, "DatabaseName": DatabaseName, "VersionId": "0"}

    def update_table(
        self,
        *,
        DatabaseName: str,  # noqa: N803 - the name is boto3's
        TableInput: dict[str, Any],  # noqa: N803 - the name is boto3's
        VersionId: str,  # noqa: N803 - the name is boto3's
        SkipArchive: bool,  # noqa: N803 - the name is boto3's
    ) -> None:
        """As boto3: only of just that version."""
        assert SkipArchive
        with self.lock:
            tables = self.databases[DatabaseName]
            stored = tables[TableInput["Name"]]
            if stored["VersionId"] != VersionId:
                self.losses += 1
                raise _refuse(_ConcurrentModification, "ConcurrentModificationException", "UpdateTable")
            version = str(int(VersionId) + 1)
            tables[TableInput["Name"]] = {**TableInput, "DatabaseName": DatabaseName, "VersionId": version}
            if self.lost_answers:
                self.lost_answers -= 1
                raise _refuse(_ConcurrentModification, "ConcurrentModificationException", "UpdateTable")

    def get_paginator(self, name: str) -> FakeGlue:
        """Of ``get_tables`` alone."""
        assert name == "get_tables"
        return self

    def paginate(self, *, DatabaseName: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - the name is boto3's
        """One page."""
        yield {"TableList": list(self.databases.get(DatabaseName, {}).values())}
