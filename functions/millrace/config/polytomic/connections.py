"""Connections of the kind S3; the API masks their keys, so that a secret's name takes their place."""

from __future__ import annotations

from typing import Any

from millrace.config.connection import suggest_secret
from millrace.config.fields import MANAGED
from millrace.config.polytomic.fields import VendorFields
from millrace.config.problems import SECRET_FIELDS
from millrace.config.s3_configuration import AuthMode, S3Configuration

_REASONS = {
    "external_id": "Millrace has one of its own, which `millrace connections` shows",
    "aws_user": "`millrace connections` shows it",
}


def to_connection(fields: VendorFields, name: str) -> dict[str, Any]:
    """The raw connection; one of another kind is blocked."""
    fields.take("name")
    kind = fields.take("type")
    kind = kind.get("id") if isinstance(kind, dict) else kind
    if kind != "s3":
        fields.block(f"it is of the kind {kind!r}, and Millrace connects to S3 alone")
    configuration = fields.take_object("configuration")
    fields.leave_out_rest({})
    if kind != "s3":
        return {}
    raw = _take_authentication(configuration, name) | _take_layout(configuration)
    raw |= configuration.take_known(frozenset(S3Configuration.model_fields))
    configuration.leave_out_rest(_REASONS)
    return {"name": name, "type": "s3", "configuration": raw}


def _take_authentication(fields: VendorFields, name: str) -> dict[str, Any]:
    mode = fields.take("auth_mode") or str(AuthMode.ACCESS_KEY)
    for field in SECRET_FIELDS:
        fields.take(field)
    raw = {"auth_mode": mode}
    if mode == AuthMode.ACCESS_KEY:
        raw["aws_credentials_secret"] = fields.take("aws_credentials_secret") or suggest_secret(name)
        fields.ask_for(
            "aws_access_key_id and aws_secret_access_key",
            f"no key is copied: put them into the secret {raw['aws_credentials_secret']!r} of Secrets Manager, as JSON"
            f" with these two fields; or say auth_mode: execution_role and remove aws_credentials_secret",
        )
        fields.leave_out("iam_role_arn", f"not used with auth_mode {mode}")
    elif mode == AuthMode.IAM_ROLE:
        fields.ask_for(
            "iam_role_arn",
            "the role's trust policy names Polytomic's account and external id: `millrace connections` prints the one"
            " that it needs now",
        )
    return raw


def _take_layout(fields: VendorFields) -> dict[str, Any]:
    """The fields that depend on others; a form's fields that do not apply are left out, and named."""
    names = ("enable_event_notifications", "is_single_table", "is_directory_snapshot")
    raw = fields.take_known(frozenset(names))
    # The name that their Terraform provider and their older API have for it.
    if older := fields.take("dir_glob_pattern"):
        raw["directory_glob_pattern"] = older
    notifies, single, snapshot = (raw.get(name) is True for name in names)
    one_table, directories = single and not snapshot, single and snapshot
    applies = {
        "event_queue_arn": notifies,
        "single_table_name": one_table,
        "single_table_file_format": one_table,
        "single_table_file_formats": directories,
        "directory_glob_pattern": directories,
    }
    for name, does_apply in applies.items():
        if not does_apply:
            raw.pop(name, None)
            fields.leave_out(name, "has no effect beside the connection's other fields")
    if notifies:
        raw["event_queue_arn"] = _take_queue(fields)
    return raw


def _take_queue(fields: VendorFields) -> str:
    queue = fields.take("event_queue_arn")
    if queue is None:
        fields.ask_for("event_queue_arn", f"none is given: it is {MANAGED!r} here, so that the stack makes one")
        return MANAGED
    fields.ask_for(
        "event_queue_arn",
        "two readers of one queue take each other's messages: switch Polytomic's syncs of this connection off before"
        f" you deploy, or write {MANAGED!r}",
    )
    return str(queue)
