"""When a conversion is given up, and whether it may begin again with more time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from millrace.delivery.deadline import STOP_SECONDS, time_limit
from millrace.errors import OutOfTime, TooBig
from millrace.ledger.claims import Delivery


def delivery(*seconds: float) -> Delivery:
    """An invocation whose clock says these, one after the other."""
    clock: Iterator[float] = iter(seconds)
    return Delivery(message_id="m", remaining=lambda: next(clock))


@pytest.mark.parametrize(
    ("timeout", "left", "goes_on"),
    [(900, STOP_SECONDS + 0.1, True), (900, STOP_SECONDS, False), (40, 10.1, True), (40, 10, False)],
)
def test_a_conversion_goes_on_until_15_seconds_or_a_quarter_of_the_time_are_left(
    timeout: float, left: float, *, goes_on: bool
) -> None:
    check = time_limit("s3://b/k", delivery(300.0, left), timeout)

    if goes_on:
        check(7)
        return
    with pytest.raises((OutOfTime, TooBig), match="read up to row 1,234 when the time"):
        check(1234)


@pytest.mark.parametrize(("had", "error"), [(720.0, TooBig), (719.9, OutOfTime), (900.0, TooBig), (60.0, OutOfTime)])
def test_what_had_four_fifths_of_all_time_is_too_big(had: float, error: type[Exception]) -> None:
    with pytest.raises(error):
        time_limit("s3://b/k", delivery(had, 1.0), 900)(1)
