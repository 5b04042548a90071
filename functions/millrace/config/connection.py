"""A connection: one bucket and folder, how to get at it, and how its files are read.

What others use of a Connection: ``name``, ``bucket``, ``folder`` (path without outer slashes), ``root`` (both, as a
Folder), ``region``, ``auth``, ``layout``, ``notifications``, ``create_bucket``, ``has_headers``, ``external_id``,
``file_options()``, ``read_options()``. The fields as written stand in ``configuration``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeAlias

from pydantic import Field, SecretStr

from millrace.config.base import Section, doc
from millrace.config.fields import MANAGED, Name
from millrace.config.layout import DirectorySnapshot, Folder, Layout, MultiTable, SingleTable
from millrace.config.option_fields import OptionFields, effective_options
from millrace.config.s3_configuration import AuthMode, S3Configuration
from millrace.engine.option_list import FileOptionValues
from millrace.engine.options import BadRows, Compression, ReadOptions


@dataclass(frozen=True, slots=True)
class AccessKeys:
    """Keys in a Secrets Manager secret (``secret`` is its name or ARN), or, for local commands only, inline."""

    secret: str | None = None
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class IamRole:
    """A role that is assumed with the external id."""

    arn: str
    external_id: str


@dataclass(frozen=True, slots=True)
class ExecutionRole:
    """The function's own role; for local commands, the caller's own credentials."""


Auth: TypeAlias = AccessKeys | IamRole | ExecutionRole


@dataclass(frozen=True, slots=True)
class ManagedQueue:
    """The stack makes queue and notification."""


@dataclass(frozen=True, slots=True)
class QueueArn:
    """The user's own queue."""

    arn: str


Notifications: TypeAlias = ManagedQueue | QueueArn | None


class Connection(Section):
    """One bucket and folder, as a source, a destination, or both."""

    place: ClassVar[str] = "connections[]"

    name: Name = Field(
        description="Unique name, by which syncs and models refer to the connection.",
        examples=["landing"],
        json_schema_extra=doc(),
    )
    type: Literal["s3"] = Field(default="s3", description="Kind of the connection.", json_schema_extra=doc())
    configuration: S3Configuration = Field(description="The fields of the connection.", json_schema_extra=doc())

    @property
    def root(self) -> Folder:
        """The bucket and the folder that confines every read and write."""
        return self.configuration.s3_bucket_name

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.root.bucket

    @property
    def folder(self) -> str:
        """The folder's path without leading or trailing slash; ``""`` is the whole bucket."""
        return self.root.path

    @property
    def region(self) -> str:
        """The bucket's region."""
        return self.configuration.s3_bucket_region

    @property
    def create_bucket(self) -> bool:
        """Whether the stack creates the bucket."""
        return self.configuration.create_bucket

    @property
    def has_headers(self) -> bool:
        """Whether CSV files begin with a row of names."""
        return self.file_options().read.has_headers

    @property
    def auth(self) -> Auth:
        """How to get at the bucket."""
        fields = self.configuration
        match fields.auth_mode:
            case AuthMode.ACCESS_KEY:
                return AccessKeys(fields.aws_credentials_secret, fields.aws_access_key_id, fields.aws_secret_access_key)
            case AuthMode.IAM_ROLE:
                return IamRole(str(fields.iam_role_arn), str(self.external_id))
            case AuthMode.EXECUTION_ROLE:
                return ExecutionRole()

    @property
    def external_id(self) -> str | None:
        """The external id to demand in the role's trust policy; None without a role.

        It is derived from the connection's name, role and bucket, so it is stable without being stored. It is an
        identifier that stops a confused deputy, not a secret: AWS does not treat it as one, and whoever may read the
        role sees it (IAM User Guide, "Access to AWS accounts owned by third parties").
        """
        role = self.configuration.iam_role_arn
        if role is None:
            return None
        readable = re.sub(r"[^A-Za-z0-9]+", "-", self.name).strip("-").lower()
        digest = hashlib.sha256("\n".join((self.name, role, self.bucket)).encode()).hexdigest()
        # Nothing is readable of a name like "日本".
        return "-".join(filter(None, ("millrace", readable, digest[:20])))

    @property
    def layout(self) -> Layout:
        """How the objects below the folder make tables."""
        fields = self.configuration
        match fields.is_single_table, fields.is_directory_snapshot:
            case True, False:
                name = fields.single_table_name or self.folder.rpartition("/")[2] or self.bucket
                return SingleTable(name, fields.single_table_file_format)
            case True, True:
                return DirectorySnapshot(str(fields.directory_glob_pattern), fields.single_table_file_formats)
            case _:
                return MultiTable()

    @property
    def notifications(self) -> Notifications:
        """Which queue hears of the bucket's changes; None: a schedule lists the bucket."""
        match self.configuration.event_queue_arn:
            case None:
                return None
            case str(queue) if queue == MANAGED:
                return ManagedQueue()
            case str(queue):
                return QueueArn(queue)

    def file_options(self, table: OptionFields | None = None) -> FileOptionValues:
        """The options of a file of this connection; those that its table gives go before the connection's."""
        return effective_options(self.configuration, table)

    def read_options(
        self, compression: Compression = Compression.NONE, *, bad_rows: BadRows = BadRows.FAIL
    ) -> ReadOptions:
        """How a file of this connection is read."""
        return replace(self.file_options().read, compression=compression, bad_rows=bad_rows)


def suggest_secret(connection: str) -> str:
    """A name for the secret of a connection's keys, as Secrets Manager takes it: letters, digits, /_+=.@- alone."""
    return f"millrace/{re.sub(r'[^A-Za-z0-9_+=.@-]+', '-', connection).strip('-') or 'connection'}"
