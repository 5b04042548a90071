"""Secrets never leave: not by repr, str, errors, dumps or fingerprints."""

from __future__ import annotations

import json
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from millrace.config.connection import AccessKeys
from millrace.config.document import Document, load, parse
from millrace.config.s3_configuration import S3Configuration
from millrace.errors import InvalidConfiguration
from tests.unit.config.builders import bulk_sync, connection, document

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEYS: dict[str, Any] = {
    "auth_mode": "access_key_and_secret",
    "aws_access_key_id": KEY_ID,
    "aws_secret_access_key": SECRET,
}


def with_keys() -> Document:
    """A document with inline keys."""
    return parse({"connections": [connection("in", **KEYS), connection("out")], "bulk_syncs": [bulk_sync()]})


def shows(text: str) -> bool:
    """Tell whether any part of a secret is in ``text``."""
    return KEY_ID in text or SECRET in text or SECRET[10:30] in text


def test_nothing_prints_a_secret() -> None:
    """Not the document, its parts, their dumps, their fingerprint."""
    made = with_keys()
    source = made.connections[0]
    printed = [
        repr(made), str(made), f"{source!r} {source}", repr(source.auth), str(source.auth), repr(source.configuration),
        made.model_dump_json(), str(made.model_dump()), str(made.model_dump(mode="json")),
        made.fingerprint(made.bulk_syncs[0]), str(made.inline_secret_problems()),
    ]  # fmt: skip

    assert not any(shows(text) for text in printed)


def test_the_keys_are_there_for_who_asks() -> None:
    """A local command can use them."""
    auth = with_keys().connections[0].auth

    assert isinstance(auth, AccessKeys)
    assert auth.access_key_id is not None
    assert auth.secret_access_key is not None
    assert (auth.access_key_id.get_secret_value(), auth.secret_access_key.get_secret_value()) == (KEY_ID, SECRET)


def test_inline_secrets_are_named_with_the_command_that_stores_them() -> None:
    """Synth refuses with these; what is deployed cannot be written at all."""
    made = with_keys()

    assert made.inline_secrets() == [
        "connections[0].configuration.aws_access_key_id",
        "connections[0].configuration.aws_secret_access_key",
    ]
    (problem,) = made.inline_secret_problems()
    assert problem.startswith("connections[0].configuration: ")
    assert problem.endswith("millrace connections store in")
    with pytest.raises(InvalidConfiguration, match="millrace connections store in"):
        made.to_json()
    assert parse(document()).inline_secrets() == []


@pytest.mark.parametrize(
    "fields",
    [
        {**KEYS, "s3_bucket_region": "x"},
        {**KEYS, "auth_mode": "iam_role"},
        {**KEYS, "auth_mode": SECRET},
        {**KEYS, "aws_credentials_secret": "s"},
        {**KEYS, "aws_secret_access_key": [SECRET]},
        {**KEYS, "aws_secret_access_key": {"value": SECRET}},
        {**KEYS, "aws_access_key_id": 98765432},
        {"aws_secret_acces_key": SECRET, "access_key": KEY_ID},
        {"s3_bucket_name": f"s3://{KEY_ID}:{SECRET}@acme"},
        {"iam_role_arn": SECRET},
        {"csv_delimiter": SECRET},
        {"skip_lines": SECRET},
        {"csv_null_values": SECRET},
        {"csv_column_types": {"a": SECRET}},
        {"event_queue_arn": SECRET},
    ],
)
def test_no_problem_echoes_a_secret(fields: dict[str, Any]) -> None:
    """Whatever is wrong, and wherever a secret was put by mistake; nor does the error's whole traceback."""
    with pytest.raises(InvalidConfiguration) as refused:
        parse({"connections": [connection("in", **fields)], KEY_ID: 1} | {"connections ": SECRET})

    whole = "".join(traceback.format_exception(refused.value))
    assert not shows(whole.replace(f"{KEY_ID}: unknown field", ""))
    assert "98765432" not in whole
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"aws_secret_access_key": "%s", }'),
        ("a.yaml", "aws_secret_access_key: %s\n  x: ["),
        ("a.yaml", 'aws_secret_access_key: "%s'),
        ("a.yaml", "aws_secret_access_key: %s\naws_secret_access_key: %s"),
    ],
)
def test_an_unreadable_file_echoes_no_secret(tmp_path: Path, name: str, content: str) -> None:
    """The line is told, not shown."""
    path = tmp_path / name
    path.write_text(content.replace("%s", SECRET))

    with pytest.raises(InvalidConfiguration) as refused:
        load(path)

    assert not shows("".join(traceback.format_exception(refused.value)))
    assert refused.value.__context__ is None


def test_pydantics_own_error_shows_no_secret() -> None:
    """Even where a section is validated without the front door."""
    with pytest.raises(ValidationError) as refused:
        S3Configuration.model_validate({**KEYS, "s3_bucket_name": "x", "aws_secret_access_key": [SECRET]})

    assert not shows(str(refused.value))
    assert not shows(repr(refused.value))


def test_every_secret_field_is_known() -> None:
    """A secret field added later is hidden from messages, too."""
    from millrace.config.problems import SECRET_FIELDS  # noqa: PLC0415 -- only this test looks inside

    def names(section: type[BaseModel]) -> set[str]:
        return {name for name, field in section.model_fields.items() if "Secret" in str(field.annotation)}

    assert names(S3Configuration) == SECRET_FIELDS
    assert json.dumps(sorted(SECRET_FIELDS))
    assert pickle.loads(pickle.dumps(with_keys())) == with_keys()  # noqa: S301 -- our own bytes
