"""What a reprocess takes, by what earlier conversions took."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from millrace.deployment.prices import Prices
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef, SourceVersion
from millrace.operations.forecast import Forecast, Machines, Speed

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MACHINES = Machines(memory_mb=1769, concurrency=10)


def conversion(size: int, seconds: float) -> Entry:
    return Entry(
        sync="nightly",
        source=ObjectRef("b", "k"),
        state=State.CONVERTED,
        revision=1,
        fence=1,
        fingerprint="f",
        engine="1",
        version=SourceVersion(size=size),
        started=NOON,
        finished=NOON + timedelta(seconds=seconds),
    )


def test_objects_and_bytes_are_told_apart() -> None:
    speed = Speed.learn([conversion(1_000_000, 0.6), conversion(11_000_000, 1.6), conversion(21_000_000, 2.6)])

    assert speed is not None
    assert speed.megabytes_per_second == pytest.approx(10)
    assert speed.object_seconds == pytest.approx(0.5)
    assert speed.take(100, 100_000_000) == pytest.approx(60)


def test_conversions_of_one_size_give_an_average() -> None:
    speed = Speed.learn([conversion(1_000_000, 2.0), conversion(1_000_000, 4.0)])

    assert speed is not None
    assert speed.object_seconds == 0
    assert speed.take(10, 10_000_000) == pytest.approx(30)


def test_no_time_is_negative_however_conversions_lie() -> None:
    """The larger was the quicker: a line through both would give bytes a negative time."""
    speed = Speed.learn([conversion(1_000_000, 4.0), conversion(2_000_000, 2.0)])

    assert speed is not None
    assert speed.take(1, 0) == 0
    assert speed.take(1, 1_500_000) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("seconds", "object_seconds"),
    [((2.0, 2.0), 0), ((1.0, 3.0), 0), ((1.0, 1.5), 0.5)],
    ids=["as long for twice the bytes", "more than twice as long", "half as long again"],
)
def test_a_line_of_which_a_byte_or_an_object_would_take_no_time_is_none(
    seconds: tuple[float, float], object_seconds: float
) -> None:
    speed = Speed.learn([conversion(1_000_000, seconds[0]), conversion(2_000_000, seconds[1])])

    assert speed is not None
    assert speed.object_seconds == pytest.approx(object_seconds)
    assert speed.megabytes_per_second > 0
    assert speed.take(2, 3_000_000) == pytest.approx(sum(seconds))


def test_what_is_not_converted_teaches_nothing() -> None:
    failed = replace(conversion(1, 1.0), state=State.FAILED)

    assert Speed.learn([failed, conversion(0, 1.0), replace(conversion(1, 1.0), finished=None)]) is None
    assert Speed.learn([]) is None


def test_functions_work_side_by_side_and_an_object_is_ones() -> None:
    speed = Speed(sample=1, object_seconds=60.0, byte_seconds=1e-7)

    assert Forecast.make(100, 0, speed, MACHINES).minutes == pytest.approx(10)
    assert Forecast.make(2, 0, speed, MACHINES).minutes == pytest.approx(1)
    assert Forecast.make(1, 0, speed, MACHINES).minutes == pytest.approx(1)
    assert Forecast.make(0, 0, speed, MACHINES).minutes == 0


def test_dollars_are_memory_by_time_and_calls() -> None:
    """A million seconds of 1,769 MB are 28.79 dollars; a million objects' calls are less than 25."""
    compute = Forecast.make(1, 0, Speed(sample=1, object_seconds=1e6, byte_seconds=1e-9), MACHINES)
    calls = Forecast.make(1_000_000, 0, Speed(sample=1, object_seconds=0.0, byte_seconds=1e-9), MACHINES)

    assert compute.dollars == pytest.approx(28.79, abs=0.01)
    assert 15 < calls.dollars < 25


def test_arm_is_a_fifth_cheaper() -> None:
    speed = Speed(sample=1, object_seconds=1e6, byte_seconds=1e-9)

    arm, x86 = (Forecast.make(1, 0, speed, replace(MACHINES, is_arm=is_arm)).dollars for is_arm in (True, False))

    assert arm / x86 == pytest.approx(0.8, abs=0.001)


def test_each_object_may_need_an_invocation_of_its_own() -> None:
    speed = Speed(sample=1, object_seconds=0.0, byte_seconds=1e-9)
    free = Prices(s3_get=0, s3_put=0, ledger_write=0, ledger_read=0, message=0)

    assert Forecast.make(1_000_000, 0, speed, MACHINES, free).dollars == pytest.approx(0.20)
