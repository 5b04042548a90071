"""Least privilege: what each function may do, as values that a test reads.

No action is `*`, and no resource but where AWS knows no other.

Only folders that the function's own role reads or writes appear here by action; others are reached through the role
that it may assume, or the secret that it may read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aws_cdk import aws_iam as iam

from millrace.config.layout import Folder
from millrace.deployment import permissions
from millrace.deployment.settings import ASKED_RUNS_KEY, EVENT_SOURCE, ICEBERG_FOLDER, LEDGER_INDEXES, SWITCH_MARK

from .options import Options
from .topology import Catalogued, Iceberg, Topology, UsedTableBucket

_KEY_OF_DEPLOYMENT_SERVES = ("dynamodb", "s3", "secretsmanager", "sqs")
"""What the deployment's own key encrypts and a function reads: the ledger, created buckets, secrets, queues."""
_EXISTING_KEYS_SERVE = ("s3", "secretsmanager", "sqs")
_OWN_EVENTS = {"StringEquals": {"events:source": EVENT_SOURCE}}
"""Source: Amazon EventBridge User Guide, "Using IAM policy conditions"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One statement of a policy; ``because`` is the reason for a wildcard in its resources."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    because: str = ""
    conditions: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arns:
    """Where things are; ``key`` is the deployment's own, if it has one, and so is ``obfuscation_secret``, a name."""

    partition: str
    region: str
    account: str
    ledger: str
    queues: tuple[str, ...]
    dead_letters: str
    machine: str
    backfill_queue: str | None = None
    databases: tuple[str, ...] = ()
    iceberg_databases: tuple[str, ...] = ()
    commit_queue: str | None = None
    commit_dead_letters: str | None = None
    webhook_queues: tuple[str, ...] = ()
    key: str | None = None
    obfuscation_secret: str | None = None

    @property
    def executions(self) -> str:
        """The executions of the state machine: `arn:aws:states:eu-central-1:111122223333:execution:millrace-big-run:*`.

        Children of a map have another name behind the machine's: `…:execution:millrace-big-run/survey:*`.
        """
        return f"{self.machine.replace(':stateMachine:', ':execution:')}:*"

    @property
    def backfill_queues(self) -> tuple[str, ...]:
        """The backfills' queue, if there is one."""
        return (self.backfill_queue,) if self.backfill_queue else ()

    @property
    def catalog(self) -> tuple[str, ...]:
        """The catalogue, the databases of catalogued tables, and their tables; Glue asks for all three."""
        return self._list_tables(self.databases)

    @property
    def iceberg_catalog(self) -> tuple[str, ...]:
        """The same of tables of Iceberg."""
        return self._list_tables(self.iceberg_databases)

    @property
    def databases_of_emulator(self) -> tuple[str, ...]:
        """What the emulator asks for in place of a database, by GetDatabase: a table of its name."""
        glue = f"arn:{self.partition}:glue:{self.region}:{self.account}"
        return tuple(f"{glue}:table/{database}" for database in self.iceberg_databases)

    def _list_tables(self, databases: Sequence[str]) -> tuple[str, ...]:
        glue = f"arn:{self.partition}:glue:{self.region}:{self.account}"
        tables = [f"{glue}:table/{database}/*" for database in databases]
        holders = [f"{glue}:database/{database}" for database in databases]
        return (f"{glue}:catalog", *holders, *tables) if tables else ()

    @property
    def commit_queues(self) -> tuple[str, ...]:
        """The committer's queue, if there is one."""
        return (self.commit_queue,) if self.commit_queue else ()

    def objects(self, folder: Folder) -> str:
        """The objects of a folder."""
        return f"arn:{self.partition}:s3:::{folder.bucket}/{folder.prefix}*"

    def bucket(self, folder: Folder) -> str:
        """The bucket of a folder."""
        return f"arn:{self.partition}:s3:::{folder.bucket}"

    def secret(self, name: str) -> str:
        """A secret by name or ARN; Secrets Manager ends the ARN of a named one in a hyphen and six characters."""
        # A whole ARN has its six characters already: it is the narrower grant.
        if name.startswith("arn:"):
            return name
        return f"arn:{self.partition}:secretsmanager:{self.region}:{self.account}:secret:{name}-??????"


def is_wildcard(resource: str) -> bool:
    """Whether ``resource`` stands for more than one."""
    return resource.endswith(("*", "?"))


def to_statement(grant: Grant) -> iam.PolicyStatement:
    """The statement of a policy."""
    return iam.PolicyStatement(
        sid=grant.sid,
        actions=list(grant.actions),
        resources=list(grant.resources),
        conditions={operator: dict(keys) for operator, keys in grant.conditions.items()},
    )


def convert(topology: Topology, arns: Arns, options: Options, *, itself: str) -> tuple[Grant, ...]:
    """What the convert function needs: also to pause the event sources of ``itself``, an ARN, and to say so."""
    every_queue = (*arns.queues, *arns.backfill_queues, *topology.own_queue_arns)
    return _wanted(
        *_read_and_write(topology, arns),
        *_tell_gone_from_denied((*topology.own_reads, *topology.own_writes), arns),
        # No Query and no Delete: a worker knows the key of every entry that it needs, and only `millrace forget`
        # deletes.
        Grant(sid="KeepLedger", actions=("dynamodb:GetItem", "dynamodb:PutItem"), resources=(arns.ledger,)),
        # A ticket is added to a set, so that none is lost between two workers of one portion.
        Grant(sid="CountBackfills", actions=("dynamodb:UpdateItem",), resources=(arns.ledger,)),
        Grant(sid="ReceiveMessages", actions=permissions.RECEIVE_MESSAGES, resources=every_queue),
        Grant(sid="AskForBuilds", actions=_sending(options), resources=arns.queues),
        # The function counts attempts itself, since a receipt is no attempt; so it sends what has failed five times
        # itself.
        Grant(sid="MakeDeadLetters", actions=("sqs:SendMessage",), resources=(arns.dead_letters,)),
        *_switching(arns, options, itself),
        *_telling(arns, options),
        _ask_for_commits(arns),
        Grant(sid="StartBigRuns", actions=("states:StartExecution",), resources=(arns.machine,)),
        _look_at_runs(arns),
        *_identities(topology, arns),
        _read_obfuscation_key(arns),
        _keep_catalog(arns),
        *_keys(arns, options),
        *_tracing(options),
    )


def big_run(topology: Topology, arns: Arns, options: Options) -> tuple[Grant, ...]:
    """What the function of big runs needs: as the convert function reads and writes, and to join parts in S3.

    It starts nothing: what a run cannot end it asks for once more on the source's queue.
    """
    return _wanted(
        *_read_and_write(topology, arns),
        Grant(
            sid="JoinParts",
            actions=permissions.JOIN_PARTS,
            resources=tuple(map(arns.objects, topology.own_writes)),
            because="outputs are named after their sources, anywhere below the connection's folder",
        ),
        *_tell_gone_from_denied((*topology.own_reads, *topology.own_writes), arns),
        Grant(sid="KeepLedger", actions=("dynamodb:GetItem", "dynamodb:PutItem"), resources=(arns.ledger,)),
        Grant(sid="AskAgain", actions=_sending(options), resources=arns.queues),
        *_telling(arns, options),
        _ask_for_commits(arns),
        *_identities(topology, arns),
        _read_obfuscation_key(arns),
        _keep_catalog(arns),
        *_keys(arns, options),
        *_tracing(options),
    )


def machine(arns: Arns, options: Options, *, function: str) -> tuple[Grant, ...]:
    """What the state machine of big runs needs: to invoke one function, and to run the children of its maps.

    Source: AWS Step Functions Developer Guide, "IAM policies for using Distributed Map states". It reads and writes no
    object: what passes between phases is read and written by the function.
    """
    return _wanted(
        Grant(sid="DoPhases", actions=("lambda:InvokeFunction",), resources=(function,)),
        Grant(sid="StartChildren", actions=("states:StartExecution",), resources=(arns.machine,)),
        Grant(
            sid="WatchChildren",
            actions=("states:DescribeExecution", "states:StopExecution"),
            resources=(arns.executions,),
            because="executions are named as they start",
        ),
        Grant(
            sid="RedriveChildren",
            actions=("states:RedriveExecution",),
            resources=(f"{arns.machine.replace(':stateMachine:', ':execution:')}/*",),
            because="children of a map are named as they start",
        ),
        *_tracing(options, also=("xray:GetSamplingRules", "xray:GetSamplingTargets")),
    )


def _look_at_runs(arns: Arns) -> Grant:
    return Grant(
        sid="LookAtBigRuns",
        actions=("states:DescribeExecution",),
        resources=(arns.executions,),
        because="executions are named after what they convert",
    )


def _keep_catalog(arns: Arns) -> Grant:
    """No deletion: a table stays when its sync goes, as its outputs do."""
    return Grant(
        sid="KeepCatalog",
        actions=("glue:GetTable", "glue:CreateTable", "glue:UpdateTable"),
        resources=arns.catalog,
        because="tables are named after those of the sources, in databases of their own",
    )


def _ask_for_commits(arns: Arns) -> Grant:
    return Grant(sid="AskForCommits", actions=("sqs:SendMessage",), resources=arns.commit_queues)


def _read_obfuscation_key(arns: Arns) -> Grant:
    return Grant(
        sid="ReadObfuscationKey",
        actions=("secretsmanager:GetSecretValue",),
        resources=(arns.secret(arns.obfuscation_secret),) if arns.obfuscation_secret else (),
        because="Secrets Manager ends the ARN of every secret in six characters of its own",
    )


def _read_and_write(topology: Topology, arns: Arns) -> tuple[Grant, Grant]:
    return (
        Grant(
            sid="ReadSources",
            actions=permissions.READ_OBJECTS,
            resources=tuple(map(arns.objects, topology.own_reads)),
            because="every object below the connection's folder is its source",
        ),
        Grant(
            sid="WriteDestinations",
            actions=permissions.WRITE_OBJECTS,
            resources=tuple(map(arns.objects, topology.own_writes)),
            because="outputs are named after their sources, anywhere below the connection's folder",
        ),
    )


def reprocess(topology: Topology, arns: Arns, options: Options) -> tuple[Grant, ...]:
    """What the reprocess function needs: to choose objects and to send requests; it touches no object's content."""
    return _wanted(
        *_list_sources(topology, arns),
        Grant(
            sid="ChooseFromLedger",
            actions=("dynamodb:Query",),
            resources=tuple(f"{arns.ledger}/index/{index}" for index in LEDGER_INDEXES),
        ),
        # Whether an output is stale depends on its table's schema, too, whose entry is got by its key.
        Grant(sid="FindStale", actions=("dynamodb:GetItem",), resources=(arns.ledger,)),
        Grant(sid="SendRequests", actions=_sending(options), resources=arns.queues),
        Grant(
            sid="KeepAskedRuns",
            actions=("dynamodb:PutItem",),
            resources=(arns.ledger,),
            conditions={} if options.emulator else _within_items(ASKED_RUNS_KEY),
        ),
        *_telling(arns, options),
        *_identities(topology, arns),
        *_keys(arns, options),
        *_tracing(options),
    )


def reconcile(
    topology: Topology, arns: Arns, options: Options, *, itself: str, history: Folder | None = None
) -> tuple[Grant, ...]:
    """What the reconcile function needs: to compare listings with the ledger, and to call ``itself``, an ARN, to go on.

    And to write ``history``, if there is such a folder. It compares by one index of the ledger; it gets the entries
    whose outputs it looks at, and puts its own checkpoints. It takes no identity of a destination: outputs elsewhere
    are looked at by `millrace audit --outputs`.
    """
    return _wanted(
        *_list_sources(topology, arns),
        Grant(sid="CompareWithLedger", actions=("dynamodb:Query",), resources=(f"{arns.ledger}/index/sources",)),
        Grant(sid="KeepCheckpoints", actions=("dynamodb:GetItem", "dynamodb:PutItem"), resources=(arns.ledger,)),
        Grant(sid="SendRequests", actions=(*_sending(options), "sqs:GetQueueAttributes"), resources=arns.queues),
        # A listing of millions of keys outlasts a function's 15 minutes: it keeps a checkpoint and calls itself to go
        # on.
        Grant(sid="GoOn", actions=("lambda:InvokeFunction",), resources=(itself,)),
        Grant(
            sid="LookAtOutputs",
            actions=("s3:GetObject",),
            resources=tuple(map(arns.objects, topology.own_writes)),
            because="a few outputs of each comparison are looked at by HEAD, anywhere below the connection's folder",
        ),
        *_tell_gone_from_denied(topology.own_writes, arns),
        _look_at_runs(arns),
        *_telling(arns, options),
        *_keep_history(history, arns),
        # Sources alone: what it never reads elsewhere it needs no identity for.
        *_identities(replace(topology, destinations=()), arns),
        *_keys(arns, options),
        *_tracing(options),
    )


def _keep_history(history: Folder | None, arns: Arns) -> list[Grant]:
    if history is None:
        return []
    return [
        Grant(
            sid="ReadFinishedWork",
            actions=("dynamodb:Query",),
            resources=(f"{arns.ledger}/index/finished",),
        ),
        Grant(sid="ReadEntries", actions=("dynamodb:BatchGetItem",), resources=(arns.ledger,)),
        Grant(
            sid="KeepHistory",
            actions=permissions.WRITE_OBJECTS,
            resources=(arns.objects(history),),
            because="each day of the history is an object below its folder",
        ),
        *_tell_gone_from_denied([history], arns, sid="TellDayGoneFromDenied"),
    ]


def backfill(topology: Topology, arns: Arns, options: Options, *, itself: str, convert: str) -> tuple[Grant, ...]:
    """What the backfill function needs: to list, to compare with the ledger, to send, and to switch one event source.

    ``itself`` and ``convert`` are ARNs. It reads inventories, and no other object.
    """
    return _wanted(
        *_list_sources(topology, arns),
        Grant(sid="CompareWithLedger", actions=("dynamodb:Query",), resources=(f"{arns.ledger}/index/sources",)),
        Grant(
            sid="KeepBackfills",
            actions=("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem"),
            resources=(arns.ledger,),
        ),
        Grant(
            sid="SendRequests",
            actions=(*_sending(options), "sqs:GetQueueAttributes"),
            resources=arns.backfill_queues,
        ),
        # A listing of millions of keys is divided, and outlasts a function's 15 minutes.
        Grant(sid="GoOn", actions=("lambda:InvokeFunction",), resources=(itself,)),
        *_switching(arns, options, convert),
        Grant(
            sid="ReadInventories",
            actions=("s3:GetObject",),
            resources=tuple(map(arns.objects, options.inventories)),
            because="an inventory's manifest and its files have names of S3's own, anywhere below its folder",
        ),
        # Sources alone: it never reads or writes elsewhere.
        *_identities(replace(topology, destinations=()), arns),
        *_telling(arns, options),
        *_keys(arns, options),
        *_tracing(options),
    )


def _within_items(keys: str) -> dict[str, dict[str, list[str]]]:
    """The condition that holds a function to items of the ledger's table; ``keys`` may end in a star.

    IAM takes no control characters, which begin the keys of what is no entry: a question mark stands for one.
    """
    return {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [keys.replace("\x1f", "?")]}}


def webhook(topology: Topology, arns: Arns, options: Options) -> tuple[Grant, ...]:
    """What the webhook function needs: to receive events, to sign them, and to remember receivers that are gone."""
    return _wanted(
        Grant(sid="ReceiveMessages", actions=permissions.RECEIVE_MESSAGES, resources=arns.webhook_queues),
        Grant(sid="MakeDeadLetters", actions=("sqs:SendMessage",), resources=(arns.dead_letters,)),
        Grant(
            sid="KeepSwitches",
            actions=("dynamodb:GetItem", "dynamodb:PutItem"),
            resources=(arns.ledger,),
            conditions={} if options.emulator else _within_items(SWITCH_MARK + "*"),
        ),
        Grant(
            sid="ReadSecretsOfWebhooks",
            actions=("secretsmanager:GetSecretValue",),
            resources=tuple(map(arns.secret, sorted({webhook.secret for webhook in topology.webhooks}))),
            because="Secrets Manager ends the ARN of every secret in six characters of its own",
        ),
        *_keys(arns, options),
        *_tracing(options),
    )


def commit(topology: Topology, arns: Arns, options: Options) -> tuple[Grant, ...]:
    """What the committer of Iceberg tables needs: to read entries and outputs, and to keep tables and their metadata.

    It deletes outputs that no snapshot names any more, and writes none: below the tables' own folder alone, and into
    table buckets.
    """
    iceberg = topology.iceberg or Iceberg(Catalogued(), ())
    of_tables = replace(topology, sources=(), destinations=iceberg.destinations)
    folders = of_tables.own_writes
    catalogued = replace(topology, sources=(), destinations=iceberg.catalogued_destinations).own_writes
    return _wanted(
        Grant(sid="ReceiveMessages", actions=permissions.RECEIVE_MESSAGES, resources=arns.commit_queues),
        # A file that can never be in its table must not keep the table's others waiting.
        Grant(
            sid="MakeDeadLetters",
            actions=("sqs:SendMessage",),
            resources=(arns.commit_dead_letters,) if arns.commit_dead_letters else (),
        ),
        Grant(sid="ReadLedger", actions=("dynamodb:GetItem",), resources=(arns.ledger,)),
        Grant(
            sid="KeepTables",
            # GetTables: those whose snapshots expire are found by their database.
            actions=("glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:CreateTable", "glue:UpdateTable"),
            resources=arns.iceberg_catalog + (arns.databases_of_emulator if options.emulator else ()),
            because="tables are named after those of the sources, in databases of their own",
        ),
        Grant(
            sid="ReadOutputsAndForgetOldOnes",
            actions=("s3:GetObject", "s3:DeleteObject"),
            resources=tuple(map(arns.objects, folders)),
            because="outputs are named after their sources, anywhere below the connection's folder",
        ),
        Grant(
            sid="KeepMetadata",
            actions=("s3:PutObject", "s3:AbortMultipartUpload"),
            resources=tuple(arns.objects(folder.child(ICEBERG_FOLDER)) for folder in catalogued),
            because="manifests and versions of a table's metadata have names of their own",
        ),
        *_keep_table_buckets(iceberg.table_buckets, options),
        *_tell_gone_from_denied(folders, arns),
        *_identities(of_tables, arns),
        *_keys(arns, options),
        *_tracing(options),
    )


def _keep_table_buckets(table_buckets: Iterable[UsedTableBucket], options: Options) -> Iterator[Grant]:
    """What the committer needs of each table bucket: its namespaces, and the tables in them with their files.

    S3 Tables deletes no file on request, so nobody may (Service Authorization Reference, "Amazon S3 Tables").
    """
    for number, used in enumerate(table_buckets):
        tables = f"{used.arn}/table/*"
        of_namespaces = {"StringEquals": {"s3tables:namespace": list(used.namespaces)}}
        because = "S3 Tables numbers its tables, so that their namespace alone says which they are"
        yield Grant(
            sid=f"FindTables{number}",  # unique in its policy, and it may hold no ARN
            actions=("s3tables:CreateNamespace", "s3tables:ListTables"),
            resources=_of_emulator(options) or (used.arn,),
        )
        yield Grant(
            sid=f"MakeTables{number}",
            actions=("s3tables:CreateTable",),
            resources=_of_emulator(options) or (used.arn, tables),
            conditions={} if options.emulator else of_namespaces,
            because=because,
        )
        yield Grant(
            sid=f"KeepTables{number}",
            actions=permissions.KEEP_TABLES,
            resources=_of_emulator(options) or (tables,),
            conditions={} if options.emulator else of_namespaces,
            because=because,
        )
        if options.emulator:
            yield _keep_files_of_emulator(number, used)


def _keep_files_of_emulator(number: int, used: UsedTableBucket) -> Grant:
    name = used.arn.rpartition("/")[2]
    return Grant(
        sid=f"KeepTableFiles{number}",
        actions=("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"),
        resources=(f"arn:aws:s3:::{name}/*",),
        because="the emulator keeps the tables' files in a bucket of the table bucket's name",
    )


def _of_emulator(options: Options) -> tuple[str, ...]:
    """What the emulator asks for in place of a table bucket and its tables: anything."""
    return ("*",) if options.emulator else ()


def _list_sources(topology: Topology, arns: Arns) -> list[Grant]:
    grants = []
    for number, folder in enumerate(topology.own_reads):
        # s3:ListBucket is allowed on the bucket as a whole; only the prefix of the request keeps it within the folder
        # (Service Authorization Reference, "Condition keys for Amazon S3").
        conditions = {"StringLike": {"s3:prefix": f"{folder.prefix}*"}} if folder.path else {}
        grants.append(_list_folder(f"ListSource{number}", folder, arns, conditions))
    return grants


def _list_folder(sid: str, folder: Folder, arns: Arns, conditions: Mapping[str, Mapping[str, object]]) -> Grant:
    return Grant(sid=sid, actions=permissions.LIST_OBJECTS, resources=(arns.bucket(folder),), conditions=conditions)


def _switching(arns: Arns, options: Options, function: str) -> list[Grant]:
    """To switch a function's own event sources. The emulator fills in no condition of Lambda's."""
    region = f"{arns.region}:{arns.account}"
    return [
        Grant(
            sid="FindEventSources",
            actions=("lambda:ListEventSourceMappings",),
            resources=("*",),
            because="Lambda lets nobody name what is listed",
        ),
        Grant(
            sid="PauseEventSources",
            actions=("lambda:UpdateEventSourceMapping",),
            resources=(f"arn:{arns.partition}:lambda:{region}:event-source-mapping:*",),
            because="Lambda makes up the names of event sources; the condition holds it to the function's own",
            conditions={} if options.emulator else {"ArnEquals": {"lambda:FunctionArn": function}},
        ),
    ]


def _telling(arns: Arns, options: Options) -> list[Grant]:
    """To put events, of its own source alone."""
    region = f"{arns.region}:{arns.account}"
    return [
        Grant(
            sid="TellOthers",
            actions=("events:PutEvents",),
            resources=(f"arn:{arns.partition}:events:{region}:event-bus/default",),
            # The default bus carries other services' events, too: under its own source the function can pretend to be
            # none of them.
            conditions={} if options.emulator else _OWN_EVENTS,
        ),
    ]


def _sending(options: Options) -> tuple[str, ...]:
    """AWS allows batches by the one action; the emulator asks for another, which AWS does not know."""
    return ("sqs:SendMessage", "sqs:SendMessageBatch") if options.emulator else ("sqs:SendMessage",)


def _wanted(*grants: Grant) -> tuple[Grant, ...]:
    return tuple(grant for grant in grants if grant.resources)


def _tell_gone_from_denied(folders: Iterable[Folder], arns: Arns, *, sid: str = "TellGoneFromDenied") -> list[Grant]:
    """S3 answers 404 for a missing key only to who may list the bucket, and 403 to all others."""
    grants = []
    for number, folder in enumerate(sorted(set(folders))):
        grants.append(_list_folder(f"{sid}{number}", folder, arns, permissions.within(folder)))
    return grants


def _identities(topology: Topology, arns: Arns) -> tuple[Grant, Grant]:
    return (
        Grant(sid="AssumeRolesOfConnections", actions=("sts:AssumeRole",), resources=topology.roles),
        Grant(
            sid="ReadSecretsOfConnections",
            actions=("secretsmanager:GetSecretValue",),
            resources=tuple(map(arns.secret, topology.secrets)),
            because="Secrets Manager ends the ARN of every secret in six characters of its own",
        ),
    )


def _keys(arns: Arns, options: Options) -> tuple[Grant, Grant]:
    return (
        Grant(
            # The list that DynamoDB, SQS and S3 ask their callers for, spelled out.
            sid="UseKeyOfDeployment",
            actions=(
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ),
            resources=(arns.key,) if arns.key else (),
            conditions=_by_way_of(_KEY_OF_DEPLOYMENT_SERVES, [arns.region], options),
        ),
        Grant(
            sid="UseExistingKeys",
            actions=permissions.WRITE_BY_KEY,
            resources=options.existing_key_arns,
            conditions=_by_way_of(
                _EXISTING_KEYS_SERVE, sorted(set(map(_region_of, options.existing_key_arns))), options
            ),
        ),
    )


def _by_way_of(services: Sequence[str], regions: Sequence[str], options: Options) -> Mapping[str, Mapping[str, object]]:
    """No condition on the emulator, which fills in none of KMS's."""
    return {} if options.emulator else permissions.by_way_of(services, regions)


def _region_of(arn: str) -> str:
    """The region of ``arn:aws:kms:eu-central-1:111122223333:key/0a1b``."""
    return arn.split(":")[3]


def _tracing(options: Options, also: tuple[str, ...] = ()) -> tuple[Grant, ...]:
    if options.emulator:
        return ()
    return (
        Grant(
            sid="Trace",
            actions=("xray:PutTraceSegments", "xray:PutTelemetryRecords", *also),
            resources=("*",),
            because="X-Ray knows no resources: AWS demands a wildcard",
        ),
    )
