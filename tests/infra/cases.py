"""The configurations that the laws are held against, and builders of what matters in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from infra.options import Encryption, Options

REGION = "eu-central-1"
ACCOUNT = "111122223333"
OWN_QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:uploads"
OWN_DEAD_LETTERS = f"arn:aws:sqs:{REGION}:{ACCOUNT}:uploads-dead"
EXISTING_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:operators"


def connection(name: str, bucket: str, **fields: Any) -> dict[str, Any]:
    """A connection of the function's own role; ``fields`` override."""
    own = {"auth_mode": "execution_role", "s3_bucket_name": f"s3://{bucket}", "s3_bucket_region": REGION}
    return {"name": name, "type": "s3", "configuration": own | fields}


def source(name: str, bucket: str, **fields: Any) -> dict[str, Any]:
    """A connection with a managed queue."""
    return connection(name, bucket, **({"enable_event_notifications": True, "event_queue_arn": "managed"} | fields))


def sync(name: str, read: str, write: str, **fields: Any) -> dict[str, Any]:
    """A bulk sync into a subfolder of its own name."""
    place = {"format": "parquet", "subfolder": name}
    ends = {"source_connection": read, "destination_connection": write}
    return {"name": name, **ends, "destination_configuration": place, **fields}


def configuration(connections: list[dict[str, Any]], syncs: list[dict[str, Any]]) -> dict[str, Any]:
    """A whole document."""
    return {"connections": connections, "bulk_syncs": syncs}


CREATED = configuration(
    [
        source("landing", "acme-in/landing zone", create_bucket=True),
        source("returns", "acme-in/returns", create_bucket=True),
        connection("lake", "acme-out/lake", create_bucket=True),
    ],
    [sync("orders", "landing", "lake"), sync("returns", "returns", "lake", on_delete="remove")],
)
EXISTING = configuration(
    [source("landing", "acme-there/landing"), source("whole", "acme-whole"), connection("lake", "acme-out")],
    [sync("orders", "landing", "lake"), sync("whole", "whole", "lake")],
)
OWN_QUEUES = configuration(
    [
        source("landing", "acme-there/landing", event_queue_arn=OWN_QUEUE),
        source("more", "acme-more", event_queue_arn=OWN_QUEUE),
        connection("lake", "acme-out/lake"),
    ],
    [sync("orders", "landing", "lake"), sync("more", "more", "lake")],
)
HASHED = [{"id": "orders", "fields": [{"id": "email", "obfuscated": True}]}]
OBFUSCATED = configuration(
    [source("landing", "acme-in/landing", create_bucket=True), connection("lake", "acme-out/lake")],
    [sync("orders", "landing", "lake", schemas=HASHED)],
)
MODEL = {"name": "customers", "connection": "landing"}
"""What is validated and not run yet."""
MODELS = {
    "connections": [
        connection("landing", "acme-in/in"),
        source("told", "acme-told", create_bucket=True),
        connection("lake", "acme-out/lake"),
    ],
    "models": [MODEL, {"name": "returns", "connection": "told"}],
    "model_syncs": [
        {"name": f"{name} to lake", "model": name, "target": {"connection": "lake", "object": name}, **fields}
        for name, fields in (("customers", {}), ("returns", {"schedule": "hourly"}))
    ],
}
WEBHOOKS: dict[str, Any] = {
    "webhooks": [
        {"name": "operations", "url": "https://hooks.example.com/millrace", "secret": "millrace/webhook"},
        {
            "name": "vendor's",
            "url": "https://other.example.com/",
            "secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:vendor-AbCdEf",
            "format": "polytomic",
            "syncs": ["orders"],
        },
        {"name": "off", "url": "https://off.example.com/", "secret": "millrace/off", "active": False},
    ]
}
QUIET = configuration(
    [connection("landing", "acme-in/in"), source("told", "acme-told"), connection("lake", "acme-out/lake")],
    [
        sync("listed", "landing", "lake"),
        sync("weekly " + "x" * 50, "landing", "lake", schedule="weekly"),
        sync("by hand", "landing", "lake", schedule="manual"),
        sync("told", "told", "lake"),
        sync("off", "told", "lake", active=False),
    ],
)
OTHER_IDENTITIES = configuration(
    [
        source("landing", "partner-in", auth_mode="iam_role", iam_role_arn="arn:aws:iam::444455556666:role/millrace"),
        source("stored", "acme-stored", auth_mode="access_key_and_secret", aws_credentials_secret="millrace/stored"),
        connection("lake", "acme-out/lake"),
    ],
    [sync("orders", "landing", "lake"), sync("stored", "stored", "lake")],
)


TABLE = {"is_single_table": True, "single_table_name": "orders"}
CATALOGUED = configuration(
    [source("landing", "acme-in/landing", **TABLE), connection("lake", "acme-out/lake")],
    [
        sync("orders", "landing", "lake", destination_configuration={"format": "parquet", "catalog": "glue"}),
        sync(
            "named",
            "landing",
            "lake",
            destination_configuration={
                "format": "parquet",
                "subfolder": "named",
                "catalog": "glue",
                "database": "sales",
            },
        ),
    ],
) | {
    "models": [MODEL],
    "model_syncs": [
        {
            "name": "customers",
            "model": "customers",
            "target": {
                "connection": "lake",
                "object": "customers",
                "configuration": {"format": "parquet", "catalog": "glue", "database": "crm"},
            },
        }
    ],
}


ICEBERG = {
    "connections": [
        source("landing", "acme-in/landing", **TABLE),
        connection("lake", "acme-out/lake"),
        connection("mart", "acme-mart/mart"),
        connection("plain", "acme-plain"),
    ],
    "bulk_syncs": [
        sync("orders", "landing", "lake", destination_configuration={"format": "iceberg"}),
        sync("files", "landing", "plain"),
    ],
    "models": [MODEL],
    "model_syncs": [
        {
            "name": "customers",
            "model": "customers",
            "target": {
                "connection": "mart",
                "object": "customers",
                "configuration": {"format": "iceberg", "database": "sales"},
            },
        }
    ],
}


TABLE_BUCKET = "arn:aws:s3tables:eu-central-1:111122223333:bucket/acme-tables"
TABLE_BUCKETS = {
    "connections": [
        source("landing", "acme-in/landing", **TABLE),
        source("other", "acme-in/other", **TABLE),
        connection("lake", "acme-out/lake"),
        connection("mart", "acme-mart/mart"),
    ],
    "bulk_syncs": [
        sync(
            "orders",
            "landing",
            "lake",
            destination_configuration={"format": "iceberg", "database": "sales", "table_bucket": TABLE_BUCKET},
        ),
        sync("items", "other", "mart", destination_configuration={"format": "iceberg", "database": "mart"}),
    ],
}
"""Tables in a table bucket, and others in Glue."""


@dataclass(frozen=True, slots=True)
class StackCase:
    """A configuration and how it is deployed."""

    data: dict[str, Any]
    options: Options = field(default_factory=Options)


CASES = {
    "created buckets": StackCase(CREATED),
    "existing buckets": StackCase(EXISTING, Options(existing_key_arns=(EXISTING_KEY,))),
    "own queues": StackCase(
        OWN_QUEUES,
        Options(
            name="acme-orders",
            alarm_topic_arn=TOPIC,
            reserved_concurrency=35,
            own_dead_letter_arns=(OWN_DEAD_LETTERS,),
        ),
    ),
    "other identities": StackCase(OTHER_IDENTITIES | WEBHOOKS, Options(timeout_seconds=300, memory_mb=3538)),
    "customer key": StackCase(CREATED | WEBHOOKS, Options(kms=Encryption.CUSTOMER)),
    "customer key, existing buckets": StackCase(EXISTING, Options(kms=Encryption.CUSTOMER)),
    "no notifications": StackCase(QUIET),
    "obfuscated fields": StackCase(OBFUSCATED),
    "obfuscated fields, customer key": StackCase(OBFUSCATED, Options(kms=Encryption.CUSTOMER)),
    "obfuscated fields, existing secret": StackCase(OBFUSCATED, Options(obfuscation_secret="acme/hashes")),
    "models": StackCase(MODELS),
    "catalogued tables": StackCase(CATALOGUED, Options(name="acme-orders")),
    "iceberg tables": StackCase(ICEBERG, Options(name="acme-orders", kms=Encryption.CUSTOMER)),
    "emulator": StackCase(CREATED, Options(emulator=True)),
}
