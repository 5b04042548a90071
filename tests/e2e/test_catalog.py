"""Outputs as a query engine finds them: through Glue's tables, by the emulator's Athena."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from millrace.aws.glue_catalog import GlueCatalog
from millrace.catalog.tables import CatalogName, CatalogPartition, CatalogTable
from millrace.demo.deployed import DeployedDemo
from millrace.errors import LostRace
from millrace.ledger.entries import DONE
from tests.e2e.commands import run
from tests.e2e.places import in_folder, task_of

pytestmark = pytest.mark.e2e

FIRST = b"id,region,price\n1,EU,2.50\n2,US,3.00\n"
WIDER = b"id,region,price,note\n3,EU,4.25,late\n"


def query(deployed: DeployedDemo, statement: str) -> list[tuple[str | None, ...]]:
    """The rows of an answer of Athena, without its heading."""
    athena = deployed.emulator.client("athena")
    begun = athena.start_query_execution(
        QueryString=statement,
        QueryExecutionContext={"Database": "millrace"},
        ResultConfiguration={"OutputLocation": "s3://millrace-e2e-target/athena/"},
    )
    name = begun["QueryExecutionId"]
    status = _await(lambda: athena.get_query_execution(QueryExecutionId=name)["QueryExecution"]["Status"])
    assert status["State"] == "SUCCEEDED", status
    heading, *rows = athena.get_query_results(QueryExecutionId=name)["ResultSet"]["Rows"]
    assert heading
    return [tuple(cell.get("VarCharValue") for cell in row["Data"]) for row in rows]


def _await(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = ask()
        if status["State"] in {"SUCCEEDED", "FAILED", "CANCELLED"}:
            return status
        time.sleep(0.1)
    raise TimeoutError("the query came to no end")


@pytest.fixture(scope="module")
def sold(deployed: DeployedDemo) -> DeployedDemo:
    """A table of two files, the second of which has a field more."""
    for name, content in (("2026-01.csv", FIRST), ("2026-02.csv", WIDER)):
        ref = in_folder(deployed, "sold", name)
        deployed.upload(ref, content)
        tasks = deployed.tasks([ref])
        entries = deployed.wait(tasks, seconds=120)
        assert {entry.state for entry in entries.values()} <= DONE
    return deployed


def test_rows_are_queried_as_they_were_written(sold: DeployedDemo) -> None:
    """The worker that widened the table's schema brought it into the catalogue, with the grants that it has."""
    _wait_for_column(sold, "sold", "note")

    rows = query(sold, "SELECT id, region, price, note FROM sold ORDER BY id")
    assert rows == [
        ("1", "EU", "2.50", None),
        ("2", "US", "3.00", None),
        ("3", "EU", "4.25", "late"),
    ]
    glue = sold.emulator.client("glue")
    columns = glue.get_table(DatabaseName="millrace", Name="sold")["Table"]["StorageDescriptor"]["Columns"]
    assert [(column["Name"], column["Type"]) for column in columns] == [
        ("id", "bigint"),
        ("region", "string"),
        ("price", "decimal(18,2)"),
        ("note", "string"),
    ]


def test_divided_outputs_are_queried_by_their_partition(sold: DeployedDemo) -> None:
    _wait_for_column(sold, "sold_by_region", "note")

    rows = query(sold, "SELECT id, note FROM sold_by_region WHERE region = 'EU' ORDER BY id")
    assert rows == [("1", None), ("3", "late")]


def test_models_are_queried_too(sold: DeployedDemo) -> None:
    """One that is replaced is in a folder of its own, and one that is appended is all of its files."""
    _wait_for_column(sold, "models_sold_late", "note")
    _wait_for_column(sold, "models_all_sold", "note")

    assert query(sold, "SELECT id, region, price, note FROM models_sold_late") == [("3", "EU", "4.25", "late")]
    rows = query(sold, "SELECT id, note FROM models_all_sold ORDER BY id")
    assert rows == [("1", None), ("2", None), ("3", "late")]


def _wait_for_column(deployed: DeployedDemo, table: str, column: str) -> None:
    """The catalogue follows the ledger by a moment: the worker writes it when the object is settled."""
    catalog = GlueCatalog(deployed.emulator.client("glue"))
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        stored = catalog.find(CatalogName("millrace", table))
        if stored is not None and column in {one.name for one in stored.columns}:
            return
        time.sleep(0.2)
    raise TimeoutError(f"table {table} has no column {column}: {stored}")


def test_two_writers_of_one_revision_are_told_apart(sold: DeployedDemo) -> None:
    """Glue's own lock: whoever read an older revision changes nothing."""
    catalog = GlueCatalog(sold.emulator.client("glue"))
    stored = catalog.find(CatalogName("millrace", "sold_by_region"))
    assert stored is not None
    table = CatalogTable(
        name=CatalogName("millrace", "sold_by_region"),
        owner="e2e divided",
        location=stored.location,
        columns=stored.columns,
        version=stored.version,
        partition=CatalogPartition("region", "region"),
    )
    catalog.replace(table, stored)
    with pytest.raises(LostRace):
        catalog.replace(replace(table, columns=()), stored)


def test_doctor_sees_the_tables(sold: DeployedDemo, configuration: Any) -> None:
    done = run(sold, "doctor", "--config", str(configuration), "--json")
    checks = [json.loads(line) for line in done.stdout.splitlines()]
    found = {check["subject"]: check["text"] for check in checks if check["subject"].startswith("catalog of")}

    assert found == {
        "catalog of sync 'e2e catalogued'": "database 'millrace' has 1 table of it",
        "catalog of sync 'e2e divided'": "database 'millrace' has 1 table of it",
        "catalog of sync 'e2e model'": "database 'millrace' has 1 table of it",
        "catalog of sync 'e2e appended'": "database 'millrace' has 1 table of it",
    }


def test_the_history_is_queried_like_any_table(sold: DeployedDemo) -> None:
    ref = in_folder(sold, "sold", "2026-01.csv")
    entry = sold.entry(task_of(sold, "e2e catalogued", ref))
    assert entry is not None
    assert entry.finished is not None
    day = f"{entry.finished:%Y-%m-%d}"
    function = sold.emulator.client("lambda")
    answer = function.invoke(FunctionName="millrace-reconcile", Payload=json.dumps({"history": day}).encode())
    assert json.loads(answer["Payload"].read())["exported"][day]["rows"] >= 1

    statement = "SELECT state, rows_written FROM millrace_history WHERE sync = 'e2e catalogued' ORDER BY rows_written"
    assert query(sold, statement) == [("converted", "1"), ("converted", "2")]
