"""The fields of an S3 connection as they are written, and the conditions between them."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, SecretStr

from millrace.config.base import AT_LEAST_ONE, Contradiction, NonEmpty, doc, ours, unexpected, with_fields
from millrace.config.fields import (
    MANAGED,
    Flag,
    FolderField,
    Glob,
    QueueField,
    Region,
    RoleArn,
    SecretName,
    SourceFormat,
)
from millrace.config.object_filter_fields import OBJECT_FILTERS
from millrace.config.option_fields import (
    OptionFields,
    check_dialect,
    check_formats,
    check_records,
    check_sheets,
    connection_options,
    is_set,
)
from millrace.engine.options import SOURCE_FORMATS, FileFormat


class AuthMode(enum.StrEnum):
    """How to authenticate with AWS."""

    ACCESS_KEY = "access_key_and_secret"
    IAM_ROLE = "iam_role"
    EXECUTION_ROLE = "execution_role"


def _segment(text: str) -> str:
    if "/" in text or text in {".", ".."} or not text.isprintable() or text != text.strip():
        raise unexpected("a table's name without '/', which becomes a folder of the output")
    return text


def _distinct(formats: tuple[FileFormat, ...]) -> tuple[FileFormat, ...]:
    if len(set(formats)) != len(formats):
        raise unexpected("each format once")
    return formats


_SINGLE = "is_single_table is true and is_directory_snapshot is false"
_SNAPSHOT = "is_single_table and is_directory_snapshot are true"


@with_fields(connection_options(), OBJECT_FILTERS)
class S3Configuration(OptionFields):
    """The fields of an S3 connection, under Polytomic's names."""

    place: ClassVar[str] = "connections[].configuration"
    read_only: ClassVar[Mapping[str, str]] = {
        "external_id": "Millrace derives it, and `millrace connections` shows it with the trust policy to paste",
        "aws_user": "it is the ARN behind the access keys, and `millrace connections` shows it",
    }

    auth_mode: AuthMode = Field(
        default=AuthMode.ACCESS_KEY,
        description="How to authenticate with AWS: with access keys, by assuming a role, or (Millrace's own)"
        " execution_role, as the function's own role, which is what a bucket of the same account wants.",
        json_schema_extra=doc(),
    )
    aws_access_key_id: SecretStr | None = Field(
        default=None,
        description="Access key id with read/write access to the bucket. Never deployed: `millrace connections store"
        " NAME` puts it into Secrets Manager.",
        json_schema_extra=doc(when="auth_mode is access_key_and_secret"),
    )
    aws_secret_access_key: SecretStr | None = Field(
        default=None,
        description="Secret access key. Never deployed: `millrace connections store NAME` puts it into Secrets"
        " Manager.",
        json_schema_extra=doc(when="auth_mode is access_key_and_secret"),
    )
    aws_credentials_secret: SecretName | None = Field(
        default=None,
        description="Name or ARN of the Secrets Manager secret that holds both keys; instead of the inline keys.",
        examples=["millrace/landing"],
        json_schema_extra=ours(when="auth_mode is access_key_and_secret"),
    )
    iam_role_arn: RoleArn | None = Field(
        default=None,
        description="ARN of the role to assume, with the connection's external id.",
        examples=["arn:aws:iam::123456789012:role/millrace"],
        json_schema_extra=doc(when="auth_mode is iam_role"),
    )
    s3_bucket_name: FolderField = Field(
        description="Bucket, and optionally the folder that confines every read and write: s3://bucket/folder,"
        " bucket/folder or bucket.",
        examples=["s3://polytomic/dataset"],
        json_schema_extra=doc(),
    )
    s3_bucket_region: Region = Field(
        description="Region of the bucket.", examples=["us-east-1"], json_schema_extra=doc()
    )
    create_bucket: Flag = Field(
        default=False,
        description="true: the stack creates the bucket (and keeps it when the stack goes). false: it exists.",
        json_schema_extra=ours(),
    )
    enable_event_notifications: Flag = Field(
        default=False,
        description="Whether S3 tells a queue about every change; false: a schedule lists the bucket.",
        json_schema_extra=doc(),
    )
    event_queue_arn: QueueField | None = Field(
        default=None,
        description="ARN of the SQS queue that receives the bucket's notifications, or (Millrace's own) managed: the"
        " stack makes queue and notification.",
        examples=[MANAGED, "arn:aws:sqs:us-east-1:123456789012:uploads"],
        json_schema_extra=doc(when="enable_event_notifications is true"),
    )
    is_single_table: Flag = Field(
        default=False,
        description="Whether the files are one table (or, with is_directory_snapshot, one table a directory); false:"
        " every object is a table of its own.",
        json_schema_extra=doc(),
    )
    is_directory_snapshot: Flag = Field(
        default=False,
        description="Whether every directory that matches directory_glob_pattern is a table.",
        json_schema_extra=doc(when="is_single_table is true"),
    )
    single_table_name: Annotated[str, AfterValidator(_segment)] | None = Field(
        default=None,
        description="Name of the one table; default: the last segment of the folder, else the bucket.",
        examples=["orders"],
        json_schema_extra=doc(when=_SINGLE),
    )
    single_table_file_format: SourceFormat = Field(
        default=FileFormat.CSV, description="Format of the one table's files.", json_schema_extra=doc(when=_SINGLE)
    )
    single_table_file_formats: Annotated[NonEmpty[SourceFormat], AfterValidator(_distinct)] = Field(
        default=(FileFormat.CSV,),
        description="Formats that may be present across different tables; the files of one table share one.",
        examples=[["csv", "parquet"]],
        json_schema_extra=doc(when=_SNAPSHOT) | AT_LEAST_ONE,
    )
    directory_glob_pattern: Glob | None = Field(
        default=None,
        description="Which directories are tables, relative to the folder: * is one segment, ** any depth, ? one"
        " character, [...] a choice of characters.",
        examples=["*", "tenant=*/orders", "exports/**/daily"],
        json_schema_extra=doc(when="is_directory_snapshot is true"),
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Hold the conditions between the fields."""
        yield from _authentication(given)
        yield from _notifications(given)
        yield from _layout(given)
        yield from check_dialect(given)
        yield from check_records(given)


def _authentication(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    mode = given.get("auth_mode", AuthMode.ACCESS_KEY)
    keys = ("aws_access_key_id", "aws_secret_access_key")
    wanted: dict[Any, tuple[str, ...]] = {
        AuthMode.ACCESS_KEY: (*keys, "aws_credentials_secret"),
        AuthMode.IAM_ROLE: ("iam_role_arn",),
        AuthMode.EXECUTION_ROLE: (),
    }
    # An unknown mode is refused by its own field.
    if not isinstance(mode, str) or mode not in wanted:
        return
    surplus = set(given) - set(wanted[mode])
    for field in (*keys, "aws_credentials_secret", "iam_role_arn"):
        if field in surplus:
            yield Contradiction(field, f"not used with auth_mode {mode}; remove it, or change auth_mode")
    if mode == AuthMode.IAM_ROLE and "iam_role_arn" not in given:
        yield Contradiction("iam_role_arn", "required with auth_mode iam_role, but not given")
    if mode == AuthMode.ACCESS_KEY:
        yield from _access_keys(given, keys)


def _access_keys(given: Mapping[str, Any], keys: tuple[str, str]) -> Iterator[Contradiction]:
    inline = [key for key in keys if key in given]
    if "aws_credentials_secret" in given:
        for key in inline:
            yield Contradiction(key, "given twice: aws_credentials_secret holds it already; remove one of the two")
        return
    for key in keys:
        if key not in given:
            yield Contradiction(
                key,
                "required with auth_mode access_key_and_secret (the default), but not given; give it, or name a"
                " Secrets Manager secret in aws_credentials_secret, or use auth_mode iam_role or execution_role",
            )


def _notifications(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    enabled = given.get("enable_event_notifications", False)
    if enabled is True and "event_queue_arn" not in given:
        yield Contradiction(
            "event_queue_arn",
            "required where enable_event_notifications is true, but not given; give a queue's ARN, or 'managed' to"
            " have one made",
        )
    if enabled is False and "event_queue_arn" in given:
        yield Contradiction(
            "event_queue_arn",
            "not used while enable_event_notifications is false; set that to true, or remove this",
        )


def _layout(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    single = given.get("is_single_table", False)
    snapshot = given.get("is_directory_snapshot", False)
    # What is neither true nor false is refused by its own field.
    if not isinstance(single, bool) or not isinstance(snapshot, bool):
        return
    if snapshot and not single:
        yield Contradiction("is_directory_snapshot", "only where is_single_table is true")
    one_table = single and not snapshot
    yield from _check_table_fields(given, one_table=one_table, snapshot=snapshot)
    yield from check_formats(given, _formats(given, one_table=one_table, snapshot=snapshot))
    if single:
        yield from check_sheets(given)


def _check_table_fields(given: Mapping[str, Any], *, one_table: bool, snapshot: bool) -> Iterator[Contradiction]:
    for field, applies, condition in (
        ("single_table_name", one_table, _SINGLE),
        ("single_table_file_format", one_table, _SINGLE),
        ("single_table_file_formats", snapshot, _SNAPSHOT),
        ("directory_glob_pattern", snapshot, "is_directory_snapshot is true"),
    ):
        if not applies and is_set(given, field, _default_of(field)):
            yield Contradiction(field, f"only where {condition}")
    if snapshot and "directory_glob_pattern" not in given:
        yield Contradiction("directory_glob_pattern", "required where is_directory_snapshot is true, but not given")


def _formats(given: Mapping[str, Any], *, one_table: bool, snapshot: bool) -> list[str]:
    if one_table:
        return [str(given.get("single_table_file_format", "csv"))]
    if snapshot:
        formats = given.get("single_table_file_formats", ["csv"])
        return list(map(str, formats)) if isinstance(formats, list | tuple) else ["csv"]
    return list(SOURCE_FORMATS)


def _default_of(field: str) -> object:
    return S3Configuration.model_fields[field].get_default(call_default_factory=True, validated_data={})
