"""What a connection's bucket is used for, and the least that its role, user or queue must allow: policies as values.

The lists of actions are those that the deployed functions' own roles get, too: infrastructure takes them from here.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from millrace.config.connection import Connection, QueueArn
from millrace.config.document import Document
from millrace.config.layout import Folder

READ_OBJECTS = ("s3:GetObject", "s3:GetObjectVersion")
WRITE_OBJECTS = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject", "s3:DeleteObject")
"""GetObject besides PutObject: S3 asks for it with If-Match, and lineage is read back by HEAD. DeleteObject: an output
that a changed configuration or a deleted source leaves behind goes by its name."""
JOIN_PARTS = ("s3:ListMultipartUploadParts",)
"""Besides WRITE_OBJECTS, to join the parts of a big run: an upload may take several invocations, and each asks which
parts are there."""
LIST_OBJECTS = ("s3:ListBucket",)
RECEIVE_MESSAGES = (
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
)
KEEP_TABLES = (
    "s3tables:GetTable",
    "s3tables:GetTableMetadataLocation",
    "s3tables:UpdateTableMetadataLocation",
    "s3tables:GetTableData",
    "s3tables:PutTableData",
    "s3tables:PutTableMaintenanceConfiguration",
)
"""Of a table in a table bucket. Whoever may change one is to have GetTableMetadataLocation, too (Amazon S3 User Guide,
"Resource-based policies for S3 Tables")."""
READ_BY_KEY = ("kms:Decrypt",)
WRITE_BY_KEY = ("kms:Decrypt", "kms:GenerateDataKey")
"""Decrypt besides GenerateDataKey: S3 asks for it when the parts of an upload are put together."""

Policy: TypeAlias = dict[str, Any]
"""An IAM policy document, as JSON values."""


class Use(enum.StrEnum):
    """What an active sync does with a connection."""

    SOURCE = "source"
    DESTINATION = "destination"


def uses(document: Document, connection: str) -> tuple[Use, ...]:
    """What the active syncs of ``document`` use a connection for; () where none does."""
    used = []
    if connection in document.read_connections():
        used.append(Use.SOURCE)
    if connection in document.written_connections():
        used.append(Use.DESTINATION)
    return tuple(used)


def within(folder: Folder) -> dict[str, dict[str, str]]:
    """The condition that holds a listing to a folder.

    S3 answers 404 for a missing key only to who may list the bucket, and 403 to all others; the check that it makes
    for a GET has no prefix to compare, so the condition is "like, if there is one".
    """
    return {"StringLikeIfExists": {"s3:prefix": f"{folder.prefix}*"}} if folder.path else {}


def connection_policy(document: Document, connection: Connection, *, kms_keys: Sequence[str] = ()) -> Policy | None:
    """The policy to attach to a connection's role, or to its keys' user; None where no active sync uses it.

    ``kms_keys`` are the ARNs of the keys that encrypt the bucket's objects.
    """
    used = uses(document, connection.name)
    if not used:
        return None
    bucket = f"arn:{partition_of(connection.region)}:s3:::{connection.bucket}"
    objects = f"{bucket}/{connection.root.prefix}*"
    statements = []
    if Use.SOURCE in used:
        statements.append(_statement("ReadSource", READ_OBJECTS, [objects]))
    if Use.DESTINATION in used:
        statements.append(_statement("WriteDestination", (*WRITE_OBJECTS, *JOIN_PARTS), [objects]))
    statements.append(_statement("ListFolder", LIST_OBJECTS, [bucket], within(connection.root)))
    if kms_keys:
        actions = WRITE_BY_KEY if Use.DESTINATION in used else READ_BY_KEY
        statements.append(_statement("UseKeys", actions, kms_keys, _by_way_of_s3(connection.region)))
    return _policy(statements)


def trust_policy(external_id: str, *, principals: Sequence[str]) -> Policy:
    """The trust policy of a role that only these may assume, and only with the external id.

    Source: IAM User Guide, "Access to AWS accounts owned by third parties".
    """
    statement = {
        "Effect": "Allow",
        "Principal": _principal(principals),
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }
    return _policy([statement])


def queue_policy(document: Document, connection: Connection, *, principals: Sequence[str]) -> Policy | None:
    """What a user's own queue must allow where it belongs to another account; None without such a queue.

    Lambda receives under the function's own role whatever role the connection assumes, so it is the queue that has to
    let it (Lambda Developer Guide, "Using Lambda with Amazon SQS").
    """
    queue = connection.notifications
    if not isinstance(queue, QueueArn) or Use.SOURCE not in uses(document, connection.name):
        return None
    statement = _statement("LetMillraceReceive", RECEIVE_MESSAGES, [queue.arn])
    return _policy([{**statement, "Principal": _principal(principals)}])


def bucket_policy(document: Document, connection: Connection, *, principals: Sequence[str]) -> Policy | None:
    """What a bucket of another account must allow where the functions use it under their own role."""
    policy = connection_policy(document, connection)
    if policy is None:
        return None
    principal = {"Principal": _principal(principals)}
    return _policy(statement | principal for statement in policy["Statement"])


def _policy(statements: Iterable[dict[str, Any]]) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _statement(
    sid: str, actions: Sequence[str], resources: Sequence[str], condition: dict[str, dict[str, str]] | None = None
) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**statement, "Condition": condition} if condition else statement


def _principal(arns: Sequence[str]) -> dict[str, Any]:
    return {"AWS": arns[0] if len(arns) == 1 else list(arns)}


_PARTITIONS = {"cn-": ("aws-cn", "amazonaws.com.cn"), "us-gov-": ("aws-us-gov", "amazonaws.com")}
"""A region's first letters, to the partition that it is in and the domain of its services."""


def partition_of(region: str) -> str:
    """The part of AWS that a region is in, as ARNs name it."""
    return _partition_and_domain(region)[0]


def by_way_of(services: Sequence[str], regions: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """The condition that lets a key be used by way of these services alone, and never by itself.

    Source: AWS Key Management Service Developer Guide, "kms:ViaService".
    """
    names = []
    for region in regions:
        names += [_service_name(service, region) for service in services]
    return {"StringEquals": {"kms:ViaService": names}}


def _by_way_of_s3(region: str) -> dict[str, dict[str, str]]:
    return {"StringEquals": {"kms:ViaService": _service_name("s3", region)}}


def _service_name(service: str, region: str) -> str:
    """A service of a region as KMS names it: ``s3.eu-central-1.amazonaws.com``."""
    return f"{service}.{region}.{_partition_and_domain(region)[1]}"


def _partition_and_domain(region: str) -> tuple[str, str]:
    for start, partition_and_domain in _PARTITIONS.items():
        if region.startswith(start):
            return partition_and_domain
    return "aws", "amazonaws.com"
