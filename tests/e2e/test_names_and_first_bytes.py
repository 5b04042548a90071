"""Told formats, compressions by first bytes, hidden names and archives, deployed: outputs and what the ledger says."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.demo.deployed import DeployedDemo
from millrace.demo.emulator import Mode
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from tests.configurations import connection
from tests.e2e.bootstrapping import bootstrap_quickly
from tests.e2e.cases import CASES
from tests.e2e.conftest import CONTEXT
from tests.e2e.emulators import running_quickly
from tests.e2e.quick_deployments import deploy_quickly
from tests.unit.engine.formats.packing import pack_lz4, pack_snappy, tarred, zipped

pytestmark = pytest.mark.e2e

IN, OUT = "millrace-names-in", "millrace-names-out"
ROW = '{"id":1,"amount":2.50}\n'


def source(name: str, **fields: Any) -> dict[str, Any]:
    told = {"enable_event_notifications": True, "event_queue_arn": "managed", "create_bucket": True}
    return connection(name, f"s3://{IN}/{name}", **told, **fields)


def sync(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "source_connection": name,
        "destination_connection": "lake",
        "destination_configuration": {"format": "json", "subfolder": name},
        **fields,
    }


def table_of(key: str) -> str:
    """The table of an object that is one: its name without extensions."""
    return key.partition(".")[0]


CONFIGURATION: dict[str, Any] = {
    "connections": [
        source("unload", is_single_table=True, single_table_name="orders", csv_delimiter="|"),
        source("stream", is_single_table=True, single_table_name="events", single_table_file_format="json"),
        source("boxes"),
        source("field", csv_encoding="cp1252"),
        connection("lake", f"s3://{OUT}", create_bucket=True),
    ],
    "bulk_syncs": [
        sync("unload"),
        sync("stream"),
        sync("boxes", on_delete="remove", schemas=[{"id": "shop/stock", "csv_delimiter": "semicolon"}])
        | {"automatically_add_new_objects": "all"},
        sync(
            "field",
            normalize_names="disabled",
            schemas=[{"id": table_of(key), **case.options} for key, case in CASES.items()],
        ),
    ],
}
TEXT = b"id|amount\n1|2.50\n"
COMMAS = b"id,amount\n1,2.50\n"


OBJECTS: dict[str, bytes] = {
    "unload/0000_part_00": TEXT,
    "unload/0001_part_00.gz": gzip.compress(TEXT),
    "unload/plain.csv.gz": TEXT,
    "unload/packed.csv": lzma.compress(TEXT),
    "unload/KONTO.A01": pack_lz4(TEXT),
    "unload/drop.dat": pack_snappy(TEXT),
    "unload/part.zip": zipped({"part-0": TEXT, "part-1.txt": TEXT}),
    "unload/_SUCCESS": b"",
    "unload/_temporary/0/part": TEXT,
    "unload/twice.csv.gz": gzip.compress(gzip.compress(TEXT)),
    "stream/2026/11/28/13/stream-1-2026-11-28-13-00-00-0b9c": gzip.compress(b'{"id":1}\n{"id":2}\n'),
    "boxes/shop.zip": zipped({"orders.csv": COMMAS, "stock.txt.csv": b"a\n1\n", "stock.csv": b"id;amount\n1;2.50\n"}),
    "boxes/old.tar.xz": lzma.compress(tarred({"a/orders.csv": COMMAS})),
    "boxes/bad.zip": zipped({"readme.md": b"x"}),
    "boxes/under_csv.csv": zipped({"orders.csv": COMMAS}),
}
OUTPUTS = {
    "unload/orders/0000_part_00.jsonl": ROW,
    "unload/orders/0001_part_00.jsonl": ROW,
    "unload/orders/plain.jsonl": ROW,
    "unload/orders/packed.jsonl": ROW,
    "unload/orders/KONTO.A01.jsonl": ROW,
    "unload/orders/drop.jsonl": ROW,
    "unload/orders/part.jsonl": ROW * 2,
    "stream/events/2026/11/28/13/stream-1-2026-11-28-13-00-00-0b9c.jsonl": '{"id":1}\n{"id":2}\n',
    "boxes/shop/orders.jsonl": ROW,
    "boxes/shop/stock.txt.jsonl": '{"a":1}\n',
    "boxes/shop/stock.jsonl": ROW,
    "boxes/old/a/orders.jsonl": ROW,
}
FAILED = {
    "unload/twice.csv.gz": "packed twice",
    "boxes/bad.zip": "no member that can be read",
    "boxes/under_csv.csv": "a zip archive",
}
IGNORED = ("unload/_SUCCESS", "unload/_temporary/0/part")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedDemo]:
    """Deployed to an emulator that enforces IAM and TLS."""
    path: Path = tmp_path_factory.mktemp("names") / "millrace.json"
    path.write_text(json.dumps(CONFIGURATION))
    with running_quickly(Mode.ENFORCED) as emulator:
        bootstrap_quickly(emulator)
        yield deploy_quickly(emulator, path, context=CONTEXT)


def outputs_of(deployed: DeployedDemo) -> dict[str, str]:
    listed = deployed.s3.list_objects_v2(Bucket=OUT).get("Contents", ())
    return {found["Key"]: deployed.read(ObjectRef(OUT, found["Key"])).decode() for found in listed}


def entry_of(deployed: DeployedDemo, key: str) -> Entry:
    entry = deployed.ledger.get(key.partition("/")[0], ObjectRef(IN, key))
    assert entry is not None, key
    return entry


def test_names_and_first_bytes_as_they_come(names: DeployedDemo) -> None:
    """Each object is read, ignored or refused as the rules say, and the ledger says why."""
    for key, data in OBJECTS.items():
        names.upload(ObjectRef(IN, key), data)
    names.wait_until_idle(seconds=240)

    assert outputs_of(names) == OUTPUTS
    assert [entry_of(names, key).state for key in IGNORED] == [State.IGNORED] * len(IGNORED)
    for key, says in FAILED.items():
        failure = entry_of(names, key).failure
        assert failure is not None, key
        assert says in failure.message


def test_members_that_are_gone_take_their_outputs_with_them(names: DeployedDemo) -> None:
    """Of a newer archive, and of one that is deleted."""
    names.upload(ObjectRef(IN, "boxes/shop.zip"), zipped({"orders.csv": COMMAS}))
    names.s3.delete_object(Bucket=IN, Key="boxes/old.tar.xz")
    names.wait_until_idle(seconds=240)

    assert sorted(key for key in outputs_of(names) if key.startswith("boxes/")) == ["boxes/shop/orders.jsonl"]


def test_each_case_from_the_field_is_read_right_or_refused(names: DeployedDemo) -> None:
    """Dialects, quotes, null markers, marks of the end, records in documents: never silently wrong."""
    for key, case in CASES.items():
        names.upload(ObjectRef(IN, f"field/{key}"), case.make())
    names.wait_until_idle(seconds=240)

    found = {key: text for key, text in outputs_of(names).items() if key.startswith("field/")}
    read = {key: case for key, case in CASES.items() if not case.refusal}
    assert found == {
        f"field/{table_of(key)}.jsonl": "".join(f"{line}\n" for line in case.lines) for key, case in read.items()
    }
    for key in CASES.keys() - read.keys():
        failure = entry_of(names, f"field/{key}").failure
        assert failure is not None, key
        assert CASES[key].refusal in failure.message
