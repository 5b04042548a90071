"""What tables of Iceberg have in the stacks: a committer with a queue in order, and nothing where nobody has any."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from infra import grants
from infra.dashboard import COMMIT_METRICS
from infra.layers import ICEBERG, layers, size
from infra.options import Options
from infra.package import package
from infra.topology import describe
from millrace.config.document import parse
from tests.infra.cases import ACCOUNT, CASES, REGION, TABLE_BUCKET, TABLE_BUCKETS
from tests.infra.cases import ICEBERG as ICEBERG_CASE
from tests.infra.templates import Synthesised, Template, text
from tests.infra.test_grants import LEDGER, arns

CASE = "iceberg tables"
GLUE = f"arn:aws:glue:{REGION}:{ACCOUNT}"
DEAD = f"arn:aws:sqs:{REGION}:{ACCOUNT}:acme-orders-commit-dead-letters.fifo"
COMMIT_QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:acme-orders-commits.fifo"


def test_stacks_without_such_tables_have_nothing_of_it(synthesised: Synthesised) -> None:
    has_tables = describe(parse(synthesised.case.data)).iceberg is not None
    functions = synthesised.processing.properties("Lambda::Function")
    variables = {name for function in functions for name in function["Environment"]["Variables"]}
    queues = synthesised.storage.properties("SQS::Queue")

    assert ("CommitQueue" in synthesised.storage.outputs) is has_tables
    assert ("CommitFunction" in synthesised.processing.outputs) is has_tables
    assert any("FifoQueue" in queue for queue in queues) is has_tables
    assert ("MILLRACE_COMMIT_QUEUE" in variables) is has_tables
    assert ("commit.handler.handle" in {function["Handler"] for function in functions}) is has_tables


def test_what_the_queue_gives_up_goes_to_one_with_an_order_too(of_case: Callable[[str], Synthesised]) -> None:
    """SQS takes no other. A day of tries; what is dead is kept for 14 days, and when the stack goes."""
    queues = {name: one for name, one in of_case(CASE).storage.of("SQS::Queue").items() if "FifoQueue" in str(one)}
    (dead,) = (name for name, one in queues.items() if "RedrivePolicy" not in one["Properties"])
    (alive,) = (one["Properties"] for name, one in queues.items() if name != dead)

    assert alive["RedrivePolicy"] == {"deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]}, "maxReceiveCount": 100}
    assert queues[dead]["DeletionPolicy"] == "Retain"
    assert [text(arn) for arn in queues[dead]["Properties"]["RedriveAllowPolicy"]["sourceQueueArns"]] == [
        COMMIT_QUEUE.replace("arn:aws:", "arn:<AWS::Partition>:")
    ]


def test_old_snapshots_expire_once_a_day(of_case: Callable[[str], Synthesised]) -> None:
    processing = of_case(CASE).processing
    (rule,) = (one for one in processing.properties("Events::Rule") if one["Name"].endswith("-expire-snapshots"))
    (target,) = rule["Targets"]

    assert json.loads(target["Input"]) == {"expire": "due"}
    assert processing.resources[target["Arn"]["Fn::GetAtt"][0]]["Properties"]["Handler"] == "commit.handler.handle"


def test_alarms_ring_for_a_table_that_is_behind_and_for_what_was_given_up(
    of_case: Callable[[str], Synthesised],
) -> None:
    alarms = of_case(CASE).processing.properties("CloudWatch::Alarm")
    watched = {(one["MetricName"], text(one["Dimensions"][0]["Value"])) for one in alarms}

    assert ("ApproximateAgeOfOldestMessage", "acme-orders-commits.fifo") in watched
    assert ("ApproximateNumberOfMessagesVisible", "acme-orders-commit-dead-letters.fifo") in watched


def test_the_dashboard_shows_commits(of_case: Callable[[str], Synthesised]) -> None:
    shown = text(of_case(CASE).processing.one("CloudWatch::Dashboard")["Properties"]["DashboardBody"])

    assert all(f'"{name}"' in shown for name in COMMIT_METRICS)
    assert "acme-orders-commit-dead-letters.fifo" in shown


class TestGrantsOfTheCommitter:
    """It keeps tables, and writes nobody's outputs."""

    @pytest.fixture
    def made(self) -> dict[str, grants.Grant]:
        given = arns(iceberg_databases=("sales", "acme_orders"), commit_queue=COMMIT_QUEUE, commit_dead_letters=DEAD)
        options = CASES["created buckets"].options
        return {one.sid: one for one in grants.commit(describe(parse(ICEBERG_CASE)), given, options)}

    def test_does_exactly_this(self, made: dict[str, grants.Grant]) -> None:
        assert {one.sid: one.actions for one in made.values()} == {
            "ReceiveMessages": (
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:ChangeMessageVisibility",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
            ),
            "MakeDeadLetters": ("sqs:SendMessage",),
            "ReadLedger": ("dynamodb:GetItem",),
            "KeepTables": (
                "glue:GetDatabase",
                "glue:GetTable",
                "glue:GetTables",
                "glue:CreateTable",
                "glue:UpdateTable",
            ),
            "ReadOutputsAndForgetOldOnes": ("s3:GetObject", "s3:DeleteObject"),
            "KeepMetadata": ("s3:PutObject", "s3:AbortMultipartUpload"),
            "TellGoneFromDenied0": ("s3:ListBucket",),
            "TellGoneFromDenied1": ("s3:ListBucket",),
            "Trace": ("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
        }

    def test_reaches_the_tables_of_its_databases_alone(self, made: dict[str, grants.Grant]) -> None:
        assert made["ReceiveMessages"].resources == (COMMIT_QUEUE,)
        assert made["MakeDeadLetters"].resources == (DEAD,)
        assert made["ReadLedger"].resources == (LEDGER,)
        assert set(made["KeepTables"].resources) == {
            f"{GLUE}:catalog",
            f"{GLUE}:database/sales",
            f"{GLUE}:database/acme_orders",
            f"{GLUE}:table/sales/*",
            f"{GLUE}:table/acme_orders/*",
        }

    def test_writes_below_the_folder_of_metadata_alone(self, made: dict[str, grants.Grant]) -> None:
        """And reaches no destination without such tables."""
        assert made["KeepMetadata"].resources == (
            "arn:aws:s3:::acme-mart/mart/.millrace/iceberg/*",
            "arn:aws:s3:::acme-out/lake/.millrace/iceberg/*",
        )
        assert made["ReadOutputsAndForgetOldOnes"].resources == (
            "arn:aws:s3:::acme-mart/mart/*",
            "arn:aws:s3:::acme-out/lake/*",
        )

    @pytest.mark.parametrize("function", ["convert", "big_run"])
    def test_who_settles_work_asks_for_commits(self, function: str) -> None:
        given = arns(iceberg_databases=("sales",), commit_queue=COMMIT_QUEUE)
        more = {"itself": "arn"} if function == "convert" else {}
        asked = getattr(grants, function)(describe(parse(ICEBERG_CASE)), given, CASES[CASE].options, **more)
        by_sid = {one.sid: one for one in asked}

        assert by_sid["AskForCommits"].resources == (COMMIT_QUEUE,)
        assert by_sid["AskForCommits"].actions == ("sqs:SendMessage",)
        assert "KeepCatalog" not in by_sid


class TestGrantsOfTableBuckets:
    """The committer reaches a namespace, and deletes nothing."""

    def make(self, *, emulator: bool = False, only: bool = False) -> dict[str, grants.Grant]:
        data = {**TABLE_BUCKETS, "bulk_syncs": TABLE_BUCKETS["bulk_syncs"][:1]} if only else TABLE_BUCKETS
        databases = () if only else ("mart",)
        given = arns(iceberg_databases=databases, commit_queue=COMMIT_QUEUE, commit_dead_letters=DEAD)
        made = grants.commit(describe(parse(data)), given, Options(emulator=emulator))
        return {one.sid: one for one in made}

    def test_does_exactly_this(self) -> None:
        made = {sid: (one.actions, one.resources) for sid, one in self.make().items() if "s3tables" in str(one)}

        assert made == {
            "FindTables0": (("s3tables:CreateNamespace", "s3tables:ListTables"), (TABLE_BUCKET,)),
            "MakeTables0": (("s3tables:CreateTable",), (TABLE_BUCKET, f"{TABLE_BUCKET}/table/*")),
            "KeepTables0": (
                (
                    "s3tables:GetTable",
                    "s3tables:GetTableMetadataLocation",
                    "s3tables:UpdateTableMetadataLocation",
                    "s3tables:GetTableData",
                    "s3tables:PutTableData",
                    "s3tables:PutTableMaintenanceConfiguration",
                ),
                (f"{TABLE_BUCKET}/table/*",),
            ),
        }

    def test_tables_are_those_of_its_namespaces_alone(self) -> None:
        """Their ARNs have numbers in place of names."""
        made = self.make()

        for sid in ("MakeTables0", "KeepTables0"):
            assert made[sid].conditions == {"StringEquals": {"s3tables:namespace": ["sales"]}}
            assert made[sid].because

    def test_metadata_are_written_beside_the_files_of_glue_alone(self) -> None:
        assert self.make()["KeepMetadata"].resources == ("arn:aws:s3:::acme-mart/mart/.millrace/iceberg/*",)
        assert self.make()["ReadOutputsAndForgetOldOnes"].resources == (
            "arn:aws:s3:::acme-mart/mart/*",
            "arn:aws:s3:::acme-out/lake/*",
        )

    def test_without_tables_in_glue_it_may_do_nothing_there(self) -> None:
        made = self.make(only=True)

        assert "KeepMetadata" not in made
        assert not any(action.startswith("glue:") for one in made.values() for action in one.actions)

    def test_no_other_function_reaches_them(self) -> None:
        given = arns(commit_queue=COMMIT_QUEUE)
        topology = describe(parse(TABLE_BUCKETS))
        made = (
            *grants.convert(topology, given, Options(), itself="arn"),
            *grants.big_run(topology, given, Options()),
            *grants.reprocess(topology, given, Options()),
        )

        assert not [one for one in made if "s3tables" in str(one)]

    def test_the_emulator_is_asked_otherwise(self) -> None:
        """It knows no resource of S3 Tables, and keeps files in a bucket of the table bucket's name."""
        made = self.make(emulator=True)

        assert made["KeepTables0"].resources == ("*",)
        assert made["KeepTables0"].conditions == {}
        assert made["KeepTableFiles0"].resources == ("arn:aws:s3:::acme-tables/*",)
        assert "KeepTableFiles0" not in self.make()


class TestLayer:
    """The committer's packages are for the committer alone."""

    def test_all_that_it_loads_unzips_to_less_than_lambdas_250_mb(self) -> None:
        unzipped = size([*layers(iceberg=True).values(), package("{}")])

        assert 120_000_000 < unzipped <= 180_000_000, f"{unzipped / 1e6:.0f} MB"

    def test_repeats_no_package_of_another_layer(self) -> None:
        built = layers(iceberg=True)
        names = {path.name for path in (built[ICEBERG] / "python").iterdir()}

        assert "pyiceberg" in names
        assert not any(names & {path.name for path in (other / "python").iterdir()} for other in layers().values())

    def test_no_other_function_has_it(self, of_case: Callable[[str], Synthesised]) -> None:
        with_it = list_handlers_with(of_case(CASE).processing, "LayerIceberg")

        assert with_it == {"commit.handler.handle"}

    def test_the_committer_reads_no_source(self, of_case: Callable[[str], Synthesised]) -> None:
        """The model of the case may read workbooks, so that the others have what reads them."""
        assert "commit.handler.handle" not in list_handlers_with(of_case(CASE).processing, "LayerFormats")
        assert "convert.handler.handle" in list_handlers_with(of_case(CASE).processing, "LayerFormats")


def list_handlers_with(processing: Template, layer: str) -> set[str]:
    """The handlers of the functions that have a layer."""
    functions = processing.properties("Lambda::Function")
    return {one["Handler"] for one in functions if any(layer in text(ref) for ref in one.get("Layers", []))}
