"""Builders of configurations: only what matters to a test is said."""

from __future__ import annotations

from typing import Any

from millrace.config.document import Document, parse

_MOST_KEPT = 200
_PARSED: dict[str, Document] = {}


def _parse_once(data: dict[str, Any]) -> Document:
    """Parse values that have no problem; worlds ask for the same ones at each step, and a document never changes."""
    key = repr(data)
    if key not in _PARSED:
        if len(_PARSED) >= _MOST_KEPT:
            _PARSED.clear()
        _PARSED[key] = parse(data)
    return _PARSED[key]


def connection(name: str, address: str, **fields: Any) -> dict[str, Any]:
    """A connection under the function's own role."""
    return {
        "name": name,
        "type": "s3",
        "configuration": {
            "auth_mode": "execution_role",
            "s3_bucket_name": address,
            "s3_bucket_region": "us-east-1",
            **fields,
        },
    }


def bulk_sync(name: str = "nightly", *, to: str = "parquet", subfolder: str = "", **fields: Any) -> dict[str, Any]:
    """A bulk sync from ``landing`` to ``lake``."""
    return {
        "name": name,
        "source_connection": "landing",
        "destination_connection": "lake",
        "destination_configuration": {"format": to, "subfolder": subfolder},
        **fields,
    }


def document(*syncs: dict[str, Any], source: dict[str, Any] | None = None) -> Document:
    """``s3://acme-in/in`` read into ``s3://acme-out/lake``, by default by one sync to Parquet."""
    landing = {"enable_event_notifications": True, "event_queue_arn": "managed"} | (source or {})
    return _parse_once(
        {
            "connections": [
                connection("landing", "s3://acme-in/in", **landing),
                connection("lake", "s3://acme-out/lake"),
            ],
            "bulk_syncs": list(syncs) or [bulk_sync()],
        }
    )


def model_document(
    model: dict[str, Any], sync: dict[str, Any] | None = None, *, source: dict[str, Any] | None = None, **fields: Any
) -> Document:
    """A model ``customers`` of ``s3://acme-in/in``, written as ``s3://acme-out/lake/customers`` by one sync."""
    landing = {"enable_event_notifications": True, "event_queue_arn": "managed"} | (source or {})
    target = {"connection": "lake", "object": "customers", "configuration": {"format": "json"}}
    return _parse_once(
        {
            "connections": [
                connection("landing", "s3://acme-in/in", **landing),
                connection("lake", "s3://acme-out/lake"),
            ],
            "models": [{"name": "customers", "connection": "landing", "configuration": model, **fields}],
            "model_syncs": [{"name": "nightly", "model": "customers", "target": target, **(sync or {})}],
        }
    )
