"""Credentials of each connection: the function's own role, an assumed role, or access keys; one client a connection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.session import get_session

from millrace.aws.faults import translated
from millrace.aws.s3_objects import S3ObjectStore
from millrace.config import AccessKeys, Auth, Connection, Document, ExecutionRole, IamRole
from millrace.errors import BadCredentials

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=16,
    user_agent_extra="millrace",
)
_ROLE_SESSION = "millrace"


class Sessions:
    """Makes clients; satisfies ``worker.Stores``. Nothing is sent before a client is used or a secret is needed."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._own = boto3.Session()
        self._stores: dict[str, S3ObjectStore] = {}

    def client(self, service: Any) -> Any:
        """A client under the caller's own credentials: the function's role, or the user's profile."""
        return self._own.client(service, config=_CONFIG)

    def __getitem__(self, connection: str, /) -> S3ObjectStore:
        """The bucket access of a connection; made once."""
        if connection not in self._stores:
            self._stores[connection] = S3ObjectStore(self.s3(self._document.connection(connection)))
        return self._stores[connection]

    def s3(self, connection: Connection) -> S3Client:
        """An S3 client in the bucket's region with the connection's credentials.

        Raises BadCredentials where the connection's secret cannot be used.
        """
        session = self._session(connection.name, connection.auth)
        client: S3Client = session.client("s3", region_name=connection.region, config=_CONFIG)
        return client

    def sts(self, connection: Connection) -> STSClient:
        """An STS client with the connection's credentials, to ask who they are."""
        session = self._session(connection.name, connection.auth)
        client: STSClient = session.client("sts", region_name=connection.region, config=_CONFIG)
        return client

    def _session(self, name: str, auth: Auth) -> boto3.Session:
        match auth:
            case ExecutionRole():
                return self._own
            case IamRole(arn=arn, external_id=external_id):
                return _assumed(arn, external_id)
            case AccessKeys(secret=secret) if secret is not None:
                return boto3.Session(**self._stored_keys(name, secret))
            case AccessKeys(access_key_id=key_id, secret_access_key=key) if key_id and key:
                return boto3.Session(
                    aws_access_key_id=key_id.get_secret_value(), aws_secret_access_key=key.get_secret_value()
                )
            case _:
                raise BadCredentials(f"connection {name!r} has neither keys nor a secret that holds them")

    def _stored_keys(self, name: str, secret: str) -> dict[str, Any]:
        with translated("secretsmanager:GetSecretValue of", f"{secret} (connection {name!r})"):
            text = self.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        try:
            fields = json.loads(text)
            return {field: fields[field] for field in ("aws_access_key_id", "aws_secret_access_key")}
        except (ValueError, LookupError, TypeError):
            # The cause is left out: it would show the secret's text.
            raise BadCredentials(
                f"secret {secret!r} of connection {name!r} is not a JSON object with aws_access_key_id and "
                f"aws_secret_access_key; `millrace connections store {name}` writes it"
            ) from None


def _assumed(arn: str, external_id: str) -> boto3.Session:
    """A session of an assumed role, renewed before it runs out."""
    own = get_session()
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=own.create_client,
        source_credentials=own.get_credentials(),
        role_arn=arn,
        extra_args={"ExternalId": external_id, "RoleSessionName": _ROLE_SESSION},
    )
    assumed = get_session()
    assumed._credentials = DeferredRefreshableCredentials(  # type: ignore[attr-defined]  # noqa: SLF001 - botocore offers no public way
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )
    return boto3.Session(botocore_session=assumed)
