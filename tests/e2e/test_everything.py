"""Every kind of sync at once: 200 objects in random order, with duplicates, end in exactly the expected outputs."""

from __future__ import annotations

import io
import json
import random
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace import __version__
from millrace.aws.deployed import Deployed as Found
from millrace.composition.base import utc_now
from millrace.config.document import Document
from millrace.delivery.worker import Worker
from millrace.demo.deployed import DeployedDemo
from millrace.demo.emulator import Mode
from millrace.engine.options import Compression
from millrace.ledger.claims import Delivery
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.planning.planner import Planner
from millrace.planning.targets import is_record
from tests.configurations import connection
from tests.e2e.bootstrapping import bootstrap_quickly
from tests.e2e.conftest import CONTEXT
from tests.e2e.emulators import running_quickly
from tests.e2e.quick_deployments import deploy_quickly
from tests.fakes import InMemoryLedger, InMemoryObjectStore, InMemoryQueue, StoredObject

pytestmark = pytest.mark.e2e

IN, OUT = "millrace-everything-in", "millrace-everything-out"
SEED = 20261122
REGIONS = ("EU", "US", "APAC")
SHARED = ("tenants",)
"""Syncs whose outputs depend on the other files of their tables: of text that becomes typed."""


def source(name: str, folder: str, **fields: Any) -> dict[str, Any]:
    """A connection whose objects are told of, unless the fields say otherwise."""
    told = {"enable_event_notifications": True, "event_queue_arn": "managed", "create_bucket": True}
    return connection(name, f"s3://{IN}/{folder}", **(told | fields))


def bulk(name: str, reads: str, to: str, **fields: Any) -> dict[str, Any]:
    """A bulk sync into a subfolder of its own name."""
    return {
        "name": name,
        "source_connection": reads,
        "destination_connection": "lake",
        "destination_configuration": {"format": to, "subfolder": name},
        **fields,
    }


def model_sync(name: str, model: str, to: str, **fields: Any) -> dict[str, Any]:
    """A model sync into ``models/<name>``."""
    target = {"connection": "lake", "object": f"models/{name}", "configuration": {"format": to}}
    return {"name": name, "model": model, "target": target, **fields}


def configuration() -> dict[str, Any]:
    """One configuration with every kind of sync."""
    single = {"is_single_table": True}
    sales = {
        "id": "sales",
        "partition_key": "region",
        "filters": [{"field": "amount", "function": "GreaterThan", "value": 0}],
        "fields": ["id", {"id": "region"}, {"id": "amount", "user_output_name": "total"}],
    }
    return {
        "connections": [
            source("tables", "tables"),
            source("single", "single", **single, single_table_name="reports", skip_lines=1),
            source("newest", "newest", **single, single_table_name="prices", single_table_file_format="json"),
            source(
                "directories",
                "directories",
                **single,
                is_directory_snapshot=True,
                directory_glob_pattern="tenant=*/*",
                single_table_file_formats=["csv", "json"],
            ),
            source("parts", "parts", **single, single_table_name="sales"),
            source("models", "models"),
            connection("quiet", f"s3://{IN}/quiet", create_bucket=True),
            connection("lake", f"s3://{OUT}", create_bucket=True),
        ],
        "models": [
            {"name": "one", "connection": "models", "configuration": {"key": "models/one.csv"}},
            {"name": "set", "connection": "models", "configuration": {"subfolder": "set"}},
            {"name": "pack", "connection": "models", "configuration": {"key": "models/pack.zip"}},
        ],
        "model_syncs": [
            model_sync("customers", "one", "json", override_fields=[{"target": "origin", "override_value": "crm"}]),
            model_sync("everyone", "set", "parquet"),
            model_sync("packed", "pack", "csv", mode="append"),
            model_sync("history", "one", "json-doc", mode="snapshot"),
        ],
        "bulk_syncs": [
            bulk("columns", "tables", "parquet"),
            bulk("documents", "tables", "json-doc", normalize_names="disabled"),
            bulk("report", "single", "csv"),
            bulk("price", "newest", "json", mode="snapshot"),
            bulk("tenants", "directories", "json"),
            bulk("sale", "parts", "csv", schemas=[sales]),
            bulk("listed", "quiet", "json"),
        ],
    }


def rows(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """Rows that text, JSON and Parquet hold alike."""
    return [
        {
            "id": chance.randrange(10**6),
            "Zip Code": f"{chance.randrange(10**5):05}",
            "region": chance.choice(REGIONS),
            "amount": chance.randrange(-500, 5000),
            "note": chance.choice(["", 'say "hi"', "a,b", "grüße", "two\nlines"]),
        }
        for _ in range(count)
    ]


def as_csv(data: list[dict[str, Any]]) -> bytes:
    """With quotes around all text."""
    lines = [",".join(data[0])]
    lines += [",".join(json_free(value) for value in row.values()) for row in data]
    return ("\n".join(lines) + "\n").encode()


def json_free(value: Any) -> str:
    """A CSV field."""
    return str(value) if isinstance(value, int) else '"' + value.replace('"', '""') + '"'


def as_lines(data: list[dict[str, Any]]) -> bytes:
    """Newline-delimited JSON."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in data).encode()


def as_parquet(data: list[dict[str, Any]]) -> bytes:
    """One row group."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(data), buffer)
    return buffer.getvalue()


def compressed(data: bytes, how: Compression) -> bytes:
    """As a whole file."""
    codec = {Compression.GZIP: "gzip", Compression.ZSTD: "zstd", Compression.BZIP2: "bz2"}[how]
    sink = io.BytesIO()
    with pa.CompressedOutputStream(sink, codec) as out:
        out.write(data)
        out.flush()
        return _closed(out, sink)


def _closed(out: Any, sink: io.BytesIO) -> bytes:
    keep = sink.close
    sink.close = lambda: None  # type: ignore[method-assign] # Arrow closes what it writes to
    out.close()
    data = sink.getvalue()
    keep()
    return data


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip with the same bytes every time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def objects() -> dict[str, bytes]:
    """200 objects of all formats, by key."""
    chance = random.Random(SEED)
    data = {f"tables/csv/{n} q+ü.csv": as_csv(rows(chance, 20)) for n in range(25)}
    data |= {f"tables/lines/{n}.jsonl": as_lines(rows(chance, 20)) for n in range(20)}
    data |= {f"tables/array/{n}.json": json.dumps(rows(chance, 9)).encode() for n in range(15)}
    data |= {f"tables/columns/{n}.parquet": as_parquet(rows(chance, 30)) for n in range(15)}
    data |= {f"tables/zip/g{n}.csv.gz": compressed(as_csv(rows(chance, 20)), Compression.GZIP) for n in range(5)}
    data |= {f"tables/zip/z{n}.jsonl.zst": compressed(as_lines(rows(chance, 20)), Compression.ZSTD) for n in range(5)}
    data |= {f"tables/zip/b{n}.csv.bz2": compressed(as_csv(rows(chance, 20)), Compression.BZIP2) for n in range(5)}
    data |= {f"single/2026/{n:02}.csv": b"printed by a till\n" + as_csv(rows(chance, 10)) for n in range(20)}
    data |= {f"newest/{n:02}.jsonl": as_lines(rows(chance, 5)) for n in range(20)}
    data |= {f"directories/tenant={n % 3}/orders/{n}.csv": as_csv(rows(chance, 5)) for n in range(12)}
    data |= {f"directories/tenant={n % 3}/events/{n}.jsonl": as_lines(rows(chance, 5)) for n in range(12)}
    data |= {f"parts/{n}.csv": as_csv(rows(chance, 30)) for n in range(14)}
    data |= {f"quiet/{n}.csv": as_csv(rows(chance, 10)) for n in range(12)}
    data |= {f"models/set/{n}.csv": as_csv(rows(chance, 10)) for n in range(9)}
    data |= {f"models/set/{n}.jsonl": as_lines(rows(chance, 10)) for n in range(9)}
    data["models/one.csv"] = as_csv(rows(chance, 12))
    data["models/pack.zip"] = zipped({"a.csv": as_csv(rows(chance, 4)), "b/c.jsonl": as_lines(rows(chance, 4))})
    return data


@dataclass
class Everything:
    """The deployment, and what was uploaded to it."""

    deployed: DeployedDemo
    files: dict[str, bytes] = field(default_factory=objects)

    def outputs(self) -> dict[str, bytes]:
        """Every output's bytes, by key; what Millrace remembers for itself is no output."""
        pages = self.deployed.s3.get_paginator("list_objects_v2").paginate(Bucket=OUT)
        listed = [ObjectRef(OUT, found["Key"]) for page in pages for found in page.get("Contents", ())]
        return {ref.key: self.deployed.read(ref) for ref in listed if not is_record(ref)}

    def upload(self) -> None:
        """In random order, and every tenth told of twice."""
        chance = random.Random(SEED)
        keys = list(self.files)
        chance.shuffle(keys)
        for key in keys:
            self.deployed.upload(ObjectRef(IN, key), self.files[key])
        for key in chance.sample(keys, len(keys) // 10):
            self._tell(key)

    def _tell(self, key: str) -> None:
        name = key.partition("/")[0]
        head = self.deployed.s3.head_object(Bucket=IN, Key=key)
        found = {"key": quote_plus(key), "eTag": head["ETag"].strip('"'), "size": head["ContentLength"]}
        record = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": IN}, "object": found},
        }
        url = self.deployed.resources.queues[name]
        self.deployed.sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"Records": [record]}))

    def reconcile(self, sync: str) -> None:
        """Have a source listed that nobody tells of."""
        found = Found.find(self.deployed.emulator.client("cloudformation"), "millrace")
        functions = self.deployed.emulator.client("lambda")
        answer = functions.invoke(
            FunctionName=str(found.reconcile_function), Payload=json.dumps({"sync": sync}).encode()
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    def agree(self) -> None:
        """Have the tables of many files rebuilt, as is told in docs/tables.md.

        Their files differ in types: zip codes without a zero in front are numbers. What an output is at first depends
        on what had come before it; when all have come, on all of them.
        """
        for name in SHARED:
            self.deployed.reprocess({"sync": name})
        self.settle()

    def settle(self) -> None:
        """Wait until no queue holds a message, delayed ones included."""
        self.deployed.wait_until_idle(seconds=240)
        time.sleep(1)
        self.deployed.wait_until_idle(seconds=240)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    """Deployed to an emulator that enforces IAM and TLS."""
    path: Path = tmp_path_factory.mktemp("everything") / "millrace.json"
    path.write_text(json.dumps(configuration()))
    with running_quickly(Mode.ENFORCED) as emulator:
        bootstrap_quickly(emulator)
        yield Everything(deploy_quickly(emulator, path, context=CONTEXT))


def expected(everything: Everything) -> dict[str, bytes]:
    """What the same worker gives in one process, object by object in the order of their keys."""
    document: Document = everything.deployed.document
    store = InMemoryObjectStore({IN: {}, OUT: {}})
    for key, data in everything.files.items():
        modified = everything.deployed.s3.head_object(Bucket=IN, Key=key)["LastModified"]
        store.buckets[IN][key] = StoredObject(data, {}, modified)
    queue = InMemoryQueue()
    worker = Worker.build(
        planner=Planner(document),
        ledger=InMemoryLedger(),
        stores={one.name: store for one in document.connections},
        queues={one.name: queue for one in document.connections},
        now=utc_now,
        engine=__version__,
        timeout_seconds=900,
    )
    for key in sorted(everything.files):
        change = ObjectChange(kind=ChangeKind.CREATED, ref=ObjectRef(IN, key))
        list(worker.work(Request(change=change), Delivery(message_id=key, remaining=lambda: 900.0)))
    for number, request in enumerate(queue.sent):
        list(worker.work(request, Delivery(message_id=str(number), remaining=lambda: 900.0)))
    for key in sorted(everything.files):
        for name in SHARED:
            change = ObjectChange(kind=ChangeKind.CREATED, ref=ObjectRef(IN, key))
            request = Request(change=change, sync=name, run_id="again")
            list(worker.work(request, Delivery(message_id=f"again {key}", remaining=lambda: 900.0)))
    return {key: stored.data for key, stored in store.buckets[OUT].items() if not is_record(ObjectRef(OUT, key))}


def test_all_kinds_at_once_end_in_exactly_the_expected_outputs(everything: Everything) -> None:
    """Random order, duplicates, several workers side by side: the outputs are those of one worker in order."""
    assert len(everything.files) == 200

    everything.upload()
    everything.reconcile("listed")
    everything.settle()
    everything.agree()

    outputs, wanted = everything.outputs(), expected(everything)
    assert sorted(outputs) == sorted(wanted)
    assert [key for key in wanted if outputs[key] != wanted[key]] == []


def test_from_an_empty_ledger_the_outputs_come_out_again_to_the_byte(everything: Everything) -> None:
    """Ledger and outputs gone, every sync reprocessed: the same keys, the same bytes."""
    before = everything.outputs()
    table = everything.deployed.emulator.client("dynamodb")
    ledger = everything.deployed.resources.ledger_table
    for page in table.get_paginator("scan").paginate(TableName=ledger, ProjectionExpression="pk"):
        for item in page["Items"]:
            table.delete_item(TableName=ledger, Key=item)
    for key in before:
        everything.deployed.s3.delete_object(Bucket=OUT, Key=key)

    document = everything.deployed.document
    names = [sync.name for sync in document.bulk_syncs] + [sync.name for sync in document.model_syncs]
    for name in names:
        everything.deployed.reprocess({"sync": name})
    everything.settle()
    everything.agree()

    assert everything.outputs() == before
