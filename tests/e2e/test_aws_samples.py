"""Files as services of AWS write them, converted by the deployed function: every row as it was made."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from millrace.demo.deployed import DeployedDemo
from millrace.demo.emulator import Mode
from millrace.objects.references import ObjectRef
from tests.configurations import connection
from tests.e2e.bootstrapping import bootstrap_quickly
from tests.e2e.conftest import CONTEXT
from tests.e2e.emulators import running_quickly
from tests.e2e.quick_deployments import deploy_quickly
from tests.e2e.samples import (
    Rows,
    make_cloudfront_log,
    make_flow_log,
    make_load_balancer_log,
    make_trail,
    make_unload,
)

pytestmark = pytest.mark.e2e

IN, OUT = "millrace-samples-in", "millrace-samples-out"
COUNT = 3_000
LOG = {"single_table_file_format": "log"}
READING: dict[str, dict[str, Any]] = {
    "alb": {**LOG, "log_preset": "alb"},
    "cloudfront": {**LOG, "log_preset": "cloudfront"},
    "flow": {**LOG, "log_preset": "vpc_flow"},
    "trail": {"single_table_file_format": "json", "json_records": "Records"},
    "unload": {
        "csv_has_headers": False,
        "csv_delimiter": "bar",
        "csv_quote": "none",
        "csv_escape": "backslash",
        "csv_null_values": ["\\N"],
    },
}
KEYS = {
    "alb": "AWSLogs/111122223333/elasticloadbalancing/eu-central-1/2026/11/28/lb_20261128T1005Z_192.0.2.1_a1.log.gz",
    "cloudfront": "E2EXAMPLE.2026-11-28-10.d111abcd.gz",
    "flow": "AWSLogs/111122223333/vpcflowlogs/eu-central-1/2026/11/28/fl-1_20261128T1000Z_0c.log.gz",
    "trail": "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/28/trail_20261128T1000Z_0d.json.gz",
    "unload": "orders/0000_part_00",
}
MAKERS = {
    "alb": make_load_balancer_log,
    "cloudfront": make_cloudfront_log,
    "flow": make_flow_log,
    "trail": make_trail,
    "unload": make_unload,
}
SAMPLES = {name: make(seed, COUNT) for seed, (name, make) in enumerate(MAKERS.items())}


def source(name: str) -> dict[str, Any]:
    told = {"enable_event_notifications": True, "event_queue_arn": "managed", "create_bucket": True}
    one_table = {"is_single_table": True, "single_table_name": name}
    return connection(name, f"s3://{IN}/{name}", **told, **one_table, **READING[name])


def sync(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "source_connection": name,
        "destination_connection": "lake",
        "destination_configuration": {"format": "json", "subfolder": name},
        "normalize_names": "disabled",
    }


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Rows]]:
    """The rows of each output, of objects that are uploaded as their services would."""
    path = tmp_path_factory.mktemp("samples") / "millrace.json"
    connections = [*map(source, READING), connection("lake", f"s3://{OUT}", create_bucket=True)]
    path.write_text(json.dumps({"connections": connections, "bulk_syncs": [*map(sync, READING)]}))
    with running_quickly(Mode.OPEN) as emulator:
        bootstrap_quickly(emulator)
        deployed = deploy_quickly(emulator, path, context=CONTEXT)
        for name, (data, _) in SAMPLES.items():
            packed = gzip.compress(data) if KEYS[name].endswith(".gz") else data
            deployed.upload(ObjectRef(IN, f"{name}/{KEYS[name]}"), packed)
        deployed.wait_until_idle(seconds=240)
        yield {name: rows_of(deployed, name) for name in SAMPLES}


def rows_of(deployed: DeployedDemo, name: str) -> Rows:
    """The rows of the only output of a sync; numbers keep their digits."""
    (found,) = deployed.s3.list_objects_v2(Bucket=OUT, Prefix=f"{name}/")["Contents"]
    text = deployed.read(ObjectRef(OUT, found["Key"])).decode()
    return [json.loads(line, parse_float=Decimal) for line in text.splitlines()]


@pytest.mark.parametrize("name", ["alb", "cloudfront", "flow"])
def test_each_field_of_each_line_is_there(outputs: dict[str, Rows], name: str) -> None:
    """As text: numbers have their digits, and what is - in the file is missing."""
    found = [{field: str(value) for field, value in row.items() if value is not None} for row in outputs[name]]

    assert found == [{field: value for field, value in row.items() if value != "-"} for row in SAMPLES[name][1]]


def test_each_event_of_a_trail_is_a_row(outputs: dict[str, Rows]) -> None:
    assert outputs["trail"] == SAMPLES["trail"][1]


def test_an_unload_keeps_missing_apart_from_the_letter(outputs: dict[str, Rows]) -> None:
    found = [{**row, "column_3": str(row["column_3"])} for row in outputs["unload"]]

    assert found == SAMPLES["unload"][1]
