"""S3 Tables in memory, for threads: it takes of a request what AWS documents, and refuses the rest."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from millrace.errors import AccessDenied
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject, ObjectHead
from tests.fakes import InMemoryObjectStore

TABLE_BUCKET = "arn:aws:s3tables:eu-central-1:111122223333:bucket/acme-tables"
_NAME = r"[a-z0-9]([a-z0-9_]{0,253}[a-z0-9])?"


def _refuse(code: str, action: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, action)


@dataclass
class WarehouseStore(InMemoryObjectStore):
    """The tables' own buckets: nobody lists, deletes or writes over, and who asks for what is not there is denied.

    ``on_call`` is called before each request with what it is.
    """

    on_call: Callable[[str], None] = lambda _call: None

    def _bucket(self, name: str) -> dict[str, Any]:
        self.on_call(f"s3 {name}")
        return super()._bucket(name)

    def head(self, ref: ObjectRef) -> ObjectHead | None:
        """As S3 answers who may not list."""
        head = super().head(ref)
        if head is None:
            raise AccessDenied(f"s3:GetObject on {ref} was denied")
        return head

    def delete(self, ref: ObjectRef, *, etag: str | None = None) -> None:
        """Nobody may."""
        raise AssertionError((ref, etag))

    def list(self, bucket: str, prefix: str, *, start_after: str = "") -> Iterator[ListedObject]:
        """Nobody may."""
        raise AssertionError((bucket, prefix, start_after))


@dataclass
class FakeTableBuckets:
    """One table bucket, as boto3's client of ``s3tables``.

    ``warehouse`` gets a bucket for each table. ``losses`` counts updates that came too late. Of ``lost_answers``
    updates the answer gets lost: the client asks again, and hears of a conflict, though its first request was done.
    """

    warehouse: WarehouseStore = field(default_factory=WarehouseStore)
    namespaces: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    losses: int = 0
    lost_answers: int = 0
    on_call: Callable[[str], None] = lambda _call: None
    lock: Any = field(default_factory=threading.Lock)

    def create_namespace(self, *, tableBucketARN: str, namespace: list[str]) -> None:  # noqa: N803 - boto3's names
        """As boto3."""
        (name,) = namespace
        self._begin("CreateNamespace", tableBucketARN, name)
        with self.lock:
            if name in self.namespaces:
                raise _refuse("ConflictException", "CreateNamespace")
            self.namespaces[name] = {}

    def create_table(self, *, format: str, **named: str) -> None:  # noqa: A002 - the name is boto3's
        """As boto3."""
        assert format == "ICEBERG"
        self._begin("CreateTable", named["tableBucketARN"], named["name"])
        with self.lock:
            tables = self.namespaces.get(named["namespace"])
            if tables is None:
                raise _refuse("NotFoundException", "CreateTable")
            if named["name"] in tables:
                raise _refuse("ConflictException", "CreateTable")
            number = sum(map(len, self.namespaces.values()))
            bucket = f"{number:08d}--table-s3"
            self.warehouse.buckets[bucket] = {}
            tables[named["name"]] = {"versionToken": "0", "warehouseLocation": f"s3://{bucket}", "maintenance": {}}

    def get_table(self, **named: str) -> dict[str, Any]:
        """As boto3."""
        self._begin("GetTable", named["tableBucketARN"], named["name"])
        with self.lock:
            return dict(self._find("GetTable", named))

    def put_table_maintenance_configuration(self, *, type: str, value: Any, **named: str) -> None:  # noqa: A002 - see above
        """As boto3."""
        self._begin("PutTableMaintenanceConfiguration", named["tableBucketARN"], named["name"])
        with self.lock:
            self._find("PutTableMaintenanceConfiguration", named)["maintenance"][type] = value

    def update_table_metadata_location(self, *, versionToken: str, metadataLocation: str, **named: str) -> None:  # noqa: N803 - boto3's names
        """As boto3: only of just that version."""
        action = "UpdateTableMetadataLocation"
        self._begin(action, named["tableBucketARN"], named["name"])
        with self.lock:
            table = self._find(action, named)
            ref = ObjectRef.parse(metadataLocation)
            assert metadataLocation.startswith(f"{table['warehouseLocation']}/")
            assert metadataLocation.endswith(".metadata.json")
            assert ref.key in self.warehouse.buckets[ref.bucket]
            if table["versionToken"] != versionToken:
                self.losses += 1
                raise _refuse("ConflictException", action)
            table |= {"versionToken": str(int(versionToken) + 1), "metadataLocation": metadataLocation}
            if self.lost_answers:
                self.lost_answers -= 1
                raise _refuse("ConflictException", action)

    def get_paginator(self, name: str) -> FakeTableBuckets:
        """Of ``list_tables`` alone."""
        assert name == "list_tables"
        return self

    def paginate(self, *, tableBucketARN: str, namespace: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's names
        """One page."""
        self._begin("ListTables", tableBucketARN, namespace)
        if namespace not in self.namespaces:
            raise _refuse("NotFoundException", "ListTables")
        yield {"tables": [{"name": name, "namespace": [namespace]} for name in self.namespaces[namespace]]}

    def _begin(self, action: str, arn: str, name: str) -> None:
        self.on_call(action)
        if arn != TABLE_BUCKET:
            raise _refuse("NotFoundException", action)
        if not re.fullmatch(_NAME, name):
            raise _refuse("BadRequestException", action)

    def _find(self, action: str, named: dict[str, str]) -> dict[str, Any]:
        table = self.namespaces.get(named["namespace"], {}).get(named["name"])
        if table is None:
            raise _refuse("NotFoundException", action)
        return table
