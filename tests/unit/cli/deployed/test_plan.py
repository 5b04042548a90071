"""`millrace plan`: whose an object is, where it goes, and what a run would take."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from millrace import __version__
from millrace.aws.deployed import Deployed
from millrace.cli.deployed.plan import Outlook, Selection, survey_to_json
from millrace.errors import ConfigurationError
from millrace.ledger.entries import State
from millrace.objects.references import ObjectRef
from millrace.operations.forecast import Forecast
from millrace.operations.stale import StaleReason
from millrace.operations.survey import Survey
from millrace.wording import describe_size
from tests.configurations import bulk_sync, document
from tests.fakes import InMemoryLedger
from tests.world import ORDERS, SOURCE, World

SYNCS = (
    bulk_sync(to="json", schemas=[{"id": "orders", "enabled": True, "partition_key": "zip"}]),
    bulk_sync("all", subfolder="all", bad_rows="quarantine"),
    bulk_sync("idle", subfolder="idle", active=False),
)


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "millrace.json"
    path.write_text(json.dumps(document(*SYNCS).model_dump(mode="json", exclude_none=True)))
    return str(path)


class PlanDeployments:
    """A deployment with a ledger and a function; ``is_there`` False: none."""

    def __init__(self, ledger: InMemoryLedger, *, is_there: bool = True) -> None:
        self.ledger, self.is_there = ledger, is_there

    def find(self, name: str) -> tuple[Deployed, Any]:
        if not self.is_there:
            raise ConfigurationError(f"there is no stack of {name}")
        deployed = Deployed(
            ledger_table="l",
            dead_letter_queue="d",
            queues={"landing": "https://sqs/1/landing"},
            convert_function="c",
            reprocess_function="r",
            syncs=("nightly", "all"),
        )
        return deployed, self.ledger

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError(function, event)

    def client(self, service: str) -> Any:
        assert service == "lambda"
        return self

    def get_function_configuration(self, **_request: Any) -> dict[str, Any]:
        return {"MemorySize": 1769, "Architectures": ["arm64"]}

    def get_paginator(self, _name: str) -> Any:
        return self

    def paginate(self, **_request: Any) -> list[dict[str, Any]]:
        mapping = {"EventSourceArn": "arn:aws:sqs:us-east-1:1:landing", "ScalingConfig": {"MaximumConcurrency": 4}}
        return [{"EventSourceMappings": [mapping]}]


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


class TestKeys:
    def test_each_sync_says_table_and_output(self, run: Any, config: str) -> None:
        ran = run("plan", "s3://acme-in/in/orders.csv", "--config", config)

        assert ran.code == 0
        assert ran.out.splitlines() == [
            "s3://acme-in/in/orders.csv",
            "  sync:       nightly",
            "  reads:      csv",
            "  table:      orders",
            "  output:     s3://acme-out/lake/orders/zip=<value>/orders.jsonl",
            "s3://acme-in/in/orders.csv",
            "  sync:       all",
            "  reads:      csv",
            "  table:      orders",
            "  output:     s3://acme-out/lake/all/orders.parquet",
            "  bad rows:   s3://acme-out/lake/all/_quarantine/orders.jsonl",
        ]

    def test_a_key_is_looked_for_in_every_bucket_that_is_read(self, run: Any, config: str) -> None:
        ran = run("plan", "in/orders.csv.gz", "--sync", "all", "--config", config, "--json")

        assert lines(ran.out) == [
            {
                "source": "s3://acme-in/in/orders.csv.gz",
                "sync": "all",
                "reads": "csv, gz",
                "table": "orders",
                "output": "s3://acme-out/lake/all/orders.parquet",
                "quarantine": "s3://acme-out/lake/all/_quarantine/orders.jsonl",
                "is_ignored": False,
            }
        ]

    def test_what_is_ignored_has_its_reason(self, run: Any, config: str) -> None:
        ran = run("plan", "in/items.csv", "in/readme.txt", "--sync", "nightly", "--config", config)

        assert "  ignored:    table 'items' is not among the schemas of sync 'nightly'" in ran.out
        assert "  ignored:    has none of the extensions" in ran.out

    def test_what_nobody_wants_has_a_reason_for_each_sync(self, run: Any, config: str) -> None:
        ran = run("plan", "s3://acme-in/elsewhere/a.csv", "--config", config)

        assert ran.out.splitlines()[1:] == [
            "  nightly: does not read it: its folder is s3://acme-in/in",
            "  all: does not read it: its folder is s3://acme-in/in",
            "  idle: is not active",
        ]

    def test_nothing_is_contacted(self, run: Any, config: str) -> None:
        ran = run("plan", "in/orders.csv", "--config", config, deployments=PlanDeployments(InMemoryLedger()))

        assert ran.code == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "say of what: keys, --sync NAME, or --prefix s3://bucket/prefix"),
        (("--prefix", "in/"), "say of what"),
        (("--prefix", "s3://other/"), "no active sync reads s3://other/"),
        (("a.csv", "--stale"), "keys and '--stale' were given together"),
        (("--sync", "nightly", "--by", "engine"), "--by needs --stale"),
        (("--sync", "nightly", "--state", "converted"), "expected 'failed', 'in flight' or 'waiting'"),
        (("--sync", "idle"), "there is no active sync 'idle'"),
    ],
    ids=str,
)
def test_a_mistake_is_wrong_use(run: Any, config: str, arguments: tuple[str, ...], problem: str) -> None:
    ran = run("plan", *arguments, "--config", config, deployments=PlanDeployments(InMemoryLedger()))

    assert ran.code == 2
    assert problem in ran.err


@pytest.fixture
def world() -> World:
    world = World(syncs=SYNCS)
    for key in (SOURCE.key, "in/items 1.csv", "in/items 2.csv"):
        world.work(world.upload(ORDERS, ObjectRef("acme-in", key)))
    return world


def outlook(world: World, *, is_there: bool = True) -> Outlook:
    planner = world.planner
    deployments = PlanDeployments(world.ledger, is_there=is_there)
    return Outlook(planner, planner.active_sync("nightly"), {"landing": world.store}, deployments, "millrace")


def survey(outlook: Outlook, **selection: Any) -> tuple[Survey, Forecast | str]:
    counted = Survey("nightly")
    for description, size in outlook.select(Selection(**selection), counted):
        counted.add(description, size)
    return counted, outlook.forecast(counted)


class TestSurvey:
    def test_a_listing_is_counted_by_table_and_by_what_is_passed_over(self, world: World) -> None:
        counted, _ = survey(outlook(world))

        assert (counted.objects, counted.size, counted.tables) == (1, len(ORDERS), {"orders": 1})
        assert sum(counted.ignored.values()) == 2
        assert counted.examples == [str(SOURCE)]

    def test_a_prefix_counts_as_reprocess_takes_it(self, world: World) -> None:
        counted, _ = survey(outlook(world), prefix="in/items")

        assert (counted.objects, sum(counted.ignored.values())) == (0, 2)

    def test_a_forecast_is_learned_from_what_is_converted(self, world: World) -> None:
        for entry in list(world.ledger.works()):
            if entry.state is State.CONVERTED:
                slow = replace(entry, started=world.now, finished=world.now + timedelta(minutes=2))
                world.ledger.entries[entry.sync, entry.source] = slow

        _, forecast = survey(outlook(world))

        assert isinstance(forecast, Forecast)
        assert (forecast.machines.concurrency, forecast.machines.is_arm) == (4, True)
        assert forecast.minutes == pytest.approx(2)
        assert forecast.dollars > 0

    def test_without_a_deployment_there_is_no_forecast_and_the_reason_is_said(self, world: World) -> None:
        counted, forecast = survey(outlook(world, is_there=False))

        assert forecast == "there is no stack of millrace"
        assert survey_to_json(counted, Selection(), forecast)["no_forecast"] == forecast

    def test_what_is_stale_is_counted_by_reason(self, world: World) -> None:
        world.syncs = (bulk_sync(to="json", subfolder="elsewhere"),)
        reasons = frozenset({StaleReason.CONFIGURATION})

        counted, forecast = survey(outlook(world), stale=reasons)

        answer = survey_to_json(counted, Selection(stale=reasons), forecast)
        # Two tables were ignored, and are wanted now.
        assert (answer["objects"], answer["stale"], answer["not_stale"]) == (3, {"configuration": 3}, 0)

    def test_a_state_is_read_from_the_ledger(self, world: World) -> None:
        world.work(world.upload(b"a,b\n1\n", SOURCE))

        counted, _ = survey(outlook(world), state=State.FAILED)

        assert (counted.objects, counted.size) == (1, 6)


def test_the_text_fits_a_terminal_and_says_how_to_do_it(run: Any, config: str, world: World) -> None:
    for entry in list(world.ledger.works()):
        assert entry.engine != __version__
    ran = run(
        *("plan", "--sync", "nightly", "--stale", "--by", "engine", "--config", config),
        deployments=PlanDeployments(world.ledger),
    )

    assert ran.code == 0
    assert "nightly: 1 object, 33 bytes, stale" in ran.out
    assert "stale:    1 by engine; not stale: 2" in ran.out
    assert "to do it: millrace reprocess nightly --stale --by engine" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (3_140_000_000, "3.1 GB"),
        (10**16, "10.0 PB"),
    ],
)
def test_sizes_are_in_thousands(size: int, text: str) -> None:
    assert describe_size(size) == text
