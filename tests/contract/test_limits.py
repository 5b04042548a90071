"""What S3 and DynamoDB refuse by size: which of the fakes and emulators refuse it, too.

Where an emulator takes what the service refuses, a test that runs on it alone proves nothing of that limit. Each such
gap is a test here, so that it is noticed if a newer emulator closes it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.aws.dynamodb_ledger import DynamoDBLedger
from millrace.demo import emulator
from millrace.errors import KeyTooLong, LostRace, NotAccepted
from millrace.ledger.entries import Entry, Output
from millrace.ledger.stores import LedgerStore
from millrace.objects.references import ObjectRef
from tests.contract.conftest import create_ledger_table
from tests.fakes import InMemoryLedger, InMemoryObjectStore
from tests.limits import LONGEST_KEY, MOST_METADATA

TARGET = ObjectRef("acme-out", "lake/orders.csv")
TOO_MUCH = {"millrace-source": "x" * MOST_METADATA}
TOO_LONG = "ü" * (LONGEST_KEY // 2 + 1)
SMALL = replace(Entry.unseen("nightly", ObjectRef("acme-in", "in/orders.csv"), fingerprint="f", engine="1"), revision=1)
HUGE = replace(SMALL, reason="x" * 450_000)


def outputs(count: int, *, seed: int = 0) -> tuple[Output, ...]:
    """Outputs whose keys are long and, because of random names, hardly to be compressed."""
    names = random.Random(seed)
    return tuple(
        Output(ref=ObjectRef("acme-out", names.randbytes(450).hex()), etag="e" * 32, size=n, rows=n)
        for n in range(count)
    )


MANY_OUTPUTS = replace(SMALL, outputs=outputs(450), obsolete=outputs(1_000, seed=1))


@pytest.fixture(params=["moto", "ministack"])
def client(request: pytest.FixtureRequest) -> Any:
    if request.param == "moto":
        return request.getfixturevalue("s3")
    return request.getfixturevalue("ministack").client("s3")


@pytest.fixture(scope="module")
def ministack() -> Iterator[emulator.Emulator]:
    with emulator.running() as running:
        running.client("s3").create_bucket(Bucket=TARGET.bucket)
        yield running


@pytest.fixture(params=["memory", "moto", "ministack"])
def ledger(request: pytest.FixtureRequest) -> LedgerStore:
    match request.param:
        case "memory":
            return InMemoryLedger()
        case "moto":
            return DynamoDBLedger(request.getfixturevalue("dynamodb"), "ledger")
        case _:
            dynamodb = request.getfixturevalue("ministack").client("dynamodb")
            table = request.node.originalname
            create_ledger_table(dynamodb, table)
            return DynamoDBLedger(dynamodb, table)


def test_the_fake_refuses_metadata_above_two_kilobytes() -> None:
    upload = InMemoryObjectStore({TARGET.bucket: {}}).upload(TARGET, TOO_MUCH)

    with pytest.raises(NotAccepted):
        upload.publish(expected=None, rows=0)


def test_the_fake_refuses_keys_above_1024_bytes() -> None:
    store = InMemoryObjectStore({TARGET.bucket: {}})

    with pytest.raises(KeyTooLong):
        store.upload(ObjectRef(TARGET.bucket, TOO_LONG), {}).publish(expected=None, rows=0)


def test_every_ledger_refuses_an_entry_above_400_kilobytes(ledger: LedgerStore) -> None:
    with pytest.raises(NotAccepted):
        ledger.put(HUGE)


def test_every_ledger_takes_outputs_that_do_not_fit_into_one_item(ledger: LedgerStore) -> None:
    """1.4 MB of keys: they go to items of their own, and are read back with the entry."""
    ledger.put(MANY_OUTPUTS)
    ledger.put(replace(MANY_OUTPUTS, revision=2, outputs=outputs(101, seed=2)))

    entry = ledger.get(SMALL.sync, SMALL.source)

    assert entry == replace(MANY_OUTPUTS, revision=2, outputs=outputs(101, seed=2))


def test_of_two_workers_the_one_that_wins_has_its_outputs_in_the_ledger(ledger: LedgerStore) -> None:
    """Parts are written before the entry is; those of the loser are nobody's."""
    ledger.put(MANY_OUTPUTS)
    winner = replace(MANY_OUTPUTS, revision=2, obsolete=outputs(600, seed=3))
    ledger.put(winner)

    with pytest.raises(LostRace):
        ledger.put(replace(MANY_OUTPUTS, revision=2, obsolete=outputs(600, seed=4)))

    assert ledger.get(SMALL.sync, SMALL.source) == winner


def test_an_entry_that_fits_again_is_one_item_again(ledger: LedgerStore) -> None:
    ledger.put(MANY_OUTPUTS)
    ledger.put(replace(SMALL, revision=2, outputs=outputs(1)))

    assert ledger.get(SMALL.sync, SMALL.source) == replace(SMALL, revision=2, outputs=outputs(1))


def test_a_gap_of_the_emulators_they_take_more_metadata_than_s3(client: Any) -> None:
    client.put_object(Bucket=TARGET.bucket, Key=TARGET.key, Body=b"", Metadata=TOO_MUCH)


def test_a_gap_of_the_emulators_they_take_longer_keys_than_s3(client: Any) -> None:
    client.put_object(Bucket=TARGET.bucket, Key=TOO_LONG, Body=b"")


def test_moto_refuses_parts_below_5_mebibytes(s3: Any) -> None:
    with pytest.raises(ClientError, match="EntityTooSmall"):
        _upload_in_small_parts(s3)


def test_a_gap_of_ministack_it_takes_parts_below_5_mebibytes(ministack: emulator.Emulator) -> None:
    _upload_in_small_parts(ministack.client("s3"))


def _upload_in_small_parts(client: Any) -> None:
    about = {"Bucket": TARGET.bucket, "Key": TARGET.key}
    about["UploadId"] = client.create_multipart_upload(**about)["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": client.upload_part(**about, PartNumber=number, Body=b"small")["ETag"]}
        for number in (1, 2)
    ]
    client.complete_multipart_upload(**about, MultipartUpload={"Parts": parts})
