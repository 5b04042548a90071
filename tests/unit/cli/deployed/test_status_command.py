"""`millrace status` over a deployment with something of everything: what is beside the ledger."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.page_plant import PagePlant, plant
from tests.unit.ui.conftest import open_page


@pytest.fixture
def planted() -> PagePlant:
    """A deployment that has a catalogue."""
    return plant()


def test_it_says_nothing_of_a_catalogue_without_trouble(run: Any, planted: PagePlant) -> None:
    assert "catalog" not in run("status", deployments=planted).out


@pytest.mark.parametrize(
    ("sums", "words"),
    [({"millrace-convert": 2.0, "millrace-big-run": 1.0}, "3 times"), ({"millrace-big-run": 1.0}, "once")],
)
def test_it_says_how_often_a_table_could_not_be_catalogued(
    run: Any, planted: PagePlant, sums: dict[str, float], words: str
) -> None:
    planted.cloudwatch.sums = sums

    shown = " ".join(run("status", deployments=planted).out.split())
    as_json = [json.loads(line) for line in run("status", "--json", deployments=planted).out.splitlines()]

    assert f"catalog: {words} in the last day a table could not be brought into it" in shown
    assert {"not_catalogued": int(sum(sums.values()))} in as_json


def test_another_deployment_has_metrics_of_its_own(run: Any, planted: PagePlant) -> None:
    planted.cloudwatch.sums = {"other-convert": 4.0}

    assert "catalog" not in run("status", deployments=planted).out
    assert "catalog: 4 times" in run("status", "--name", "other", deployments=planted).out


def test_the_page_says_it_too(planted: PagePlant) -> None:
    assert "could not be brought into the catalog" not in open_page(planted).get("/").text

    planted.cloudwatch.sums = {"millrace-convert": 2.0}

    assert "2 times in the last day a table could not be brought into the catalog" in open_page(planted).get("/").text
