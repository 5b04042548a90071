"""The history of finished work: where it lies, and when the ledger is exported to it."""

from __future__ import annotations

from collections.abc import Iterator

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_glue as glue
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from millrace.config.layout import Folder
from millrace.deployment.history_columns import DAY, HISTORY_COLUMNS, HistoryColumn

from .names import Names
from .options import Options, Unwanted
from .schedules import ScheduledCall, call_on_schedule
from .topology import Topology

_TIMES = "cron(50 23,0 * * ? *)"
"""Ten minutes before midnight UTC, the day as far as it has come; at ten to one, all of the day before."""


_FIRST_DAY = "2026-01-01"
"""No history is older; Athena looks for each day from here to now, and finds those that have a file."""
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"


def find_home(topology: Topology, options: Options) -> Folder | None:
    """The folder of the history: the one that was chosen, else the default; None: there is none."""
    if not topology.sources or options.history is Unwanted.NONE:
        return None
    return options.history or topology.history


def refuse_home(topology: Topology, options: Options) -> Iterator[str]:
    """What is wrong with the folder that was chosen, in a sentence: what is written there must be nobody's source."""
    chosen = options.history
    if not isinstance(chosen, Folder) or ".millrace" in chosen.path.split("/"):
        return
    for source in topology.sources:
        if source.folder.contains(chosen):
            yield (
                f"context history: found {chosen}, which is within {source.folder}, a source of connection "
                f"{source.connection!r}: the history would be converted, and its conversions be history. Choose "
                f"another folder, or {chosen}/.millrace, which no sync reads"
            )


class History(Construct):
    """A rule that has ``exporter`` export what is due. Output: History, the folder."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        exporter: lambda_.IFunction,
        home: Folder,
        options: Options,
    ) -> None:
        super().__init__(scope, construct_id)
        call_on_schedule(
            self,
            "Export",
            name=Names(options.name).history_rule,
            description=f"{options.name}: export finished work to the history",
            schedule=_TIMES,
            call=ScheduledCall(id="reconcile", function=exporter, event={"history": "due"}),
        )
        CfnOutput(Stack.of(self), "History", value=f"s3://{home.bucket}/{home.prefix}")


class HistoryTable(Construct):
    """A table of Glue over the history, so that Athena can query it. Output: HistoryTable."""

    def __init__(self, scope: Construct, construct_id: str, *, home: Folder, database: str, options: Options) -> None:
        super().__init__(scope, construct_id)
        name, location = Names(options.name).history_table, f"s3://{home.bucket}/{home.prefix}"
        glue.CfnTable(
            self,
            "Table",
            catalog_id=Stack.of(self).account,
            database_name=database,
            table_input=glue.CfnTable.TableInputProperty(
                name=name,
                description=f"Finished work of Millrace ({options.name}): a row for each object and UTC day",
                table_type="EXTERNAL_TABLE",
                partition_keys=[glue.CfnTable.ColumnProperty(name=DAY, type="date")],
                parameters=_project_days(location),
                storage_descriptor=_describe_storage(location),
            ),
        )
        CfnOutput(Stack.of(self), "HistoryTable", value=f"{database}.{name}")


def _project_days(location: str) -> dict[str, str]:
    """Every day is a partition whether it has a file or not (Amazon Athena User Guide, "Partition projection")."""
    return {
        "classification": "parquet",
        "EXTERNAL": "TRUE",
        "projection.enabled": "true",
        f"projection.{DAY}.type": "date",
        f"projection.{DAY}.format": "yyyy-MM-dd",
        f"projection.{DAY}.range": f"{_FIRST_DAY},NOW",
        "storage.location.template": f"{location}{DAY}=${{{DAY}}}",
    }


def _describe_storage(location: str) -> glue.CfnTable.StorageDescriptorProperty:
    return glue.CfnTable.StorageDescriptorProperty(
        columns=list(map(_to_glue, HISTORY_COLUMNS)),
        location=location,
        input_format=f"{_PARQUET}.MapredParquetInputFormat",
        output_format=f"{_PARQUET}.MapredParquetOutputFormat",
        serde_info=glue.CfnTable.SerdeInfoProperty(serialization_library=f"{_PARQUET}.serde.ParquetHiveSerDe"),
    )


def _to_glue(column: HistoryColumn) -> glue.CfnTable.ColumnProperty:
    return glue.CfnTable.ColumnProperty(name=column.name, type=column.kind, comment=column.about)
