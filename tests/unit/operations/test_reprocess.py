"""What a person may ask to be converted again, and how a mistake is answered."""

from __future__ import annotations

import pytest

from millrace.errors import UsageError
from millrace.objects.references import ObjectRef
from millrace.operations.reprocess import Reprocess, Reprocessor
from tests.world import World

EUROPE, ASIA = (ObjectRef("acme-in", f"in/{region}/a.csv") for region in ("eu", "asia"))


def selected(world: World, prefix: str) -> list[str]:
    reprocessor = Reprocessor(
        planner=world.planner,
        stores={"landing": world.store},
        index=world.ledger,
        queues={"landing": world.queue},
        now=lambda: world.now,
    )
    return [str(example) for example in reprocessor.run(Reprocess(sync="nightly", prefix=prefix))["examples"]]


@pytest.fixture
def world() -> World:
    world = World()
    world.upload(ref=EUROPE)
    world.upload(ref=ASIA)
    return world


@pytest.mark.parametrize("prefix", ["in/eu/", "eu/", "s3://acme-in/in/eu/"])
def test_a_prefix_counts_from_the_root_or_the_folder_or_is_an_address(world: World, prefix: str) -> None:
    assert selected(world, prefix) == [str(EUROPE)]


@pytest.mark.parametrize("prefix", ["s3://acme-in/", "s3://acme-in", "s3://acme-in/in"])
def test_an_address_above_the_folder_names_all_of_it(world: World, prefix: str) -> None:
    assert selected(world, prefix) == [str(ASIA), str(EUROPE)]


@pytest.mark.parametrize("prefix", ["s3://acme-in/other/", "s3://another/in/eu/"])
def test_an_address_elsewhere_is_wrong_use(world: World, prefix: str) -> None:
    with pytest.raises(UsageError, match="is not in the sync's folder"):
        selected(world, prefix)


def test_a_mistake_is_answered_in_words() -> None:
    """No list, tuple or enumeration of Python's is shown."""
    with pytest.raises(UsageError) as caught:
        Reprocess.parse({"sync": "nightly", "state": "converted", "dry_run": "yes", "nonsense": 1})

    text = str(caught.value)
    assert "'failed', 'in flight' or 'waiting'" in text
    assert "dry_run is 'yes'; expected true or false" in text
    assert "<State" not in text
    assert "there is no field 'nonsense'; accepted are 'sync'" in text
