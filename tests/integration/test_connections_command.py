"""`millrace connections`: what it prints, and that keys are stored and never shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws
from typer.testing import CliRunner, Result

from millrace.cli.command_line import app
from millrace.config.document import parse
from millrace.errors import ConfigurationError, UsageError

KEY_ID, KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KMS_KEY = "arn:aws:kms:eu-west-1:123456789012:key/5d8a1b7e-0000-4000-8000-000000000000"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:uploads"
ROLE = "arn:aws:iam::123456789012:role/millrace"


def place(bucket: str, **fields: Any) -> dict[str, Any]:
    """A connection's fields."""
    return {"s3_bucket_name": bucket, "s3_bucket_region": "eu-west-1", **fields}


DOCUMENT: dict[str, Any] = {
    "connections": [
        {"name": "partner", "configuration": place("partner/in", aws_access_key_id=KEY_ID, aws_secret_access_key=KEY)},
        {
            "name": "vendor",
            "configuration": place(
                "vendor",
                auth_mode="iam_role",
                iam_role_arn=ROLE,
                enable_event_notifications=True,
                event_queue_arn=QUEUE,
            ),
        },
        {"name": "lake", "configuration": place("lake/all", auth_mode="execution_role")},
        {"name": "idle", "configuration": place("idle", auth_mode="iam_role", iam_role_arn=ROLE)},
    ],
    "bulk_syncs": [
        {
            "name": name,
            "source_connection": name,
            "destination_connection": "lake",
            "destination_configuration": {"format": "parquet", "subfolder": name},
        }
        for name in ("partner", "vendor")
    ],
}
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The command on a document."""
    path = tmp_path / "millrace.yaml"
    path.write_text(yaml.safe_dump(DOCUMENT))

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["connections", "--config", str(path), *arguments])

    return call


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Secrets Manager in eu-west-1."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield boto3.client("secretsmanager")


def told(run: Run, *arguments: str) -> dict[str, dict[str, Any]]:
    """Connections as JSON, by name."""
    ran = run("--offline", "--json", *arguments)
    assert ran.exit_code == 0, ran.output
    return {one["name"]: one for one in map(json.loads, ran.stdout.splitlines())}


class TestShow:
    def test_json_has_these_fields(self, run: Run) -> None:
        """Programs read them: none goes away."""
        common = {"name", "location", "region", "auth_mode", "used_as"}
        role = common | {"iam_role_arn", "external_id", "trust_policy"}

        assert {name: set(fields) for name, fields in told(run, "--account", "999988887777").items()} == {
            "partner": common | {"permission_policy"},
            "vendor": role | {"permission_policy", "queue_policy"},
            "lake": common | {"bucket_policy"},
            "idle": role,
        }

    def test_policies_are_to_be_attached_as_they_are(self, run: Run) -> None:
        """Each statement names its actions and what they are for."""
        vendor = told(run)["vendor"]

        assert vendor["permission_policy"]["Statement"][0]["Resource"] == ["arn:aws:s3:::vendor/*"]
        assert vendor["used_as"] == ["source"]

    def test_the_functions_roles_may_be_named(self, run: Run) -> None:
        roles = [f"arn:aws:iam::999988887777:role/{name}" for name in ("convert", "reconcile")]

        vendor = told(run, "--role", roles[0], "--role", roles[1])["vendor"]

        for policy in ("trust_policy", "queue_policy"):
            assert vendor[policy]["Statement"][0]["Principal"] == {"AWS": roles}

    def test_a_queue_of_the_functions_own_account_needs_no_policy(self, run: Run) -> None:
        assert "queue_policy" not in told(run, "--account", "123456789012")["vendor"]

    def test_keys_of_encrypted_buckets_are_added_when_asked_for(self, run: Run) -> None:
        statement = told(run, "--kms-key", KMS_KEY)["partner"]["permission_policy"]["Statement"][-1]

        assert (statement["Action"], statement["Resource"]) == (["kms:Decrypt"], [KMS_KEY])

    def test_a_person_reads_what_to_do_with_each(self, run: Run) -> None:
        ran = run("--offline")

        assert ran.exit_code == 0
        for words in ("trust policy of the role", "permission policy to attach", "no active sync names it", '"Sid"'):
            assert words in ran.stdout
        assert KEY not in ran.output
        assert KEY_ID not in ran.output


class TestStore:
    def test_a_new_secret_holds_the_keys_as_the_functions_read_them(self, run: Run, aws: Any) -> None:
        ran = run("store", "partner")

        assert ran.exit_code == 0, ran.output
        assert "created" in ran.stderr
        held = json.loads(aws.get_secret_value(SecretId="millrace/partner")["SecretString"])
        assert held == {"aws_access_key_id": KEY_ID, "aws_secret_access_key": KEY}

    def test_what_it_prints_can_stand_in_the_configuration(self, run: Run, aws: Any) -> None:
        """And it can be deployed then."""
        printed = json.loads(run("store", "partner").stdout)

        document = parse({**DOCUMENT, "connections": [printed, *DOCUMENT["connections"][1:]]})

        assert document.inline_secret_problems() == []
        assert document.connection("partner").configuration.aws_credentials_secret == "millrace/partner"
        assert str(document.connection("partner").root) == "s3://partner/in"

    def test_a_secret_that_exists_gets_a_new_value(self, run: Run, aws: Any) -> None:
        """Keys are rotated by the same command."""
        aws.create_secret(Name="acme/keys", SecretString="old")

        ran = run("store", "partner", "--secret", "acme/keys")

        assert "updated" in ran.stderr
        assert KEY in aws.get_secret_value(SecretId="acme/keys")["SecretString"]

    def test_a_key_encrypts_it_also_afterwards(self, run: Run, aws: Any) -> None:
        assert run("store", "partner").exit_code == 0
        assert "KmsKeyId" not in aws.describe_secret(SecretId="millrace/partner")

        assert run("store", "partner", "--kms-key", KMS_KEY).exit_code == 0

        assert aws.describe_secret(SecretId="millrace/partner")["KmsKeyId"] == KMS_KEY

    def test_it_is_made_in_the_region_of_the_functions(self, run: Run, aws: Any) -> None:
        assert run("store", "partner", "--region", "us-east-2").exit_code == 0

        there = boto3.client("secretsmanager", region_name="us-east-2")
        assert [one["Name"] for one in there.list_secrets()["SecretList"]] == ["millrace/partner"]
        assert aws.list_secrets()["SecretList"] == []

    def test_without_a_region_it_says_how_to_give_one(
        self, run: Run, aws: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_DEFAULT_REGION")

        ran = run("store", "partner")

        assert isinstance(ran.exception, UsageError)
        assert "--region" in str(ran.exception)

    def test_a_secret_about_to_be_deleted_is_told_of(self, run: Run, aws: Any) -> None:
        aws.create_secret(Name="millrace/partner", SecretString="old")
        aws.delete_secret(SecretId="millrace/partner")

        ran = run("store", "partner")

        assert isinstance(ran.exception, ConfigurationError)
        assert "restore-secret" in str(ran.exception)

    def test_neither_key_is_ever_printed(self, run: Run, aws: Any) -> None:
        for arguments in (["store", "partner"], ["store", "partner", "--dry-run"], ["store", "partner"]):
            ran = run(*arguments)
            assert KEY not in ran.output
            assert KEY_ID not in ran.output

    def test_a_dry_run_does_nothing(self, run: Run, aws: Any) -> None:
        ran = run("store", "partner", "--dry-run")

        assert "would store" in ran.stderr
        assert aws.list_secrets()["SecretList"] == []

    def test_a_name_with_blanks_makes_a_secrets_name(self, tmp_path: Path, aws: Any) -> None:
        """Secrets Manager takes letters, digits and a few signs."""
        path = tmp_path / "other.json"
        named = {**DOCUMENT["connections"][0], "name": "S3 connection (ü)"}
        path.write_text(json.dumps({"connections": [named]}))

        ran = CliRunner().invoke(app, ["connections", "--config", str(path), "store", "S3 connection (ü)"])

        assert json.loads(ran.stdout)["configuration"]["aws_credentials_secret"] == "millrace/S3-connection"
        assert aws.describe_secret(SecretId="millrace/S3-connection")
