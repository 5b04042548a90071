"""What can be thrown away and made again: functions, their layers, event sources, logs and alarms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from aws_cdk import ArnFormat, CfnOutput, CustomResource, Duration, Environment, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from millrace.deployment.settings import DEPLOYMENT_VARIABLE, Settings

from . import grants
from .alarms import Alarms
from .backfills import MEMORY_MB as BACKFILL_MEMORY_MB
from .backfills import Backfills
from .big_run_machine import BigRunMachine
from .commits import MEMORY_MB as COMMIT_MEMORY_MB
from .commits import Commits
from .dashboard import Dashboard, Watched
from .handler_function import ARCHITECTURE, RUNTIME, HandlerFunction
from .history import History, HistoryTable, find_home
from .layers import FORMATS, ICEBERG
from .names import Names, construct_id
from .options import Options
from .schedules import Schedules
from .source_queue import BATCHING_WINDOW_SECONDS
from .topology import Catalogued, Topology
from .webhooks import MEMORY_MB as WEBHOOK_MEMORY_MB
from .webhooks import Webhooks

BATCH_SIZE = 10
NUMBER_MEMORY_MB = 128
"""It answers one request."""
REPROCESS_MEMORY_MB = 512
"""It lists keys and sends messages, and waits for both."""
RECONCILE_MEMORY_MB = 1024
"""Comparing is bound by the processor, and memory is how Lambda measures it out."""


class ProcessingStack(Stack):
    """Outputs: ConvertFunction, ReprocessFunction, ReconcileFunction, BackfillFunction (names); BigRunMachine (ARN);
    Syncs (JSON list: active); History (a folder, if there is one); CommitFunction (if there are tables of Iceberg).

    ``code`` is the folder of the code asset, ``layers`` the folders of its layers by name, none on the emulator.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        topology: Topology,
        options: Options,
        env: Environment,
        code: Path,
        layers: Mapping[str, Path],
        key: kms.IKey | None,
    ) -> None:
        super().__init__(
            scope,
            options.processing_stack,
            # By its own name wherever it is made: within another construct the CDK would put that one's before it.
            stack_name=options.processing_stack,
            env=env,
            description=f"Millrace ({options.name}): functions and alarms. It keeps nothing and can be made again.",
        )
        self._options = options
        secret_name = options.obfuscation_secret or Names(options.name).obfuscation_key
        self._obfuscation_secret = secret_name if topology.obfuscates else None
        self._databases = self._list_databases(topology.catalogued)
        self._iceberg_databases = self._list_databases(topology.iceberg_tables)
        self._queues = dict(self._find_queues(topology))
        self._dead_letters = self._queue(Names(options.name).dead_letters)
        self._backfill_queue = self._queue(Names(options.name).backfill_queue)
        self._webhook_queues = dict(self._find_webhook_queues(topology))
        self._commit_queue, self._commit_dead_letters = self._find_commit_queues(topology)
        self._code = lambda_.Code.from_asset(str(code))
        self._layers = {name: self._layer(name, folder) for name, folder in layers.items()}
        # By its ARN alone: given the construct, the CDK may write roles of this stack into the key's policy, and each
        # stack would wait for the other.
        self._key = kms.Key.from_key_arn(self, "Key", key.key_arn) if key else None
        functions = self._make_functions(topology, digest=code.name)
        queues = self._receive(functions["Convert"], topology)
        self._make_backfills(functions)
        self._send_to_webhooks(functions, topology)
        self._receive_commits(functions)
        self._watch(functions, queues)
        CfnOutput(self, "ConvertFunction", value=functions["Convert"].function_name)
        CfnOutput(self, "ReprocessFunction", value=functions["Reprocess"].function_name)

    def _make_backfills(self, functions: Mapping[str, lambda_.Function]) -> None:
        # Without a source there is nothing to list, and no such function.
        if "Backfill" not in functions:
            return
        Backfills(
            self,
            "Backfills",
            queue=self._backfill_queue,
            convert=functions["Convert"],
            lister=functions["Backfill"],
            options=self._options,
        )

    def _list_databases(self, catalogued: Catalogued) -> tuple[str, ...]:
        """The databases of catalogued tables: those that are named, and the stack's own if it is wanted."""
        own = (Names(self._options.name).database,) if catalogued.needs_own else ()
        return (*catalogued.databases, *own)

    def _watch(self, functions: Mapping[str, lambda_.Function], queues: Mapping[str, sqs.IQueue]) -> None:
        """The machine of big runs, and the alarms and the dashboard over all."""
        backfills = self._backfill_queue if "Backfill" in functions else None
        webhooks = {construct_id(name): queue for name, queue in self._webhook_queues.items()}
        alarms = self._make_alarms(functions, queues, webhooks, backfills)
        machine = self._make_machine(functions["BigRun"])
        alarms.watch_big_runs(machine)
        if self._databases:
            alarms.watch_catalog(self._options)
        watched = Watched(
            alarms=alarms.alarms,
            queues=queues,
            webhooks=webhooks,
            backfills=backfills,
            dead_letters=alarms.dead_letters,
            functions=functions,
            machine=machine,
            has_catalog=bool(self._databases),
            commits=self._commit_queue,
        )
        Dashboard(self, "Dashboard", watched=watched, options=self._options)

    def _make_alarms(
        self,
        functions: Mapping[str, lambda_.Function],
        queues: Mapping[str, sqs.IQueue],
        webhooks: Mapping[str, sqs.IQueue],
        backfills: sqs.IQueue | None,
    ) -> Alarms:
        """The alarms of functions and queues."""
        alarms = Alarms(
            self,
            "Alarms",
            dead_letters=self._dead_letters,
            queues=queues,
            functions=functions,
            options=self._options,
            backfills=backfills,
        )
        for name, queue in webhooks.items():
            alarms.watch_webhook(name, queue)
        if self._commit_queue is not None and self._commit_dead_letters is not None:
            alarms.watch_commits(self._commit_queue, self._commit_dead_letters)
        return alarms

    def _find_queues(self, topology: Topology) -> Iterator[tuple[str, sqs.IQueue]]:
        """The managed queue of each source connection, which the storage stack makes."""
        names = Names(self._options.name)
        for source in topology.sources:
            yield source.connection, self._queue(names.queue(source.connection))

    def _find_webhook_queues(self, topology: Topology) -> Iterator[tuple[str, sqs.IQueue]]:
        """The queue of each webhook, which the storage stack makes."""
        names = Names(self._options.name)
        for webhook in topology.webhooks:
            yield webhook.name, self._queue(names.webhook_queue(webhook.name))

    def _send_to_webhooks(self, functions: Mapping[str, lambda_.IFunction], topology: Topology) -> None:
        """What chooses their events and sends them, where there are any."""
        if "Webhook" not in functions:
            return
        Webhooks(
            self,
            "Webhooks",
            topology=topology,
            queues=self._webhook_queues,
            sender=functions["Webhook"],
            options=self._options,
        )

    def _find_commit_queues(self, topology: Topology) -> tuple[sqs.IQueue | None, sqs.IQueue | None]:
        """The committer's queue and what it gives up, which the storage stack makes; None where there is none."""
        if topology.iceberg is None:
            return None, None
        names = Names(self._options.name)
        return self._queue(names.commit_queue), self._queue(names.commit_dead_letters)

    def _receive_commits(self, functions: Mapping[str, lambda_.IFunction]) -> None:
        """Let the committer of Iceberg tables receive, where there is one."""
        if self._commit_queue is not None:
            Commits(
                self,
                "Commits",
                queue=self._commit_queue,
                committer=functions["Commit"],
                options=self._options,
            )

    def _make_functions(self, topology: Topology, *, digest: str) -> dict[str, lambda_.Function]:
        """All functions by construct name; ``digest`` is the code's, configuration included."""
        arns = self._arns()
        number = self._numbering()
        # The others have the number in their environment.
        self._number = self._number_deployment(number, digest=digest)
        functions = {
            "Convert": self._convert(topology, arns),
            "BigRun": self._big_run(topology, arns),
            "Reprocess": self._reprocess(topology, arns),
            "Number": number,
        }
        if topology.sources:
            functions["Reconcile"] = self._reconcile(topology, arns)
            functions["Backfill"] = self._backfill(topology, arns)
        if topology.webhooks:
            functions["Webhook"] = self._webhook(topology, arns)
        if self._commit_dead_letters is not None:
            functions["Commit"] = self._commit(topology, arns, self._commit_dead_letters)
        return functions

    def _numbering(self) -> lambda_.Function:
        """The function behind the custom resource. It needs the standard library alone, and no settings."""
        return HandlerFunction(
            self,
            "Number",
            name="number",
            code=self._code,
            layers=(),
            environment={},
            grants=(),
            options=self._options,
            key=self._key,
            memory_mb=NUMBER_MEMORY_MB,
            function_name=Names(self._options.name).number,
        ).function

    def _number_deployment(self, function: lambda_.IFunction, *, digest: str) -> str:
        """The number of this deployment, known while it is deployed; it grows whenever ``digest`` changes.

        A worker of an older deployment may still run when a newer one has begun, and must not write over its outputs.
        """
        resource = CustomResource(
            self,
            "Deployment",
            service_token=function.function_arn,
            resource_type="Custom::MillraceDeployment",
            properties={"Digest": digest},
        )
        return resource.get_att_string("Number")

    def _convert(self, topology: Topology, arns: grants.Arns) -> lambda_.Function:
        """The function that converts, and pauses its event sources where only somebody's help can go on."""
        name = Names(self._options.name).convert
        return self._function(
            "convert",
            grants.convert(topology, arns, self._options, itself=self._function_arn(name)),
            memory_mb=self._options.memory_mb,
            function_name=name,
        )

    def _big_run(self, topology: Topology, arns: grants.Arns) -> lambda_.Function:
        """The function that does a big run's phases, and each of its parts."""
        return self._function(
            "big_run",
            grants.big_run(topology, arns, self._options),
            memory_mb=self._options.memory_mb,
            function_name=Names(self._options.name).big_run,
        )

    def _make_machine(self, function: lambda_.IFunction) -> sfn.StateMachine:
        name = Names(self._options.name).big_run
        allowed = grants.machine(self._arns(), self._options, function=self._function_arn(name))
        big_runs = BigRunMachine(self, "BigRuns", function=function, grants=allowed, options=self._options)
        CfnOutput(self, "BigRunMachine", value=big_runs.machine.state_machine_arn)
        return big_runs.machine

    def _machine_arn(self) -> str:
        return self.format_arn(
            service="states",
            resource="stateMachine",
            resource_name=Names(self._options.name).big_run,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def _reprocess(self, topology: Topology, arns: grants.Arns) -> lambda_.Function:
        """The function that asks for chosen objects again."""
        return self._function(
            "reprocess",
            grants.reprocess(topology, arns, self._options),
            memory_mb=REPROCESS_MEMORY_MB,
            function_name=Names(self._options.name).reprocess,
        )

    def _function_arn(self, name: str) -> str:
        return self.format_arn(
            service="lambda", resource="function", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )

    def _reconcile(self, topology: Topology, arns: grants.Arns) -> lambda_.Function:
        """The function that lists, by its schedules and by hand: a sync without a schedule is compared by hand only."""
        names = Names(self._options.name)
        home = find_home(topology, self._options)
        settings = self._settings()
        if home is not None:
            settings = replace(
                settings,
                history=f"s3://{home.bucket}/{home.prefix}",
                history_days=self._options.history_days,
                memory_mb=self._options.memory_mb,
            )
        itself = self._function_arn(names.reconcile)
        function = self._function(
            "reconcile",
            grants.reconcile(topology, arns, self._options, itself=itself, history=home),
            memory_mb=RECONCILE_MEMORY_MB,
            function_name=names.reconcile,
            settings=settings,
        )
        if home is not None:
            History(self, "ExportHistory", exporter=function, home=home, options=self._options)
            # The history is a table in the database that was named for it, else in the deployment's own, if it has one.
            own = names.database if topology.needs_database else None
            database = self._options.history_database or own
            if database is not None:
                HistoryTable(self, "CatalogHistory", home=home, database=database, options=self._options)
        Schedules(self, "Schedules", function=function, listings=topology.listings, options=self._options)
        CfnOutput(self, "ReconcileFunction", value=function.function_name)
        return function

    def _backfill(self, topology: Topology, arns: grants.Arns) -> lambda_.Function:
        """The function that lists what buckets hold already, and steers that."""
        names = Names(self._options.name)
        itself, convert = map(self._function_arn, (names.backfill, names.convert))
        settings = replace(
            self._settings(), backfill_queue=self._backfill_queue.queue_url, convert_function=names.convert
        )
        return self._function(
            "backfill",
            grants.backfill(topology, arns, self._options, itself=itself, convert=convert),
            memory_mb=BACKFILL_MEMORY_MB,
            function_name=names.backfill,
            settings=settings,
        )

    def _webhook(self, topology: Topology, arns: grants.Arns) -> lambda_.Function:
        """The function that sends events to webhooks."""
        urls = {name: queue.queue_url for name, queue in self._webhook_queues.items()}
        return self._function(
            "webhook",
            grants.webhook(topology, arns, self._options),
            memory_mb=WEBHOOK_MEMORY_MB,
            function_name=Names(self._options.name).webhook,
            settings=replace(self._settings(), webhook_queues=urls),
        )

    def _commit(self, topology: Topology, arns: grants.Arns, dead_letters: sqs.IQueue) -> lambda_.Function:
        """The function that commits to Iceberg tables: the only one that has what that needs."""
        return self._function(
            "commit",
            grants.commit(topology, arns, self._options),
            memory_mb=COMMIT_MEMORY_MB,
            function_name=Names(self._options.name).commit,
            settings=replace(self._settings(), commit_dead_letters=dead_letters.queue_url),
        )

    def _choose_layers(self, name: str) -> list[lambda_.LayerVersion]:
        """The layers of a function: it reads no source, or it commits to no table."""
        left_out = FORMATS if name == "commit" else ICEBERG
        return [layer for layer_name, layer in self._layers.items() if layer_name != left_out]

    def _function(
        self,
        name: str,
        allowed: Sequence[grants.Grant],
        *,
        memory_mb: int,
        function_name: str | None = None,
        settings: Settings | None = None,
    ) -> lambda_.Function:
        environment = (settings or self._settings()).to_environment()
        return HandlerFunction(
            self,
            name.title().replace("_", ""),
            name=name,
            code=self._code,
            layers=self._choose_layers(name),
            environment={**environment, DEPLOYMENT_VARIABLE: self._number},
            grants=allowed,
            options=self._options,
            key=self._key,
            memory_mb=memory_mb,
            function_name=function_name,
            # The others are called by a schedule or by hand: a reserve for them would be taken from the account for
            # nothing.
            reserved_concurrency=self._options.reserved_concurrency if name == "convert" else None,
        ).function

    def _queue(self, name: str) -> sqs.IQueue:
        arn = self.format_arn(service="sqs", resource=name)
        return sqs.Queue.from_queue_arn(self, construct_id(name), arn)

    def _arns(self) -> grants.Arns:
        return grants.Arns(
            partition=self.partition,
            region=self.region,
            account=self.account,
            ledger=self.format_arn(
                service="dynamodb", resource="table", resource_name=Names(self._options.name).ledger
            ),
            queues=tuple(queue.queue_arn for queue in self._queues.values()),
            dead_letters=self._dead_letters.queue_arn,
            machine=self._machine_arn(),
            # There is none where nothing is read.
            backfill_queue=self._backfill_queue.queue_arn if self._queues else None,
            databases=self._databases,
            iceberg_databases=self._iceberg_databases,
            commit_queue=self._commit_queue.queue_arn if self._commit_queue else None,
            commit_dead_letters=self._commit_dead_letters.queue_arn if self._commit_dead_letters else None,
            webhook_queues=tuple(queue.queue_arn for queue in self._webhook_queues.values()),
            key=self._key.key_arn if self._key else None,
            obfuscation_secret=self._obfuscation_secret,
        )

    def _settings(self) -> Settings:
        return Settings(
            ledger_table=Names(self._options.name).ledger,
            queues={connection: queue.queue_url for connection, queue in self._queues.items()},
            timeout_seconds=self._options.timeout_seconds,
            obfuscation_secret=self._obfuscation_secret,
            dead_letters=self._dead_letters.queue_url,
            name=self._options.name,
            big_run_machine=self._machine_arn(),
            big_run_bytes=self._options.big_run_bytes,
            part_bytes=self._options.part_bytes,
            database=Names(self._options.name).database if self._databases or self._iceberg_databases else None,
            commit_queue=self._commit_queue.queue_url if self._commit_queue else None,
        )

    def _layer(self, name: str, folder: Path) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            f"Layer{name.capitalize()}",
            description=f"{self._options.name}: {name}",
            # Named by how it was made, so that a hundred megabytes are not read again on every synth.
            code=lambda_.Code.from_asset(str(folder), asset_hash=f"{folder.parent.name}{name}"),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[ARCHITECTURE],
        )

    def _receive(self, function: lambda_.IFunction, topology: Topology) -> dict[str, sqs.IQueue]:
        """Let ``function`` receive from every queue, managed or the user's own; the queues by construct name.

        No filter: Lambda deletes what a filter does not match.
        """
        queues = {construct_id(connection): queue for connection, queue in self._queues.items()}
        for arn in topology.own_queue_arns:
            name = f"Own{construct_id(arn)}"
            queues[name] = sqs.Queue.from_queue_arn(self, name, arn)
        for name, queue in queues.items():
            lambda_.EventSourceMapping(
                self,
                f"Receive{name}",
                target=function,
                event_source_arn=queue.queue_arn,
                batch_size=BATCH_SIZE,
                max_batching_window=Duration.seconds(BATCHING_WINDOW_SECONDS),
                max_concurrency=self._options.max_concurrency,
                # Otherwise one failed message brings the whole batch back, with nine that are done (AWS Lambda
                # Developer Guide, "Handling errors for an SQS event source").
                report_batch_item_failures=True,
            )
        return queues
