"""Answers of the vendor's API, written by hand: the forms that its reference documents, with names of our own."""

from __future__ import annotations

from typing import Any

Raw = dict[str, Any]

LANDING = "11111111-0000-4000-8000-000000000001"
LAKE = "11111111-0000-4000-8000-000000000002"
ORDERS = "22222222-0000-4000-8000-000000000001"
CUSTOMERS = "33333333-0000-4000-8000-000000000001"
PUSH = "44444444-0000-4000-8000-000000000001"
_MADE: Raw = {
    "organization_id": "55555555",
    "created_at": "2026-01-02T03:04:05Z",
    "created_by": {"id": "u", "name": "n"},
}


def vendor_connection(vendor_id: str = LANDING, name: str = "landing", /, **configuration: Any) -> Raw:
    """A connection by a role, as GET /api/connections lists it."""
    own = {
        "auth_mode": "iam_role",
        "iam_role_arn": "arn:aws:iam::123456789012:role/landing",
        "external_id": "e-1",
        "s3_bucket_name": f"s3://acme/{name}",
        "s3_bucket_region": "eu-west-1",
    }
    kind = {"id": "s3", "name": "S3", "operations": ["bulksyncsource"]}
    return {
        "id": vendor_id,
        "name": name,
        "type": kind,
        "status": "healthy",
        **_MADE,
        "configuration": own | configuration,
    }


def vendor_connections() -> list[Raw]:
    """The source and the destination."""
    return [vendor_connection(), vendor_connection(LAKE, "lake")]


def vendor_bulk_sync(vendor_id: str = ORDERS, name: str = "orders", /, **fields: Any) -> Raw:
    """A bulk sync, as GET /api/bulk/syncs lists it."""
    return {
        "id": vendor_id,
        "name": name,
        "source_connection_id": LANDING,
        "destination_connection_id": LAKE,
        "destination_configuration": {"format": "parquet", "subfolder": name},
        "mode": "replicate",
        "active": True,
        **_MADE,
        **fields,
    }


def vendor_model(vendor_id: str = CUSTOMERS, name: str = "customers", /, **fields: Any) -> Raw:
    """A model, as GET /api/models lists it."""
    return {
        "id": vendor_id,
        "name": name,
        "type": "s3",
        "connection_id": LANDING,
        "configuration": {"model_from": "single_file", "key": "landing/customers.csv", "skip_lines": 0},
        "fields": [
            {"id": "f-1", "name": "id", "label": "Id", "type": "number", "example": 7},
            {"id": "f-2", "name": "country", "label": "Country", "type": "string"},
        ],
        "identifier": "id",
        "version": 3,
        **_MADE,
        **fields,
    }


def vendor_model_sync(vendor_id: str = PUSH, name: str = "push", /, **fields: Any) -> Raw:
    """A model sync, as GET /api/syncs lists it."""
    return {
        "id": vendor_id,
        "name": name,
        "active": True,
        "mode": "replace",
        "model_ids": [CUSTOMERS],
        "fields": [{"source": {"model_id": CUSTOMERS, "field": "country"}, "target": "land", "new": True}],
        "target": {"connection_id": LAKE, "object": "crm/customers", "configuration": {"format": "json"}},
        **_MADE,
        **fields,
    }
