"""Secrets Manager: read a secret, or store one; no error shows what is in it."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeGuard

from botocore.exceptions import ClientError

from millrace.aws.faults import error_code, translated
from millrace.errors import BadCredentials, ConfigurationError
from millrace.texts import quote_for_shell

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEY_FIELDS = ("aws_access_key_id", "aws_secret_access_key")
"""What a secret with access keys holds: a JSON object of these."""

_UNREADABLE = {
    "ResourceNotFoundException": "does not exist in the functions' account and region",
    "InvalidRequestException": "cannot be read, as it is deleted or about to be",
    "DecryptionFailure": "cannot be decrypted: its KMS key must be enabled, and granted with context existing_key_arns",
}


class Stored(enum.StrEnum):
    """What became of a secret."""

    CREATED = "created"
    UPDATED = "updated"


def read(client: SecretsManagerClient, secret: str, *, of: str, remedy: str) -> str:
    """The text of ``secret``, by name or ARN; BadCredentials names what it is ``of`` and the ``remedy``."""
    with translated("secretsmanager:GetSecretValue on", f"{secret} ({of})"):
        try:
            text = client.get_secret_value(SecretId=secret).get("SecretString")
        except ClientError as error:
            if words := _UNREADABLE.get(error_code(error)):
                raise BadCredentials(f"secret {secret!r} ({of}) {words}; {remedy}") from error
            raise
    if not text:
        raise BadCredentials(f"secret {secret!r} ({of}) holds no text; {remedy}")
    return text


def read_keys(client: SecretsManagerClient, secret: str, connection: str) -> tuple[str, str]:
    """The access key id and the secret access key of a connection."""
    remedy = f"`millrace connections store {quote_for_shell(connection)}` writes it"
    text = read(client, secret, of=f"connection {connection!r}", remedy=remedy)
    try:
        key_id, key = (json.loads(text)[field] for field in KEY_FIELDS)
    except (ValueError, LookupError, TypeError):
        key_id = key = None
    if not (_is_text(key_id) and _is_text(key)):
        # No cause: it would show the secret's text.
        raise BadCredentials(
            f"secret {secret!r} of connection {connection!r} is not a JSON object with {' and '.join(KEY_FIELDS)}, "
            f"both of them text; {remedy}"
        )
    return key_id, key


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""


def key_of(client: SecretsManagerClient, secret: str) -> Callable[[], bytes]:
    """Make a function that gives the key of obfuscated fields, reading it at its first success only."""
    held: list[bytes] = []

    def key() -> bytes:
        if not held:
            remedy = "deploy the stacks, which make it; a key that is lost cannot be made again with the same hashes"
            held.append(read(client, secret, of="the key of obfuscated fields", remedy=remedy).encode())
        return held[0]

    return key


def store(client: SecretsManagerClient, secret: str, text: str, *, description: str, kms_key: str | None) -> Stored:
    """Write ``text`` as a new secret, or as the new value of the one that is there; ``kms_key`` encrypts it."""
    encrypted: dict[str, Any] = {"KmsKeyId": kms_key} if kms_key else {}
    # Made without asking first: to ask needs one more permission, and somebody may make it in between.
    with translated("secretsmanager:CreateSecret on", secret):
        try:
            client.create_secret(Name=secret, SecretString=text, Description=description, **encrypted)
        except ClientError as error:
            if error_code(error) != "ResourceExistsException":
                raise _explain(error, secret) from error
        else:
            return Stored.CREATED
    with translated("secretsmanager:UpdateSecret on", secret):
        try:
            client.update_secret(SecretId=secret, SecretString=text, **encrypted)
        except ClientError as error:
            raise _explain(error, secret) from error
    return Stored.UPDATED


def _explain(error: ClientError, secret: str) -> Exception:
    if error_code(error) != "InvalidRequestException":
        return error
    said = error.response.get("Error", {}).get("Message", "")
    return ConfigurationError(
        f"secret {secret!r} is deleted or about to be ({said}); restore it (aws secretsmanager restore-secret), or "
        "name another with --secret"
    )
