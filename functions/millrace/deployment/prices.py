"""What AWS asks for, in US dollars: the one table that forecasts, histories and the dashboard compute with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """List prices of us-east-1 in the first tier, without what is free; other regions differ by up to a third.

    Compared in November 2026 with what others quote from AWS's price list; AWS's own pages are the last word.
    """

    # Lambda: 0.20 dollars for a million invocations, however much memory they have.
    x86_gigabyte_second: float = 16.6667e-6
    arm_gigabyte_second: float = 13.3334e-6
    invocation: float = 0.2e-6
    # S3 Standard: 0.005 dollars for 1,000 PUT, COPY, POST and LIST, 0.0004 for 1,000 GET and all others.
    s3_get: float = 0.4e-6
    s3_put: float = 5e-6
    # DynamoDB on demand, since November 2024: a write of up to 1 KB, and a consistent read of up to 4 KB.
    ledger_write: float = 0.625e-6
    ledger_read: float = 0.125e-6
    # SQS, a standard queue: a request of up to 64 KB.
    message: float = 0.4e-6


LIST_PRICES = Prices()
_PUTS = 2
"""Requests of S3's dearer kind for an object: an upload that is begun, and ended."""
_GETS = 3
_LEDGER_WRITES = 12
"""Claim, announcement and settle, each to the table and to three indexes."""
_LEDGER_READS = 2
_MESSAGES = 3
"""Sent, received and deleted."""

REQUESTS_PER_OBJECT = _PUTS + _GETS + _LEDGER_WRITES + _LEDGER_READS + _MESSAGES + 1
"""What one object asks of AWS's services, its invocation included, if all goes well."""


def price_calls(prices: Prices = LIST_PRICES) -> float:
    """What the calls for one object cost, apart from the time that its function takes."""
    storage = _PUTS * prices.s3_put + _GETS * prices.s3_get
    ledger = _LEDGER_WRITES * prices.ledger_write + _LEDGER_READS * prices.ledger_read
    # A batch of one message is the dearest: large objects come alone.
    return storage + ledger + _MESSAGES * prices.message + prices.invocation


def price_compute(gigabyte_seconds: float, prices: Prices = LIST_PRICES, *, is_arm: bool = True) -> float:
    """What a function's memory costs for so long."""
    rate = prices.arm_gigabyte_second if is_arm else prices.x86_gigabyte_second
    return gigabyte_seconds * rate


@dataclass(frozen=True, slots=True, kw_only=True)
class IdlePrices:
    """What is paid by the month, used or not: list prices of us-east-1, without what is free."""

    # CloudWatch: 0.10 dollars for each metric of a standard alarm, ten in an account are free; three dashboards are.
    alarm_metric: float = 0.1
    dashboard: float = 3.0
    # KMS: one key; rotations add a dollar each in the first two years. Secrets Manager: one secret.
    key: float = 1.0
    secret: float = 0.4
    # SQS: a million requests a month are free.
    message: float = LIST_PRICES.message


IDLE_PRICES = IdlePrices()
