"""Asks AWS what `millrace doctor` judges; each question is one call, and its trouble is its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from millrace.aws.deployed import Deployed
from millrace.aws.faults import error_code, translated
from millrace.aws.glue_catalog import GlueCatalog
from millrace.aws.queues import (
    find_dead_letter_urls,
    find_feeding_arns,
    read_commit_backlog,
    read_feeding_queues,
    read_queue,
)
from millrace.aws.sessions import Sessions
from millrace.config.catalog import GlueTables
from millrace.config.connection import Connection, ManagedQueue
from millrace.config.document import Document
from millrace.deployment.permissions import Use, uses
from millrace.errors import MillraceError
from millrace.operations.doctor import (
    Check,
    Mapped,
    Verdict,
    check_lifecycle,
    check_machine,
    check_notification,
    check_queue,
    check_versioning,
)
from millrace.operations.queue_facts import QueueFacts
from millrace.wording import count_of

T = TypeVar("T")
ClientOf = Callable[[str], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The parts of a deployment, asked one after the other under the caller's and the connections' identities."""

    deployed: Deployed
    document: Document
    sessions: Sessions
    client: ClientOf

    def check_all(self) -> Iterator[Check]:
        """Every check, from the caller's own credentials to the buckets."""
        yield from _guard("credentials", self._check_caller)
        queues: list[QueueFacts] = []
        yield from _guard("queues", lambda: self._check_queues(queues))
        yield from _guard("dead letters", lambda: self._check_dead_letters(queues))
        yield from _guard("big runs", self._check_machine)
        for sync in self.document.active_syncs():
            if sync.glue is not None:
                yield from _guard(f"catalog of sync {sync.name!r}", partial(self._check_catalog, sync.name, sync.glue))
        if any(sync.iceberg is not None for sync in self.document.active_syncs()):
            yield from _guard("Iceberg tables", self._check_commits)
        for connection in self.document.connections:
            used = uses(self.document, connection.name)
            if used:
                yield from self._check_connection(connection, used, queues)

    def _check_caller(self) -> Iterator[Check]:
        with translated("sts:GetCallerIdentity by", "the caller"):
            answer = self.client("sts").get_caller_identity()
        yield Check("credentials", Verdict.OK, f"{answer['Arn']}")

    def _check_queues(self, queues: list[QueueFacts]) -> Iterator[Check]:
        with translated("lambda:GetFunctionConfiguration of", self.deployed.convert_function):
            function = self.client("lambda").get_function_configuration(FunctionName=self.deployed.convert_function)
        arns = find_feeding_arns(self.deployed, self.client("lambda"))
        if not arns:
            yield Check("queues", Verdict.TROUBLE, "no queue feeds the convert function", "deploy again")
        queues += read_feeding_queues(self.deployed, self.client("sqs"), arns)
        for queue in queues:
            mapped = self._read_readers(queue.arn)
            yield from check_queue(
                queue,
                timeout_seconds=function["Timeout"],
                mapped=mapped,
                function=self.deployed.convert_function,
            )

    def _read_readers(self, queue: str) -> list[Mapped]:
        with translated("lambda:ListEventSourceMappings of", queue):
            answer = self.client("lambda").list_event_source_mappings(EventSourceArn=queue)
        return list(map(_to_mapped, answer["EventSourceMappings"]))

    def _check_dead_letters(self, queues: Iterable[QueueFacts]) -> Iterator[Check]:
        """The deployment's dead-letter queues, and those of the user's own queues, which no alarm of ours watches."""
        sqs = self.client("sqs")
        urls = find_dead_letter_urls(self.deployed, sqs, queues)
        for url in (*self.deployed.dead_letter_queues, *urls):
            box = read_queue(sqs, url)
            subject = f"queue {box.name}"
            if box.waiting:
                text = f"holds {count_of(box.waiting, 'dead letter')}"
                yield Check(subject, Verdict.NOTE, text, "millrace dead-letters")
            else:
                yield Check(subject, Verdict.OK, "holds no dead letters")

    def _check_catalog(self, sync: str, tables: GlueTables) -> Iterator[Check]:
        """The database of a sync's tables, and how many of them are there."""
        subject = f"catalog of sync {sync!r}"
        database = tables.database or self.deployed.database
        if database is None:
            yield Check(subject, Verdict.TROUBLE, "the stacks have no database", "deploy again: millrace deploy")
            return
        count = GlueCatalog(self.client("glue")).count_tables(database, sync)
        if count is None:
            remedy = "create it, or name another one beside catalog: glue"
            yield Check(subject, Verdict.TROUBLE, f"there is no database {database!r}", remedy)
        else:
            yield Check(subject, Verdict.OK, f"database {database!r} has {count_of(count, 'table')} of it")

    def _check_commits(self) -> Iterator[Check]:
        """Who commits to Iceberg tables, what waits for it, and the databases of the tables."""
        subject = "Iceberg tables"
        for backlog in read_commit_backlog(self.deployed, self.client("sqs")):
            verdict = Verdict.NOTE if backlog.given_up else Verdict.OK
            yield Check(subject, verdict, "; ".join(backlog.describe()))
        if self.deployed.commit_queue is None:
            yield Check(subject, Verdict.TROUBLE, "the stacks have no committer", "deploy again: millrace deploy")
        for database in self._list_iceberg_databases():
            if GlueCatalog(self.client("glue")).has_database(database):
                yield Check(subject, Verdict.OK, f"database {database!r} is there")
            else:
                remedy = "create it, or name another one beside format: iceberg"
                yield Check(subject, Verdict.TROUBLE, f"there is no database {database!r}", remedy)

        yield from self.check_table_buckets()

    def check_table_buckets(self) -> Iterator[Check]:
        """The table buckets of Iceberg tables, each once."""
        for arn in self._list_table_buckets():
            yield self._check_table_bucket(arn)

    def _check_table_bucket(self, arn: str) -> Check:
        """Whether a table bucket is there, asked under the caller's own identity."""
        subject, name = "Iceberg tables", arn.rpartition("/")[2]
        client = self.sessions.client("s3tables", region=arn.split(":")[3])
        with translated("s3tables:GetTableBucket of", arn):
            try:
                client.get_table_bucket(tableBucketARN=arn)
            except ClientError as error:
                if error_code(error) != "NotFoundException":
                    raise
                remedy = f"create it: aws s3tables create-table-bucket --name {name}; or correct table_bucket"
                return Check(subject, Verdict.TROUBLE, f"there is no table bucket {arn}", remedy)
        return Check(subject, Verdict.OK, f"table bucket {name!r} is there")

    def _list_table_buckets(self) -> list[str]:
        arns: set[str | None] = set()
        for sync in self.document.active_syncs():
            if sync.iceberg is not None:
                arns.add(sync.iceberg.table_bucket)
        return sorted(filter(None, arns))

    def _list_iceberg_databases(self) -> list[str]:
        names: set[str | None] = set()
        for sync in self.document.active_syncs():
            if sync.iceberg is not None and sync.iceberg.table_bucket is None:
                names.add(sync.iceberg.database or self.deployed.database)
        return sorted(filter(None, names))

    def _check_machine(self) -> Iterator[Check]:
        """The state machine of big runs, and its function, which has its name."""
        arn = self.deployed.big_run_machine
        if arn is None:
            yield check_machine(None, None)
            return
        with translated("states:DescribeStateMachine of", arn):
            machine = self.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
        with translated("lambda:GetFunctionConfiguration of", machine["name"]):
            function = self.client("lambda").get_function_configuration(FunctionName=machine["name"])
        yield check_machine(machine["status"], function.get("State"))

    def _check_connection(
        self, connection: Connection, used: Iterable[Use], queues: Iterable[QueueFacts]
    ) -> Iterator[Check]:
        subject = f"connection {connection.name!r}"
        yield from _guard(subject, lambda: self._check_access(subject, connection), denied=Verdict.TROUBLE)
        yield from _guard(subject, lambda: self._check_bucket(subject, connection, used))
        managed = _find_queue(queues, connection)
        if isinstance(connection.notifications, ManagedQueue) and Use.SOURCE in used:
            yield from _guard(subject, lambda: self._check_notification(subject, connection, managed))

    def _check_access(self, subject: str, connection: Connection) -> Iterator[Check]:
        """Under the connection's identity, as the functions reach the bucket."""
        client, root = self.sessions.s3(connection), connection.root
        with translated("s3:ListBucket on", str(root)):
            client.list_objects_v2(Bucket=root.bucket, Prefix=root.prefix, MaxKeys=1)
            region = client.get_bucket_location(Bucket=root.bucket).get("LocationConstraint") or "us-east-1"
        if region != connection.region:
            remedy = f"set s3_bucket_region to {region}"
            yield Check(subject, Verdict.TROUBLE, f"{root.bucket} is in {region}, not {connection.region}", remedy)
        else:
            yield Check(subject, Verdict.OK, f"{root} in {region} can be listed")

    def _check_bucket(self, subject: str, connection: Connection, used: Iterable[Use]) -> Iterator[Check]:
        client, bucket = self.sessions.s3(connection), connection.root.bucket
        with translated("s3:GetBucketVersioning of", bucket):
            yield check_versioning(subject, client.get_bucket_versioning(Bucket=bucket).get("Status"))
        with translated("s3:GetEncryptionConfiguration of", bucket):
            yield from _describe_encryption(subject, client, bucket)
        if Use.DESTINATION in used:
            with translated("s3:GetLifecycleConfiguration of", bucket):
                yield from check_lifecycle(subject, _read_lifecycle(client, bucket))

    def _check_notification(self, subject: str, connection: Connection, queue: QueueFacts | None) -> Iterator[Check]:
        if queue is None:
            text = "the deployment has no queue for it"
            yield Check(subject, Verdict.TROUBLE, text, "is this the configuration that was deployed? Deploy again")
            return
        root = connection.root
        with translated("s3:GetBucketNotification of", root.bucket):
            answer = self.sessions.s3(connection).get_bucket_notification_configuration(Bucket=root.bucket)
        decoded = _decode_prefixes(answer.get("QueueConfigurations", []))
        yield from check_notification(subject, answer, queue=queue.arn, prefix=root.prefix, decoded=decoded)


def _to_mapped(mapping: Any) -> Mapped:
    """What Lambda says of an event source."""
    return Mapped(
        queue=mapping["EventSourceArn"],
        function=mapping["FunctionArn"],
        is_enabled=not mapping["State"].startswith("Disabl"),
        reports_failures="ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", ()),
        has_filter=bool(mapping.get("FilterCriteria", {}).get("Filters")),
    )


def _find_queue(queues: Iterable[QueueFacts], connection: Connection) -> QueueFacts | None:
    """The managed queue of a connection, if the deployment has one."""
    for queue in queues:
        if queue.connection == connection.name:
            return queue
    return None


def _decode_prefixes(configurations: Iterable[Any]) -> dict[str, str]:
    """The prefixes that a bucket's notifications filter by, as S3 gives them, and decoded.

    S3 keeps a filter's value encoded as in a form: ``sales+2026/`` for ``sales 2026/``. Source: Amazon S3 User Guide,
    "Configuring event notifications".
    """
    decoded: dict[str, str] = {}
    for configuration in configurations:
        for rule in configuration.get("Filter", {}).get("Key", {}).get("FilterRules", []):
            decoded[rule["Value"]] = unquote_plus(rule["Value"])
    return decoded


def _describe_encryption(subject: str, client: Any, bucket: str) -> Iterator[Check]:
    answer = _ask(lambda: client.get_bucket_encryption(Bucket=bucket), "ServerSideEncryptionConfigurationNotFoundError")
    rules = (answer or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    for rule in rules:
        key = rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
        if key:
            remedy = (
                "the identities that read or write here need it: existing_key_arns, or millrace connections --kms-key"
            )
            yield Check(subject, Verdict.NOTE, f"objects are encrypted by {key}", remedy)


def _read_lifecycle(client: Any, bucket: str) -> list[Any]:
    absent = "NoSuchLifecycleConfiguration"
    answer = _ask(lambda: client.get_bucket_lifecycle_configuration(Bucket=bucket), absent)
    return list(answer["Rules"]) if answer else []


def _ask(call: Callable[[], T], absent: str) -> T | None:
    """The answer of a call; None where AWS says by an error code that nothing is configured."""
    try:
        return call()
    except ClientError as error:
        if error_code(error) != absent:
            raise
        return None


def _guard(
    subject: str, checks: Callable[[], Iterable[Check]], *, denied: Verdict = Verdict.UNKNOWN
) -> Iterator[Check]:
    """The checks; what AWS refuses to say is a check, too."""
    try:
        yield from checks()
    except MillraceError as error:
        yield Check(subject, denied, str(error))
