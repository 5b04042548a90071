"""Credentials of each connection: the function's own role, an assumed role, or access keys; one client a connection."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.credentials import Credentials, DeferredRefreshableCredentials
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.session import Session, get_session

from millrace.aws import secrets
from millrace.aws.faults import error_code, translated
from millrace.aws.renewal import RenewableCredentials, renew_when_refused, use
from millrace.aws.s3_objects import S3ObjectStore
from millrace.config.connection import AccessKeys, Connection, ExecutionRole, IamRole
from millrace.config.document import Document
from millrace.errors import BadCredentials

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

# Five attempts with pauses that grow take some seconds: what S3 refuses for longer the queue brings back. A read that
# hangs for a minute is given up, since an invocation has fifteen.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=16,
    user_agent_extra="millrace",
)
_IMPATIENT = Config(
    retries={"mode": "standard", "total_max_attempts": 2},
    connect_timeout=3,
    read_timeout=10,
    user_agent_extra="millrace",
)
"""For what is done beside the work: a service that is away must not take the invocation's time."""
_ROLE_SESSION = "millrace"
SERVICES = ("dynamodb", "events", "glue", "lambda", "s3", "s3tables", "secretsmanager", "sqs", "stepfunctions", "sts")
"""What clients are made of here."""


class _ServiceLoader(Loader):
    """Reads what botocore knows of a service, without looking through all of its 400 services first.

    The list is there to refuse names that are none, and takes 18 ms of CPU and 1,600 calls of the file system.
    """

    def list_available_services(self, type_name: str) -> list[str]:
        """The services that are used, whatever is asked of them."""
        del type_name
        return list(SERVICES)


class _ClientOnDemand:
    """A client that is made when it is first used: most starts end without a look at its service."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make(), name)


class Sessions:
    """Makes clients, each once; satisfies ``objects.store.Stores``. Nothing is sent before a client is used.

    Clients may be shared between threads and sessions may not: making one is done under a lock. They are botocore's,
    as boto3 adds nothing that is used here, and takes time to import.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._core = get_session()
        # STS's global endpoint is in one region and ends with it; an older boto3 may still prefer it.
        self._core.set_config_variable("sts_regional_endpoints", "regional")
        self._core.register_component("data_loader", _open_loader(self._core))
        self._clients: dict[tuple[str, str | None], Any] = {}
        self._credentials: dict[str, RenewableCredentials] = {}
        self._stores: dict[str, S3ObjectStore] = {}
        self._lock = RLock()

    def client(self, service: Any, *, region: str | None = None) -> Any:
        """A client under the caller's own credentials: the function's role, or the user's profile."""
        with self._lock:
            client = self._clients.get((service, region))
            if client is None:
                client = self._core.create_client(service, region_name=region, config=_CONFIG)
                self._clients[service, region] = client
            return client

    def client_on_demand(self, service: Any) -> Any:
        """As ``client``, and nothing is made before its first use: for what few messages ask for."""
        return _ClientOnDemand(partial(self.client, service))

    def impatient_client(self, service: Any) -> Any:
        """As ``client``, for calls that are not worth waiting for: half a minute at the most."""
        with self._lock:
            return self._core.create_client(service, config=_IMPATIENT)

    def __getitem__(self, connection: str, /) -> S3ObjectStore:
        """The bucket access of a connection; made once."""
        with self._lock:
            if connection not in self._stores:
                self._stores[connection] = S3ObjectStore(self.s3(self._document.connection(connection)))
            return self._stores[connection]

    def s3(self, connection: Connection) -> S3Client:
        """An S3 client in the bucket's region with the connection's credentials.

        They are fetched when it is first used, and once more where AWS refuses them; its calls raise BadCredentials
        where the connection's secret cannot be read or its role not be assumed.
        """
        client: S3Client = self._client_of(connection, "s3")
        return client

    def sts(self, connection: Connection) -> STSClient:
        """An STS client with the connection's credentials, to ask who they are."""
        client: STSClient = self._client_of(connection, "sts")
        return client

    def _client_of(self, connection: Connection, service: Any) -> Any:
        with self._lock:
            fetch = self._fetch(connection)
            if fetch is None:
                return self.client(service, region=connection.region)
            credentials = self._credentials.setdefault(connection.name, RenewableCredentials(fetch))
            session = self._session(credentials)
            client = session.create_client(service, region_name=connection.region, config=_CONFIG)
        renew_when_refused(client, credentials)
        return client

    def _session(self, credentials: RenewableCredentials) -> Session:
        session = get_session()
        # What AWS's services look like takes a tenth of a second to read: once is enough.
        session.register_component("data_loader", self._core.get_component("data_loader"))
        session.set_config_variable("sts_regional_endpoints", "regional")
        use(session, credentials)
        return session

    def _fetch(self, connection: Connection) -> Callable[[], Credentials] | None:
        """How to get a connection's credentials; None: they are the caller's own."""
        match connection.auth:
            case ExecutionRole():
                return None
            case IamRole(arn=arn, external_id=external_id):
                return partial(self._assume_role, connection, arn, external_id)
            case AccessKeys(secret=secret) if secret is not None:
                return lambda: Credentials(*self._stored_keys(connection, secret))
            # For commands on a person's machine: a configuration that holds keys itself is not deployed.
            case AccessKeys(access_key_id=key_id, secret_access_key=key) if key_id and key:
                return lambda: Credentials(key_id.get_secret_value(), key.get_secret_value())
            case _:
                raise BadCredentials(f"connection {connection.name!r} has neither keys nor a secret that holds them")

    def _stored_keys(self, connection: Connection, secret: str) -> tuple[str, str]:
        region = secret.split(":")[3] if secret.startswith("arn:") else None
        return secrets.read_keys(self.client("secretsmanager", region=region), secret, connection.name)

    def _assume_role(self, connection: Connection, arn: str, external_id: str) -> Credentials:
        """Credentials of a role, fetched at their first use and again a quarter of an hour before they run out."""
        sts = self.client("sts", region=self._core.get_config_variable("region") or connection.region)
        assume = partial(_assume, sts, connection.name, arn, external_id)
        return DeferredRefreshableCredentials(assume, method="assume-role")


def _open_loader(session: Session) -> Loader:
    """A loader that looks where the session's own would: AWS_DATA_PATH, or ``data_path`` of the profile."""
    path: str | None = session.get_config_variable("data_path")
    folders = path.split(os.pathsep) if path else []
    return _ServiceLoader(extra_search_paths=[os.path.expanduser(folder) for folder in folders])  # noqa: PTH111 - botocore wants text


def _assume(sts: STSClient, connection: str, arn: str, external_id: str) -> dict[str, str]:
    with translated("sts:AssumeRole on", f"{arn} (connection {connection!r})"):
        try:
            answer = sts.assume_role(RoleArn=arn, RoleSessionName=_ROLE_SESSION, ExternalId=external_id)
        except ClientError as error:
            if error_code(error) != "AccessDenied":
                raise
            # STS does not tell a role that does not exist from one that does not trust the caller.
            raise BadCredentials(
                f"connection {connection!r}: the role {arn} may not be assumed with the external id {external_id!r}; "
                "its trust policy must name the functions' account or roles and demand this very external id: paste "
                "the one that `millrace connections` prints, and check the role's name "
                f"({error.response['Error'].get('Message', '')})"
            ) from error
    given = answer["Credentials"]
    return {
        "access_key": given["AccessKeyId"],
        "secret_key": given["SecretAccessKey"],
        "token": given["SessionToken"],
        "expiry_time": given["Expiration"].isoformat(),
    }
