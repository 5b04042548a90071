"""Laws that the templates of every configuration keep."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from infra.commits import COMMITTERS
from infra.history import find_home, refuse_home
from infra.names import Names
from infra.notification import EVENTS
from infra.options import Encryption, Options, Unwanted
from infra.topology import describe
from millrace.config.document import parse
from millrace.config.layout import Folder
from millrace.deployment.permissions import Use, uses
from millrace.deployment.settings import LEDGER_INDEXES
from millrace.operations.history.work import FinishedWork
from millrace.operations.reconcile import CALLS
from tests.infra.cases import OBFUSCATED, configuration, connection, source, sync
from tests.infra.templates import Synthesised, Template, listed, text

OUR_FUNCTIONS = ("convert", "big_run", "reprocess", "reconcile", "backfill", "number", "webhook", "commit")
STATEFUL = {"DynamoDB::Table", "KMS::Key", "S3::Bucket", "SQS::Queue", "SecretsManager::Secret", "EFS::FileSystem"}


def denies_plain_http(template: Template, kind: str, field: str, logical_id: str) -> bool:
    """Whether a policy of ``kind`` attached to the resource refuses requests without TLS."""
    return any(
        statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for policy in template.properties(kind)
        if {"Ref": logical_id} in listed(policy[field])
        for statement in policy["PolicyDocument"]["Statement"]
    )


def dead_letter_arns(storage: Template) -> list[Any]:
    """The targets of all redrive policies."""
    return [q["RedrivePolicy"]["deadLetterTargetArn"] for q in storage.properties("SQS::Queue") if "RedrivePolicy" in q]


class TestQueues:
    """What holds for every queue."""

    def test_visibility_is_six_times_the_timeout_of_who_receives(self, synthesised: Synthesised) -> None:
        """A message is not shown again while a function may still work on it."""
        slowest = max(function["Timeout"] for function in synthesised.processing.properties("Lambda::Function"))
        window = max(
            mapping.get("MaximumBatchingWindowInSeconds", 0)
            for mapping in synthesised.processing.properties("Lambda::EventSourceMapping")
        )

        for queue in synthesised.storage.properties("SQS::Queue"):
            if "RedrivePolicy" in queue:
                assert queue["VisibilityTimeout"] >= 6 * slowest + window

    def test_is_encrypted_and_tls_only(self, storage: Template) -> None:
        """Nobody reads a message on its way or at rest."""
        for name, queue in storage.of("SQS::Queue").items():
            properties = queue["Properties"]
            assert properties.get("SqsManagedSseEnabled") or properties.get("KmsMasterKeyId")
            assert denies_plain_http(storage, "SQS::QueuePolicy", "Queues", name)

    def test_keeps_10_days_and_dead_letters_14(self, storage: Template) -> None:
        """A long weekend loses none. A message that SQS moves keeps its age: dead letters have four days at least."""
        for queue in storage.of("SQS::Queue").values():
            days = 10 if _redrives(queue) else 14
            assert queue["Properties"]["MessageRetentionPeriod"] == days * 24 * 3600

    def test_dead_letters_are_of_the_deployments_queues_alone(self, synthesised: Synthesised) -> None:
        """Another queue of the account cannot fill it with what nobody here can read."""
        queues = _without_order(synthesised.storage)
        (dead_letters,) = (queue["Properties"] for queue in queues.values() if not _redrives(queue))
        managed = {queue["Properties"]["QueueName"] for queue in queues.values() if _redrives(queue)}
        users_own = set(describe(parse(synthesised.case.data)).own_queue_arns)
        allowed = dead_letters["RedriveAllowPolicy"]

        named = {text(arn) for arn in allowed["sourceQueueArns"]}
        assert allowed["redrivePermission"] == "byQueue"
        assert len(named) <= 10
        assert managed <= {arn.rpartition(":")[2] for arn in named}
        assert {arn for arn in named if arn.rpartition(":")[2] not in managed} <= users_own

    def test_all_but_one_redrive_to_that_one_after_as_many_receives_as_may_be(self, storage: Template) -> None:
        """There is one dead-letter queue, every other queue uses it, and receipts are no attempts."""
        queues = _without_order(storage)
        redriven = [queue["Properties"]["RedrivePolicy"] for queue in queues.values() if _redrives(queue)]

        (dead_letters,) = (name for name, queue in queues.items() if not _redrives(queue))
        for policy in redriven:
            assert policy == {"deadLetterTargetArn": {"Fn::GetAtt": [dead_letters, "Arn"]}, "maxReceiveCount": 1000}

    def test_only_named_buckets_and_rules_of_this_account_send(self, storage: Template) -> None:
        """Another account's bucket cannot fill a queue, and no rule but the queue's own."""
        for kind, statement in storage.statements():
            if kind == "AWS::SQS::QueuePolicy" and statement["Effect"] == "Allow":
                assert statement["Principal"]["Service"] in {"s3.amazonaws.com", "events.amazonaws.com"}
                assert statement["Condition"]["ArnEquals"]["aws:SourceArn"]
                assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "111122223333"}


def _without_order(storage: Template) -> dict[str, dict[str, Any]]:
    """All queues but those of commits, of which one is the other's dead-letter queue: SQS wants both with an order."""
    return {name: one for name, one in storage.of("SQS::Queue").items() if "FifoQueue" not in one["Properties"]}


def _redrives(queue: dict[str, Any]) -> bool:
    return "RedrivePolicy" in queue["Properties"]


class TestBuckets:
    """What holds for every bucket that the stack creates."""

    def test_is_private_encrypted_versioned_tls_only_and_swept(self, storage: Template) -> None:
        """No public object, no plain byte, no overwritten version gone, no forgotten upload."""
        for name, bucket in storage.of("S3::Bucket").items():
            properties = bucket["Properties"]
            assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
            assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
            assert denies_plain_http(storage, "S3::BucketPolicy", "Bucket", name)
            rule = properties["LifecycleConfiguration"]["Rules"][0]
            assert "Prefix" not in rule
            assert 1 <= rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] <= 7
            assert rule["Status"] == "Enabled"

    def test_forgets_what_runs_left_and_nothing_else(self, synthesised: Synthesised) -> None:
        """A run that was killed leaves parts in its destination; only what lies below a dot expires."""
        topology = describe(parse(synthesised.case.data))
        wanted = {
            (written.folder.bucket, f"{written.folder.prefix}.millrace/runs/")
            for written in topology.destinations
            if written.folder.bucket in topology.created_buckets
        }

        expiring = set()
        for bucket in synthesised.storage.properties("S3::Bucket"):
            for rule in bucket["LifecycleConfiguration"]["Rules"][1:]:
                expiring.add((bucket["BucketName"], rule["Prefix"]))
                assert rule["ExpirationInDays"] == 7
                assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
        assert expiring == wanted

    def test_tells_its_queue_without_a_custom_resource(self, storage: Template) -> None:
        """A created bucket's notifications are its own properties, every event of each folder once."""
        told = [
            (each["Event"], text(each["Queue"]))
            for bucket in storage.properties("S3::Bucket")
            for each in bucket.get("NotificationConfiguration", {}).get("QueueConfigurations", [])
        ]

        assert len(set(told)) == len(told)
        assert {event for event, _ in told} in ({*EVENTS}, set())

    def test_waits_for_the_policy_of_its_queue(self, storage: Template) -> None:
        """S3 refuses a notification to a queue that it may not send to yet."""
        policies = {
            name for name in storage.of("SQS::QueuePolicy") if "BucketsNotify" in json.dumps(storage.resources[name])
        }
        notifying = [
            resource
            for resource in storage.resources.values()
            if "QueueConfigurations" in resource["Properties"].get("NotificationConfiguration", {})
        ]

        for resource in notifying:
            assert policies & set(listed(resource["DependsOn"]))


class TestLedger:
    """What holds for the ledger table."""

    def test_is_on_demand_restorable_and_encrypted(self, storage: Template) -> None:
        """A mistake of yesterday can be undone."""
        table = storage.one("DynamoDB::Table")["Properties"]

        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["SSESpecification"]["SSEEnabled"] is True

    def test_has_one_key_and_narrow_indexes(self, storage: Template) -> None:
        """The key is the whole address of an entry; the indexes carry what lists show."""
        table = storage.one("DynamoDB::Table")["Properties"]

        assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
        assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == list(LEDGER_INDEXES)
        for index in table["GlobalSecondaryIndexes"]:
            assert [key["AttributeName"] for key in index["KeySchema"]] == [
                f"{index['IndexName']}_pk",
                f"{index['IndexName']}_sk",
            ]
            carried = list(LEDGER_INDEXES[index["IndexName"]])
            assert index["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": carried}


class TestStacks:
    """What holds between the stacks."""

    def test_what_would_hurt_to_lose_is_retained(self, synthesised: Synthesised) -> None:
        """Deleting the stack deletes no object, no entry, no key, no dead letter; on the emulator it does."""
        wanted = "Delete" if synthesised.case.options.emulator else "Retain"
        kept = {
            **synthesised.storage.of("S3::Bucket"),
            **synthesised.storage.of("DynamoDB::Table"),
            **synthesised.storage.of("KMS::Key"),
            **{name: queue for name, queue in synthesised.storage.of("SQS::Queue").items() if not _redrives(queue)},
        }

        assert len(kept) >= 2
        assert {resource["DeletionPolicy"] for resource in kept.values()} == {wanted}
        table = synthesised.storage.one("DynamoDB::Table")["Properties"]
        assert table["DeletionProtectionEnabled"] is not synthesised.case.options.emulator

    def test_processing_keeps_nothing(self, processing: Template) -> None:
        """It can be deleted and made again."""
        assert not {resource["Type"] for resource in processing.resources.values()} & {f"AWS::{t}" for t in STATEFUL}

    def test_export_nothing_but_the_key(self, synthesised: Synthesised) -> None:
        """A connection can be taken out: CloudFormation refuses to delete what another stack imports."""
        exported = {key for key, output in synthesised.storage.outputs.items() if "Export" in output}

        customer = synthesised.case.options.kms is Encryption.CUSTOMER
        assert len(exported) == (1 if customer else 0)
        assert all("Key" in key for key in exported)

    def test_say_what_the_command_line_looks_up(self, synthesised: Synthesised) -> None:
        """The outputs are an interface."""
        storage, processing = synthesised.storage.outputs, synthesised.processing.outputs
        urls = json.loads(text(storage["Queues"]["Value"]))

        assert {"LedgerTable", "DeadLetterQueue", "Queues", "Buckets", "BackfillQueue"} <= set(storage)
        assert {
            "ConvertFunction",
            "ReprocessFunction",
            "ReconcileFunction",
            "BackfillFunction",
            "BigRunMachine",
        } <= set(processing)
        assert text(storage["BackfillQueue"]["Value"]) not in urls.values()
        document = parse(synthesised.case.data)
        assert set(urls) == {one.name for one in document.connections if Use.SOURCE in uses(document, one.name)}
        syncs = {sync.name for sync in document.active_syncs()}
        assert set(json.loads(processing["Syncs"]["Value"])) == syncs

    def test_know_each_other_by_names_that_exist(self, synthesised: Synthesised) -> None:
        """The processing stack names the very queues and the table that the storage stack makes."""
        made = {queue["QueueName"] for queue in synthesised.storage.properties("SQS::Queue")}
        received = {
            str(mapping["EventSourceArn"]).rpartition(":")[2].strip("]}'")
            for mapping in synthesised.processing.properties("Lambda::EventSourceMapping")
        }
        names = Names(synthesised.case.options.name)

        assert received - {"uploads"} == made - {names.dead_letters, names.commit_dead_letters}
        assert synthesised.storage.one("DynamoDB::Table")["Properties"]["TableName"] == names.ledger


class TestPolicies:
    """What holds for every policy."""

    def test_no_action_has_a_wildcard(self, synthesised: Synthesised) -> None:
        """What is allowed is spelled out; a denial may be wide, and the account's root must hold its key."""
        for template in synthesised.both:
            for kind, statement in template.statements():
                if statement["Effect"] == "Allow" and not _root_holds_key(kind, statement):
                    assert not [action for action in listed(statement["Action"]) if "*" in action]

    def test_no_resource_is_everything_but_where_aws_knows_no_other(self, synthesised: Synthesised) -> None:
        """A policy of a role names its resources; X-Ray and the listing of event sources have none to name."""
        for template in synthesised.both:
            for kind, statement in template.statements():
                if kind in {"AWS::IAM::Role", "AWS::IAM::Policy"} and "Resource" in statement:
                    nameless = ("xray:", "lambda:ListEventSourceMappings")
                    unnameable = all(action.startswith(nameless) for action in listed(statement["Action"]))
                    assert unnameable or "*" not in listed(statement["Resource"])

    def test_no_role_has_a_managed_policy(self, synthesised: Synthesised) -> None:
        """AWS's managed policies allow more than is needed, and change."""
        for template in synthesised.both:
            for role in template.properties("IAM::Role"):
                assert "ManagedPolicyArns" not in role

    def test_functions_get_no_grant_but_the_written_ones(self, processing: Template) -> None:
        """The CDK adds policies of its own where it is let."""
        assert not processing.of("IAM::Policy")

    def test_each_function_and_machine_has_a_role_of_its_own(self, synthesised: Synthesised) -> None:
        """What one may do, another may not."""
        for template in synthesised.both:
            roles = [text(function["Role"]) for function in template.properties("Lambda::Function")]
            roles += [text(machine["RoleArn"]) for machine in template.properties("StepFunctions::StateMachine")]
            assert len(set(roles)) == len(roles) == len(template.of("IAM::Role"))

    def test_roles_are_for_lambda_alone_and_the_machines_for_step_functions(self, synthesised: Synthesised) -> None:
        """Nobody else takes them, and no machine of another account."""
        for template in synthesised.both:
            machines = [text(one["RoleArn"]) for one in template.properties("StepFunctions::StateMachine")]
            for name, role in template.of("IAM::Role").items():
                (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
                if f"<{name}.Arn>" in machines:
                    assert statement["Principal"] == {"Service": "states.amazonaws.com"}
                    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}
                else:
                    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}

    def test_keys_are_used_by_way_of_services_alone(self, synthesised: Synthesised) -> None:
        """A function cannot decrypt what it got elsewhere; the emulator fills in no condition of KMS's."""
        wanted = not synthesised.case.options.emulator
        for kind, statement in synthesised.processing.statements():
            if kind == "AWS::IAM::Role" and any(action.startswith("kms:") for action in listed(statement["Action"])):
                assert ("kms:ViaService" in statement.get("Condition", {}).get("StringEquals", {})) is wanted

    def test_a_key_lets_s3_and_rules_use_it_for_what_is_named_in_this_account(self, storage: Template) -> None:
        """Nobody's bucket or rule elsewhere uses the key; no other service but CloudWatch's logs may."""
        for kind, statement in storage.statements():
            service = statement.get("Principal", {}).get("Service") if kind == "AWS::KMS::Key" else None
            if service in {"s3.amazonaws.com", "events.amazonaws.com"}:
                assert statement["Condition"]["ArnEquals"]["aws:SourceArn"]
                assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "111122223333"}
            elif service is not None:
                assert text(service).startswith("logs.")
                assert "kms:EncryptionContext:aws:logs:arn" in statement["Condition"]["ArnLike"]

    def test_functions_put_their_own_events_alone(self, synthesised: Synthesised) -> None:
        """Nobody who gets hold of a role can pretend to be another source."""
        wanted = {} if synthesised.case.options.emulator else {"StringEquals": {"events:source": "millrace"}}
        for _, statement in synthesised.processing.statements():
            if "events:PutEvents" in listed(statement["Action"]):
                assert statement.get("Condition", {}) == wanted


def _root_holds_key(kind: str, statement: dict[str, Any]) -> bool:
    return kind == "AWS::KMS::Key" and "root" in text(statement["Principal"].get("AWS", ""))


class TestFunctions:
    """What holds for our functions."""

    def test_run_our_handlers_on_arm64(self, processing: Template) -> None:
        """The layers are built for nothing else."""
        functions = processing.properties("Lambda::Function")

        handlers = {f"{name}.handler.handle" for name in OUR_FUNCTIONS}
        on_demand = {"webhook.handler.handle", "commit.handler.handle"}
        made = {function["Handler"] for function in functions}
        assert handlers - on_demand <= made <= handlers
        assert {(function["Runtime"], *function["Architectures"]) for function in functions} == {
            ("python3.13", "arm64")
        }

    def test_have_names_that_a_person_can_type(self, synthesised: Synthesised) -> None:
        name = synthesised.case.options.name
        functions = synthesised.processing.properties("Lambda::Function")

        ours = {one["FunctionName"] for one in functions if one["Handler"].endswith(".handler.handle")}

        assert ours <= {f"{name}-{role.replace('_', '-')}" for role in OUR_FUNCTIONS}

    def test_write_logs_that_end(self, processing: Template) -> None:
        """Each function has its log group, and logs are kept for a month."""
        groups = processing.of("Logs::LogGroup")

        used = {function["LoggingConfig"]["LogGroup"]["Ref"] for function in processing.properties("Lambda::Function")}
        assert used == set(groups)
        assert {group["Properties"]["RetentionInDays"] for group in groups.values()} == {30}

    def test_receive_without_a_filter_and_report_exactly_what_failed(self, synthesised: Synthesised) -> None:
        """Lambda deletes what a filter does not match, and deletes a batch whole unless told which messages failed."""
        for mapping in synthesised.processing.properties("Lambda::EventSourceMapping"):
            assert "FilterCriteria" not in mapping
            assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
            assert mapping["BatchSize"] == 10
            options = synthesised.case.options
            assert mapping["ScalingConfig"] == {"MaximumConcurrency": _find_concurrency(mapping, options)}

    def test_receive_from_the_backfills_only_when_there_are_some(self, synthesised: Synthesised) -> None:
        """An event source that is on costs money while it is idle; live ones are always on."""
        mappings = synthesised.processing.properties("Lambda::EventSourceMapping")

        assert [mapping["Enabled"] for mapping in mappings if _is_backfill(mapping)] == [False]
        assert {mapping.get("Enabled", True) for mapping in mappings if not _is_backfill(mapping)} == {True}

    def test_hold_no_secret_in_their_environment(self, processing: Template) -> None:
        """The environment is readable by everyone who may describe a function."""
        for function in processing.properties("Lambda::Function"):
            names = set(function["Environment"]["Variables"])
            assert names <= {
                "MILLRACE_BIG_RUN_BYTES",
                "MILLRACE_BIG_RUN_MACHINE",  # its ARN
                "MILLRACE_BIG_RUN_PART_BYTES",
                "MILLRACE_BACKFILL_QUEUE",
                "MILLRACE_COMMIT_DEAD_LETTERS",
                "MILLRACE_COMMIT_QUEUE",
                "MILLRACE_CONVERT_FUNCTION",
                "MILLRACE_DATABASE",
                "MILLRACE_DEAD_LETTERS",
                "MILLRACE_DEPLOYMENT",
                "MILLRACE_HISTORY",
                "MILLRACE_HISTORY_DAYS",
                "MILLRACE_LEDGER_TABLE",
                "MILLRACE_NAME",
                "MILLRACE_MEMORY_MB",
                "MILLRACE_OBFUSCATION_SECRET",  # its name
                "MILLRACE_QUEUES",
                "MILLRACE_TIMEOUT_SECONDS",
                "MILLRACE_WEBHOOK_QUEUES",
                "POWERTOOLS_METRICS_NAMESPACE",
                "POWERTOOLS_SERVICE_NAME",
                "POWERTOOLS_TRACE_DISABLED",
            }


def _find_concurrency(mapping: dict[str, Any], options: Options) -> int:
    """How many conversions run side by side; a webhook has as few senders as Lambda takes."""
    if "-webhook-" in str(mapping["EventSourceArn"]):
        return 2
    if "-commits.fifo" in str(mapping["EventSourceArn"]):
        return COMMITTERS
    return options.backfill_concurrency if _is_backfill(mapping) else options.max_concurrency


def _is_backfill(mapping: dict[str, Any]) -> bool:
    return "-backfill" in str(mapping["EventSourceArn"])


class TestSchedules:
    """When sources are listed."""

    def test_every_active_sync_is_listed_unless_by_hand(self, synthesised: Synthesised) -> None:
        """Each by one rule of its own, that names it; what is not active or `manual` has none."""
        document = parse(synthesised.case.data)
        wanted = {
            sync.name: expression
            for sync in document.active_syncs()
            if (expression := document.schedule_of(sync).expression)
        }
        (reconcile,) = _named(synthesised.processing, "reconcile")

        rules = [rule for rule in _schedules(synthesised) if "-list-" in rule["Name"]]
        told = {}
        for rule in rules:
            (target,) = rule["Targets"]
            assert target["Arn"] == {"Fn::GetAtt": [reconcile, "Arn"]}
            told[json.loads(target["Input"])["sync"]] = rule["ScheduleExpression"]
        assert told == wanted
        assert len(rules) == len(wanted)

    def test_call_the_function_and_nobody_else_does(self, synthesised: Synthesised) -> None:
        """One permission a function for the rules of this deployment in this account, and one for the history's."""
        permissions = synthesised.processing.properties("Lambda::Permission")
        names = Names(synthesised.case.options.name)
        (reconcile,) = _named(synthesised.processing, "reconcile")
        sources = [text(one["SourceArn"]) for one in permissions if reconcile in str(one["FunctionName"])]
        (rules,) = (source for source in sources if "ExportHistory" not in source)

        assert {one["Principal"] for one in permissions} == {"events.amazonaws.com"}
        assert {one["SourceAccount"] for one in permissions} == {"111122223333"}
        assert rules.endswith(f":rule/{names.rules}*")
        assert len(sources) == 1 + ("History" in synthesised.processing.outputs)
        for rule in _schedules(synthesised):
            assert rule["Name"].startswith((names.rules, names.backfill_rule, names.history_rule, names.expiry_rule))
            assert len(rule["Name"]) <= 64

    def test_backfills_are_looked_after_by_a_rule_that_calls_one_function(self, synthesised: Synthesised) -> None:
        """So that a lost invocation, or a worker that died, needs no person."""
        (backfill,) = _named(synthesised.processing, "backfill")
        (rule,) = (rule for rule in _schedules(synthesised) if "-tend-" in rule["Name"])
        permissions = synthesised.processing.properties("Lambda::Permission")
        (permission,) = (one for one in permissions if backfill in str(one["FunctionName"]))

        (target,) = rule["Targets"]
        assert target["Arn"] == {"Fn::GetAtt": [backfill, "Arn"]}
        assert json.loads(target["Input"]) == {"action": "tend"}
        assert "Fn::GetAtt" in permission["SourceArn"]

    def test_the_guard_against_loops_stays_on(self, processing: Template) -> None:
        """Lambda ends a chain of calls to itself after 16; the function ends its own before that."""
        assert CALLS < 16
        assert not [one for one in processing.properties("Lambda::Function") if "RecursiveLoop" in one]

    def test_only_the_function_that_goes_on_may_call_and_only_itself(self, processing: Template) -> None:
        """By a name that is known before it is made: a role that named its function would be a circle.

        The machine of big runs may call the function of big runs, too, and no function may.
        """
        wanted = []
        for handler in ("reconcile", "backfill", "big_run"):
            (function,) = _named(processing, handler)
            wanted.append(processing.resources[function]["Properties"]["FunctionName"])
        callers = [
            statement["Resource"]
            for _, statement in processing.statements()
            if "lambda:InvokeFunction" in listed(statement["Action"])
        ]

        assert sorted(text(resource).rpartition(":")[2] for resource in callers) == sorted(wanted)


def _schedules(synthesised: Synthesised) -> list[dict[str, Any]]:
    """The rules that come by the clock."""
    return [rule for rule in synthesised.processing.properties("Events::Rule") if "ScheduleExpression" in rule]


def _named(processing: Template, name: str) -> list[str]:
    """The logical ids of the functions with that handler."""
    functions = processing.of("Lambda::Function").items()
    return [one for one, resource in functions if resource["Properties"]["Handler"] == f"{name}.handler.handle"]


class TestAlarms:
    """What somebody is told of."""

    def test_watch_the_errors_of_every_function(self, processing: Template) -> None:
        """A listing that breaks is told like a conversion that breaks."""
        watched = {
            text(alarm["Dimensions"][0]["Value"]).strip("<>")
            for alarm in processing.properties("CloudWatch::Alarm")
            if alarm["MetricName"] == "Errors"
        }

        assert watched == set(processing.of("Lambda::Function"))

    def test_watch_dead_letters_failures_and_the_age_of_every_queue(self, synthesised: Synthesised) -> None:
        """Nothing waits unseen."""
        alarms = synthesised.processing.properties("CloudWatch::Alarm")
        watched = {(alarm["MetricName"], text(alarm["Dimensions"][0]["Value"])) for alarm in alarms}
        names = Names(synthesised.case.options.name)
        queues = {queue["QueueName"] for queue in synthesised.storage.properties("SQS::Queue")}
        queues -= {names.dead_letters, names.commit_dead_letters}

        assert ("ApproximateNumberOfMessagesVisible", names.dead_letters) in watched
        assert ("Failed", f"{synthesised.case.options.name}-convert") in watched
        assert {("ApproximateAgeOfOldestMessage", queue) for queue in queues} <= watched

    def test_watch_the_dead_letters_of_the_users_own_queues(self, synthesised: Synthesised) -> None:
        """SQS moves them there by itself, so the deployment's own queue does not show them."""
        watched = {
            text(alarm["Dimensions"][0]["Value"])
            for alarm in synthesised.processing.properties("CloudWatch::Alarm")
            if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
        }

        assert {arn.split(":")[5] for arn in synthesised.case.options.own_dead_letter_arns} <= watched

    def test_are_quiet_while_nothing_happens_and_tell_the_topic(self, synthesised: Synthesised) -> None:
        """No data is no alarm; the topic is told if there is one."""
        topic = synthesised.case.options.alarm_topic_arn

        for alarm in synthesised.processing.properties("CloudWatch::Alarm"):
            # An open circuit is told of once, and stays open until somebody resumes.
            stays = alarm.get("MetricName") == "CircuitOpen"
            assert alarm["TreatMissingData"] == ("ignore" if stays else "notBreaching")
            assert alarm["AlarmDescription"]
            assert alarm.get("AlarmActions", []) == ([topic] if topic else [])


class TestHistoryRule:
    """Finished work is exported where nobody's files lie."""

    def test_is_exported_by_the_clock_to_the_only_destination(self, of_case: Callable[[str], Synthesised]) -> None:
        processing = of_case("obfuscated fields").processing
        (rule,) = [rule for rule in processing.properties("Events::Rule") if rule["Name"].endswith("-export-history")]
        (target,) = rule["Targets"]

        assert json.loads(target["Input"]) == {"history": "due"}
        assert processing.outputs["History"]["Value"] == "s3://acme-out/lake/.millrace/history/"

    def test_is_nowhere_if_several_destinations_could_hold_it(self, of_case: Callable[[str], Synthesised]) -> None:
        """One tenant's bucket is no place for the keys of another."""
        document = parse(
            configuration(
                [source("landing", "acme-in"), connection("lake", "acme-out"), connection("vault", "acme-vault")],
                [sync("orders", "landing", "lake"), sync("kept", "landing", "vault")],
            )
        )

        assert find_home(describe(document), Options()) is None
        assert find_home(describe(document), Options(history=Folder("ops", "h"))) == Folder("ops", "h")
        assert find_home(describe(parse(OBFUSCATED)), Options(history=Unwanted.NONE)) is None

    def test_in_a_source_it_is_refused(self) -> None:
        topology = describe(parse(OBFUSCATED))
        (problem,) = refuse_home(topology, Options(history=Folder("acme-in", "landing/history")))

        assert "would be converted" in problem
        assert not list(refuse_home(topology, Options(history=Folder("acme-in", "landing/.millrace"))))


class TestCatalogues:
    """Where query engines find tables."""

    def test_the_stacks_own_database_is_kept_when_the_stack_goes(self, of_case: Callable[[str], Synthesised]) -> None:
        """Its deletion would delete all of its tables; one that is named is not the stack's."""
        storage = of_case("catalogued tables").storage
        database = storage.one("Glue::Database")

        assert database["Properties"]["DatabaseInput"]["Name"] == "acme_orders"
        assert database["DeletionPolicy"] == "Retain"

    def test_the_functions_reach_the_databases_of_bulk_and_model_syncs_alone(
        self, of_case: Callable[[str], Synthesised]
    ) -> None:
        reached = []
        for _, statement in of_case("catalogued tables").processing.statements():
            if statement.get("Sid") == "KeepCatalog":
                reached.append({text(arn).rpartition(":")[2] for arn in statement["Resource"]})

        tables = {"table/crm/*", "table/sales/*", "table/acme_orders/*"}
        databases = {"database/crm", "database/sales", "database/acme_orders"}
        assert reached == [{"catalog", *databases, *tables}] * 2, "convert, and big runs"

    def test_there_is_none_if_nobody_asks(self, of_case: Callable[[str], Synthesised]) -> None:
        case = of_case("created buckets")

        assert not case.storage.of("Glue::Database")
        assert "NotCatalogued" not in {alarm["MetricName"] for alarm in case.processing.properties("CloudWatch::Alarm")}

    def test_an_alarm_rings_for_a_table_that_is_not_found(self, of_case: Callable[[str], Synthesised]) -> None:
        alarms = of_case("catalogued tables").processing.properties("CloudWatch::Alarm")
        watched = {text(alarm["Dimensions"][0]["Value"]) for alarm in alarms if alarm["MetricName"] == "NotCatalogued"}

        assert watched == {"acme-orders-convert", "acme-orders-big-run"}

    def test_the_history_is_a_table_beside_them(self, of_case: Callable[[str], Synthesised]) -> None:
        """Each of its columns is one that is written, and each day is found without being registered."""
        table = of_case("catalogued tables").processing.one("Glue::Table")["Properties"]
        described = table["TableInput"]

        assert (table["DatabaseName"], described["Name"]) == ("acme_orders", "acme_orders_history")
        columns = {column["Name"] for column in described["StorageDescriptor"]["Columns"]}
        assert columns == {field.name for field in fields(FinishedWork)}
        assert described["Parameters"]["projection.day.type"] == "date"
        assert described["StorageDescriptor"]["Location"] == "s3://acme-out/lake/.millrace/history/"
