"""`millrace explain --config`: what a sync would make of one object, without AWS."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from millrace.cli.local import sources_and_targets
from tests.configurations import bulk_sync, connection
from tests.unit.engine.formats.workbooks import grid, xlsx

ORDERS = b"Order ID|amount\n1|2.50\n"


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Objects of S3 by their addresses."""
    there: dict[str, bytes] = {}
    monkeypatch.setattr(sources_and_targets, "open_source", lambda path: io.BytesIO(there[path]))
    return there


def configuration(folder: Path, *syncs: dict[str, Any], source: dict[str, Any] | None = None, **lists: Any) -> str:
    path = folder / "millrace.json"
    raw = {
        "connections": [
            connection("landing", "s3://acme-in/in", **source or {}),
            connection("lake", "s3://acme-out/lake"),
        ],
        "bulk_syncs": list(syncs),
        **lists,
    }
    path.write_text(json.dumps(raw))
    return str(path)


def zipped(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("_dot_", "."), data)
    return file.getvalue()


def explained(run: Any, config: str, sync: str, *arguments: str) -> dict[str, Any]:
    ran = run("explain", "--config", config, "--sync", sync, "--json", *arguments)
    assert ran.code == 0, ran.err
    document: dict[str, Any] = json.loads(ran.out)
    return document


def test_an_object_of_a_table(run: Any, tmp_path: Path, objects: dict[str, bytes]) -> None:
    uri = "s3://acme-in/in/orders.csv"
    objects[uri] = ORDERS
    sync = bulk_sync("nightly", schemas=[{"id": "orders", "csv_delimiter": "|"}], bad_rows="quarantine")
    config = configuration(tmp_path, sync)

    document = explained(run, config, "nightly", uri)

    assert document["sync"] == {
        "table": "orders",
        "format": "csv",
        "output": "s3://acme-out/lake/orders.parquet",
        "bad rows": "s3://acme-out/lake/_quarantine/orders.jsonl",
        "delimiter": "|",
        "bad rows are": "quarantine",
        "fields": "order_id, amount",
    }
    assert [column["name"] for column in document["columns"]] == ["Order ID", "amount"]
    ran = run("explain", "-c", config, "--sync", "nightly", uri)
    assert ran.code == 0
    assert "s3://acme-out/lake/orders.parquet" in ran.out
    assert "Order ID" in ran.out


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3://acme-in/in/_SUCCESS", "is hidden"),
        ("s3://acme-in/in/orders.pdf", "has none of the extensions"),
        ("s3://acme-in/in/", "folder marker"),
        ("s3://acme-in/in/other.csv", "is not among the schemas"),
        ("s3://acme-in/elsewhere/orders.csv", "reads no object there"),
        ("s3://other/in/orders.csv", "reads no object there"),
    ],
)
def test_why_an_object_is_ignored(run: Any, tmp_path: Path, objects: dict[str, bytes], uri: str, reason: str) -> None:
    """Without a look at the object, which need not be there."""
    config = configuration(tmp_path, bulk_sync("nightly", schemas=["orders"]))

    assert reason in explained(run, config, "nightly", uri)["sync"]["ignored"]
    assert "ignored" in run("explain", "--config", config, "--sync", "nightly", uri).out


def test_an_object_of_another_format_fails(run: Any, tmp_path: Path, objects: dict[str, bytes]) -> None:
    uri = "s3://acme-in/in/a.json"
    objects[uri] = b"{}"
    source = {"is_single_table": True}

    document = explained(run, configuration(tmp_path, bulk_sync("nightly"), source=source), "nightly", uri)

    assert "ForeignFormat" in document["sync"]["fails"]


def test_the_members_of_an_archive(run: Any, tmp_path: Path, objects: dict[str, bytes]) -> None:
    uri = "s3://acme-in/in/export.zip"
    objects[uri] = zipped(orders_dot_csv=b"a\n1\n", readme_dot_md=b"x", stock_dot_json=b'{"b":1}')
    config = configuration(tmp_path, bulk_sync("nightly"))

    document = explained(run, config, "nightly", uri)
    of_one = explained(run, config, "nightly", uri, "--member", "orders.csv")

    assert "export/orders.parquet" in document["sync"]["member orders.csv"]
    assert "ignored: its extension" in document["sync"]["member readme.md"]
    assert "columns" not in document
    assert of_one["sync"]["fields"] == "a"
    assert [column["name"] for column in of_one["columns"]] == ["a"]


def test_the_sheets_of_a_workbook(run: Any, tmp_path: Path, objects: dict[str, bytes]) -> None:
    uri = "s3://acme-in/in/book.xlsx"
    objects[uri] = xlsx({"Orders": grid(("a",), (1,)), "People": grid(("b",), (1,)), "Empty": {}})
    config = configuration(tmp_path, bulk_sync("nightly"), source={"excel_sheet": "all"})

    document = explained(run, config, "nightly", uri)
    of_one = explained(run, config, "nightly", uri, "--member", "People")

    assert "book/Orders.parquet" in document["sync"]["sheet Orders"]
    assert document["sync"]["sheet Empty"] == "ignored: it has no cells"
    assert "columns" not in document
    assert of_one["sync"]["fields"] == "b"
    ran = run("explain", "--config", config, "--sync", "nightly", uri, "--member", "Order")
    assert "the workbook has no sheet 'Order' that can be read; it has 'Orders', 'People'" in ran.err


def test_the_sheets_of_a_workbook_in_an_archive(run: Any, tmp_path: Path, objects: dict[str, bytes]) -> None:
    uri = "s3://acme-in/in/export.zip"
    book = xlsx({"Orders": grid(("a",), (1,)), "People": grid(("b",), (1,)), "Empty": {}})
    objects[uri] = zipped(book_dot_xlsx=book, c_dot_csv=b"c\n1\n")
    config = configuration(tmp_path, bulk_sync("nightly"), source={"excel_sheet": "all"})

    document = explained(run, config, "nightly", uri)
    of_one = explained(run, config, "nightly", uri, "--member", "book.xlsx/People")

    assert "export/book/Orders.parquet" in document["sync"]["member book.xlsx/Orders"]
    assert "export/c.parquet" in document["sync"]["member c.csv"]
    assert document["sync"]["member book.xlsx/Empty"] == "ignored: it has no cells"
    assert of_one["sync"]["fields"] == "b"


def test_an_archive_that_is_a_file_of_a_table(run: Any, tmp_path: Path, objects: dict[str, bytes]) -> None:
    uri = "s3://acme-in/in/export.zip"
    objects[uri] = zipped(part_0=b"a\n1\n")
    source = {"is_single_table": True, "single_table_name": "orders"}

    document = explained(run, configuration(tmp_path, bulk_sync("nightly"), source=source), "nightly", uri)

    assert document["sync"]["output"] == "s3://acme-out/lake/orders/export.parquet"
    assert document["sync"]["fields"] == "a"


def test_a_file_of_a_models_folder(run: Any, tmp_path: Path, objects: dict[str, bytes]) -> None:
    uri = "s3://acme-in/in/a.csv"
    objects[uri] = b"a,b\n1,2\n"
    config = configuration(
        tmp_path,
        models=[{"name": "orders", "connection": "landing", "fields": ["b"]}],
        model_syncs=[{"name": "push", "model": "orders", "target": {"connection": "lake"}}],
    )

    document = explained(run, config, "push", uri)

    assert document["sync"]["output"] == "s3://acme-out/lake/orders.csv"
    assert document["sync"]["fields"] == "b"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config", "{}", "s3://acme-in/in/a.csv"], "--config and --sync belong together"),
        (["--sync", "nightly", "s3://acme-in/in/a.csv"], "--config and --sync belong together"),
        (["--config", "{}", "--sync", "weekly", "s3://acme-in/in/a.csv"], "no active sync 'weekly'"),
        (["--config", "{}", "--sync", "nightly", "a.csv"], "s3://bucket/key"),
        (["--config", "{}", "--sync", "nightly", "--delimiter", ";", "s3://acme-in/in/a.csv"], "leave options"),
        (["--config", "{}", "--sync", "nightly", "--from", "csv", "s3://acme-in/in/a.csv"], "leave options"),
    ],
)
def test_wrong_use(run: Any, tmp_path: Path, arguments: list[str], says: str) -> None:
    config = configuration(tmp_path, bulk_sync("nightly"))

    ran = run("explain", *(argument.format(config) for argument in arguments))

    assert ran.code == 2
    assert says in ran.err
