"""Each connection's credentials, on moto: what is asked of whom, when, and what is said where it is refused."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from moto import mock_aws

from millrace.aws import secrets
from millrace.aws.sessions import SERVICES, Sessions
from millrace.composition.convert import obfuscation_key
from millrace.config.document import parse
from millrace.deployment.settings import Settings
from millrace.errors import AccessDenied, BadCredentials, ServiceUnavailable
from millrace.ledger.entries import Branch, Failure
from millrace.objects.references import ObjectRef
from tests.configurations import connection

ROLE = "arn:aws:iam::444455556666:role/partner"
SECRET = "millrace/partner"
REF = ObjectRef("partner-in", "drop/a.csv")
FUNCTIONS = Path(__file__).parents[2] / "functions" / "millrace"
CLIENT_CALL = re.compile(r"sessions\.(?:client|impatient_client|client_on_demand)\(\"(\w+)\"")
"""What asks Sessions for a client, such as ``base.sessions.client("sqs")``."""


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An in-process AWS with the partner's bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=REF.bucket)
        s3.put_object(Bucket=REF.bucket, Key=REF.key, Body=b"id\n7\n")
        yield


def sessions(**fields: Any) -> Sessions:
    """The sessions of a document with one connection, ``partner``."""
    return Sessions(parse({"connections": [connection("partner", "partner-in/drop", **fields)]}))


def with_role(**fields: Any) -> Sessions:
    """``partner`` by a role."""
    return sessions(auth_mode="iam_role", iam_role_arn=ROLE, **fields)


def with_keys(**fields: Any) -> Sessions:
    """``partner`` by keys in a secret."""
    return sessions(**{"auth_mode": "access_key_and_secret", "aws_credentials_secret": SECRET, **fields})


def store_keys(key_id: str, key: str = "wJalrXUtnFEMI") -> None:
    """Write the secret as `millrace connections store` does."""
    text = json.dumps(dict(zip(secrets.KEY_FIELDS, (key_id, key), strict=True)))
    secrets.store(boto3.client("secretsmanager"), SECRET, text, description="", kms_key=None)


@dataclass
class Wire:
    """What a client sends: the keys it signs with; what it refuses is answered by an error."""

    refuse: Callable[[str], bool] = lambda _key: False
    code: str = "InvalidAccessKeyId"
    signed_by: list[str] = field(default_factory=list)

    def tap(self, client: Any) -> Wire:
        """Listen to a client."""
        client.meta.events.register_first("before-send", self._send)
        return self

    def _send(self, request: Any, **_: Any) -> AWSResponse | None:
        signature = request.headers["Authorization"]
        signature = signature if isinstance(signature, str) else signature.decode()
        key = signature.partition("Credential=")[2].partition("/")[0]
        self.signed_by.append(key)
        return _refusal(request, self.code) if self.refuse(key) else None


def _refusal(request: Any, code: str) -> AWSResponse:
    class Body:
        def stream(self, **_: Any) -> Iterator[bytes]:
            if request.method != "HEAD":
                yield f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    return AWSResponse(request.url, 403, HTTPHeaders(), Body())


class TestClients:
    def test_a_client_is_made_once_a_service_and_region(self) -> None:
        here = sessions()

        assert here.client("sqs") is here.client("sqs")
        assert here.client("sqs") is not here.client("sqs", region="eu-central-1")

    def test_connections_of_the_callers_own_identity_share_a_client(self) -> None:
        both = [connection("landing", "acme-in/drop"), connection("lake", "acme-out/lake")]
        here = Sessions(parse({"connections": both}))

        assert here["landing"] is not here["lake"]
        assert here["landing"]._client is here["lake"]._client

    def test_one_on_demand_is_made_with_its_first_use(self, made_clients: list[str]) -> None:
        queues = sessions().client_on_demand("sqs")
        assert made_clients == []

        assert queues.list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert queues.meta.region_name == "us-east-1"
        assert made_clients == ["sqs"]

    @pytest.mark.parametrize("service", SERVICES)
    def test_each_service_that_is_known_has_a_client(self, service: str) -> None:
        assert sessions().client(service).meta.service_model.service_name == service

    def test_what_the_functions_ask_for_is_known(self) -> None:
        asked = set()
        for module in FUNCTIONS.rglob("*.py"):
            asked.update(CLIENT_CALL.findall(module.read_text()))

        assert {"dynamodb", "glue", "lambda", "sqs"} <= asked <= set(SERVICES)

    def test_models_are_read_where_the_environment_says_too(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("AWS_DATA_PATH", f"{tmp_path}{os.pathsep}~/models")

        paths = sessions()._core.get_component("data_loader").search_paths

        assert {str(tmp_path), str(Path("~/models").expanduser())} <= set(paths)


class TestExecutionRole:
    def test_it_is_the_callers_own_identity(self) -> None:
        here = sessions()
        wire = Wire().tap(here["partner"]._client)

        assert here["partner"].head(REF) is not None
        assert wire.signed_by == [os.environ["AWS_ACCESS_KEY_ID"]]

    def test_a_connection_has_one_client(self) -> None:
        """Also where several threads ask for it at once."""
        here = with_role()
        with ThreadPoolExecutor(8) as threads:
            stores = list(threads.map(lambda _: here["partner"], range(32)))

        assert len(set(map(id, stores))) == 1

    def test_it_speaks_to_the_buckets_region(self) -> None:
        here = sessions(s3_bucket_region="eu-central-1")

        assert here["partner"]._client.meta.region_name == "eu-central-1"


class TestRole:
    def test_its_credentials_read_like_any_others(self) -> None:
        """botocore and its plugins ask for single fields, too."""
        here = with_role()
        here["partner"].head(REF)
        credentials = here._credentials["partner"]

        assert credentials.access_key == credentials.get_frozen_credentials().access_key
        assert credentials.token
        with pytest.raises(AttributeError):
            credentials.nonsense  # noqa: B018 - asking is the test

    def test_it_is_assumed_once_and_its_credentials_sign(self) -> None:
        here = with_role()
        wire = Wire().tap(here["partner"]._client)

        here["partner"].head(REF)
        here["partner"].head(REF)

        first, second = wire.signed_by
        assert first == second != os.environ["AWS_ACCESS_KEY_ID"]

    def test_nothing_is_asked_before_it_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So a connection that is broken harms no other."""
        here = with_role()
        monkeypatch.setattr(here, "client", lambda *_, **__: pytest.fail("asked"))

        assert here["partner"]

    def test_it_asks_the_regional_sts_of_the_functions_own_region(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

        assert with_role().client("sts").meta.endpoint_url == "https://sts.eu-west-1.amazonaws.com"

    def test_credentials_are_renewed_before_they_run_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Those with less than a quarter of an hour to live are exchanged at the next use."""
        sts = _Sts(minutes=[14, 60])
        here = with_role()
        monkeypatch.setattr(here, "client", lambda *_, **__: sts)
        wire = Wire().tap(here["partner"]._client)

        for _ in range(3):
            here["partner"].head(REF)

        assert wire.signed_by == ["ASIA1", "ASIA2", "ASIA2"]
        assert sts.asked[0]["ExternalId"] == here._document.connection("partner").external_id

    def test_many_threads_have_it_assumed_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sts = _Sts(minutes=[60])
        here = with_role()
        monkeypatch.setattr(here, "client", lambda *_, **__: sts)
        store = here["partner"]

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: store.head(REF), range(32)))

        assert len(sts.asked) == 1

    def test_a_refusal_names_role_and_external_id_and_what_to_paste(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """STS tells a wrong external id, a missing role and a missing grant by the same code."""
        here = with_role()
        refusal = _Sts(error="AccessDenied")
        monkeypatch.setattr(here, "client", lambda *_, **__: refusal)

        with pytest.raises(BadCredentials) as caught, here["partner"].open(REF):
            pass

        told = str(caught.value)
        assert all(word in told for word in (ROLE, "'partner'", "millrace-partner-", "millrace connections"))
        assert Failure.of(caught.value).branch is Branch.CONFIGURATION

    def test_a_throttled_sts_is_transient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        here = with_role()
        monkeypatch.setattr(here, "client", lambda *_, **__: _Sts(error="Throttling"))

        with pytest.raises(ServiceUnavailable, match=ROLE):
            here["partner"].head(REF)

    def test_a_role_that_was_mended_is_assumed_at_the_next_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What failed is not remembered."""
        here = with_role()
        sts = _Sts(error="AccessDenied")
        monkeypatch.setattr(here, "client", lambda *_, **__: sts)
        with pytest.raises(BadCredentials):
            here["partner"].head(REF)

        sts.error, sts.minutes = None, [60]

        assert here["partner"].head(REF) is not None


class TestStoredKeys:
    def test_the_secret_is_read_once_and_its_keys_sign(self) -> None:
        store_keys("AKIAFIRST")
        here = with_keys()
        wire = Wire().tap(here["partner"]._client)

        here["partner"].head(REF)
        store_keys("AKIASECOND")
        here["partner"].head(REF)

        assert wire.signed_by == ["AKIAFIRST", "AKIAFIRST"]

    @pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch"])
    def test_keys_that_were_rotated_are_read_again_in_the_middle_of_the_work(self, code: str) -> None:
        """The refused request itself is sent again with the new ones: nothing fails."""
        store_keys("AKIAOLD")
        here = with_keys()
        wire = Wire(lambda key: key == "AKIAOLD" and len(wire.signed_by) > 1, code).tap(here["partner"]._client)
        here["partner"].head(REF)

        store_keys("AKIANEW")
        with here["partner"].open(REF) as opened:
            assert opened.stream.read() == b"id\n7\n"

        assert wire.signed_by[:3] == ["AKIAOLD", "AKIAOLD", "AKIANEW"]

    def test_keys_that_were_rotated_are_read_again_also_where_the_answer_has_no_body(self) -> None:
        """S3 answers a refused HEAD with 403 alone."""
        store_keys("AKIAOLD")
        here = with_keys()
        wire = Wire(lambda key: key == "AKIAOLD").tap(here["partner"]._client)
        here._credentials["partner"].get_frozen_credentials()

        store_keys("AKIANEW")

        assert here["partner"].head(REF) is not None
        assert wire.signed_by == ["AKIAOLD", "AKIANEW"]

    def test_an_upload_outlives_a_rotation(self) -> None:
        """Its body is sent again, whole. Without a condition here: moto carries out also what is refused above it."""
        store_keys("AKIAOLD")
        here, target = with_keys(), ObjectRef("partner-in", "drop/out.csv")
        client = here["partner"]._client
        wire = Wire(lambda key: key == "AKIAOLD").tap(client)
        here._credentials["partner"].get_frozen_credentials()
        store_keys("AKIANEW")

        client.put_object(Bucket=target.bucket, Key=target.key, Body=io.BytesIO(b"id\n8\n"))

        with here["partner"].open(target) as opened:
            assert opened.stream.read() == b"id\n8\n"
        assert wire.signed_by[:2] == ["AKIAOLD", "AKIANEW"]

    def test_keys_that_are_really_bad_are_tried_twice_and_no_more(self) -> None:
        store_keys("AKIABAD")
        here = with_keys()
        wire = Wire(lambda _: True).tap(here["partner"]._client)

        with pytest.raises(BadCredentials, match="keys, role and external id"), here["partner"].open(REF):
            pass

        assert wire.signed_by == ["AKIABAD", "AKIABAD"]

    def test_a_missing_grant_is_not_tried_again(self) -> None:
        store_keys("AKIAFIRST")
        here = with_keys()
        wire = Wire(lambda _: True, code="AccessDenied").tap(here["partner"]._client)

        with pytest.raises(AccessDenied), here["partner"].open(REF):
            pass

        assert len(wire.signed_by) == 1

    def test_a_missing_secret_says_how_to_write_it(self) -> None:
        with pytest.raises(BadCredentials, match=r"does not exist.*millrace connections store partner"):
            with_keys()["partner"].head(REF)

    @pytest.mark.parametrize("text", ["no json", "[]", '{"aws_access_key_id": "AKIA"}', '{"a": 1}', "7", "null"])
    def test_a_secret_of_another_shape_is_never_shown(self, text: str) -> None:
        boto3.client("secretsmanager").create_secret(Name=SECRET, SecretString=text)

        with pytest.raises(BadCredentials, match="aws_secret_access_key") as caught:
            with_keys()["partner"].head(REF)

        assert text not in str(caught.value).replace("aws_access_key_id", "")
        assert caught.value.__cause__ is None

    def test_an_arn_is_read_in_its_own_region(self, monkeypatch: pytest.MonkeyPatch) -> None:
        regions: list[str | None] = []
        here = with_keys(aws_credentials_secret="arn:aws:secretsmanager:eu-west-1:444455556666:secret:keys-AbCdEf")

        def client(_service: str, *, region: str | None) -> _NoSecrets:
            regions.append(region)
            return _NoSecrets()

        monkeypatch.setattr(here, "client", client)

        with pytest.raises(BadCredentials):
            here["partner"].head(REF)

        assert regions == ["eu-west-1"]


class TestObfuscationKey:
    @pytest.mark.parametrize(
        ("secret", "key"), [("millrace/obfuscation-key", b"x" * 64), (None, None)], ids=["some", "none"]
    )
    def test_the_deployed_function_is_told_where_it_is(self, secret: str | None, key: bytes | None) -> None:
        """By its environment, which holds the secret's name and never its text."""
        boto3.client("secretsmanager").create_secret(Name="millrace/obfuscation-key", SecretString="x" * 64)
        settings = Settings(ledger_table="ledger", queues={}, timeout_seconds=900, obfuscation_secret=secret)
        environment = settings.to_environment()

        told = Settings.from_environment(environment)

        assert told == settings
        assert obfuscation_key(told, sessions())() == key
        assert "xxxx" not in str(environment)

    def test_it_is_read_once(self) -> None:
        client = boto3.client("secretsmanager")
        client.create_secret(Name="millrace/obfuscation-key", SecretString="x" * 64)
        key = secrets.key_of(client, "millrace/obfuscation-key")
        assert key() == b"x" * 64

        client.delete_secret(SecretId="millrace/obfuscation-key", ForceDeleteWithoutRecovery=True)

        assert key() == b"x" * 64

    def test_a_missing_key_is_configuration_and_asked_for_again(self) -> None:
        """The message stays; the next one finds the key that was made meanwhile."""
        client = boto3.client("secretsmanager")
        key = secrets.key_of(client, "millrace/obfuscation-key")
        with pytest.raises(BadCredentials, match="obfuscated fields"):
            key()

        client.create_secret(Name="millrace/obfuscation-key", SecretString="x" * 64)

        assert key() == b"x" * 64


class _Sts:
    """Gives credentials with so many minutes to live, the last for ever; or an error."""

    def __init__(self, minutes: list[int] | None = None, error: str | None = None) -> None:
        self.minutes, self.error = minutes or [60], error
        self.asked: list[dict[str, Any]] = []

    def assume_role(self, **arguments: Any) -> dict[str, Any]:
        if self.error:
            raise ClientError({"Error": {"Code": self.error, "Message": "no"}}, "AssumeRole")
        self.asked.append(arguments)
        minutes = self.minutes.pop(0) if len(self.minutes) > 1 else self.minutes[0]
        expires = datetime.now(UTC) + timedelta(minutes=minutes)
        name = f"ASIA{len(self.asked)}"
        return {
            "Credentials": {"AccessKeyId": name, "SecretAccessKey": "s", "SessionToken": "t", "Expiration": expires}
        }


class _NoSecrets:
    def get_secret_value(self, **_: Any) -> dict[str, Any]:
        raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "GetSecretValue")
