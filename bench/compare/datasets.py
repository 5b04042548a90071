"""The benchmark's data: drawn from fixed seeds block by block, so that the truth can be drawn again at any time.

A block is an Arrow table of the types in which its values are exact. Every block has a seed of its own: what a file
says at any row needs no file to be known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Chance = np.random.Generator
Draw = Callable[[Chance, int, int], pa.Table]

_SECONDS_2026 = 1_767_225_600
_DAY_1992 = 8036
_WORDS = (  # noqa: SIM905 # prose reads better than a list of it
    "the of and to in is it that was for on with as this but very good bad great little price product quality works "
    "time after first would never always battery screen colour café naïve señor 東京 back again box shipping "
    "arrived broke love hate fits small large cheap sturdy returned bought gift daughter kitchen garden"
).split()
_PIECES = 4096


@dataclass(frozen=True, slots=True)
class Dataset:
    """One kind of data. ``row_bytes`` is about what a row takes in its text format; ``rows`` are drawn a block."""

    name: str
    title: str
    seed: int
    row_bytes: int
    rows: int
    draw: Draw

    def blocks(self, size: int) -> Iterator[pa.Table]:
        """Blocks of about ``size`` bytes of text in all, the same in every run."""
        left = max(1, size // self.row_bytes)
        number = 0
        while left > 0:
            rows = min(left, self.rows)
            yield self.draw(np.random.default_rng((self.seed, number)), number * self.rows, rows)
            number, left = number + 1, left - rows


def _integers(chance: Chance, low: int, high: int, rows: int) -> pa.Array:
    return pa.array(chance.integers(low, high, rows))


def _sparse(chance: Chance, values: pa.Array, share: float) -> pa.Array:
    """The values, a share of them missing."""
    return pc.if_else(pa.array(chance.random(len(values)) < share), pa.scalar(None, values.type), values)


def _hundredths(cents: np.ndarray) -> pa.Array:
    """Doubles of at most two digits after the point."""
    return pa.array(cents / 100)


def _decimals(cents: np.ndarray) -> pa.Array:
    """Numbers that always show two digits after the point."""
    words = np.zeros((len(cents), 2), dtype=np.int64)
    words[:, 0] = cents
    return pa.Array.from_buffers(pa.decimal128(12, 2), len(cents), [None, pa.py_buffer(words)])


def _days(days: np.ndarray) -> pa.Array:
    return pa.array(days.astype(np.int32)).cast(pa.date32())


def _seconds(seconds: np.ndarray) -> pa.Array:
    return pa.array(seconds.astype(np.int64)).cast(pa.timestamp("s")).cast(pa.timestamp("ms"))


def _picked(chance: Chance, texts: pa.Array | list[str], rows: int) -> pa.Array:
    pool = pa.array(texts) if isinstance(texts, list) else texts
    return pool.take(pa.array(chance.integers(0, len(pool), rows)))


def _pool(seed: int, low: int, high: int, ends: tuple[str, ...]) -> pa.Array:
    """Pieces of text of so many words each."""
    chance = np.random.default_rng(seed)
    return pa.array(
        [
            " ".join(_WORDS[at] for at in chance.integers(0, len(_WORDS), chance.integers(low, high)))
            + ends[chance.integers(0, len(ends))]
            for _ in range(_PIECES)
        ]
    )


_PHRASES = _pool(71, 2, 7, ("", ".", "!"))
_SENTENCES = _pool(72, 6, 22, (".", ". ", '. "Really."', ",", ".\n", "!\n\n", '; he said "no", twice.'))


def _joined(*parts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _padded(numbers: np.ndarray, width: int) -> pa.Array:
    return pc.ascii_lpad(pa.array(numbers).cast(pa.string()), width, "0")


def _hex(chance: Chance, rows: int, digits: int) -> pa.Array:
    letters = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[chance.integers(0, 16, rows * digits)]
    offsets = np.arange(0, rows * digits + 1, digits, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(letters)])


def _instants(chance: Chance, start: int, rows: int) -> pa.Array:
    """Texts such as 2026-03-01T10:00:00.123Z, as events carry them."""
    millis = (_SECONDS_2026 + np.arange(start, start + rows)) * 1000 + chance.integers(0, 1000, rows)
    printed = pa.array(millis).cast(pa.timestamp("ms")).cast(pa.string())
    return _joined(pc.replace_substring(printed, " ", "T"), "Z")


def _taxi(chance: Chance, start: int, rows: int) -> pa.Table:
    begin = _SECONDS_2026 + (start + np.arange(rows)) // 3
    fare = chance.integers(300, 9900, rows)
    extra = chance.choice([0, 50, 100, 250], rows)
    tip = np.where(chance.random(rows) < 0.4, 0, chance.integers(0, 2500, rows))
    tolls = np.where(chance.random(rows) < 0.9, 0, 655)
    fee = np.where(chance.random(rows) < 0.7, 250, 0)
    return pa.table(
        {
            "VendorID": _integers(chance, 1, 3, rows),
            "tpep_pickup_datetime": _seconds(begin),
            "tpep_dropoff_datetime": _seconds(begin + chance.integers(60, 5400, rows)),
            "passenger_count": _sparse(chance, _integers(chance, 1, 7, rows), 0.02),
            "trip_distance": _hundredths(chance.integers(10, 4000, rows)),
            "RatecodeID": _sparse(chance, _integers(chance, 1, 7, rows), 0.02),
            "store_and_fwd_flag": _picked(chance, ["N"] * 60 + ["Y"], rows),
            "PULocationID": _integers(chance, 1, 266, rows),
            "DOLocationID": _integers(chance, 1, 266, rows),
            "payment_type": _integers(chance, 1, 5, rows),
            "fare_amount": _hundredths(fare),
            "extra": _hundredths(extra),
            "mta_tax": _hundredths(np.full(rows, 50)),
            "tip_amount": _hundredths(tip),
            "tolls_amount": _hundredths(tolls),
            "improvement_surcharge": _hundredths(np.full(rows, 30)),
            "total_amount": _hundredths(fare + extra + 50 + tip + tolls + 30 + fee),
            "congestion_surcharge": _hundredths(fee),
        }
    )


def _line_items(chance: Chance, start: int, rows: int) -> pa.Table:
    shipped = _DAY_1992 + chance.integers(0, 2500, rows)
    quantity = chance.integers(1, 51, rows)
    return pa.table(
        {
            "l_orderkey": pa.array((start + np.arange(rows)) // 4 * 8 + 1),
            "l_partkey": _integers(chance, 1, 2_000_000, rows),
            "l_suppkey": _integers(chance, 1, 100_000, rows),
            "l_linenumber": pa.array((start + np.arange(rows)) % 4 + 1),
            "l_quantity": pa.array(quantity),
            "l_extendedprice": _decimals(quantity * chance.integers(90_000, 210_000, rows)),
            "l_discount": _decimals(chance.integers(0, 11, rows)),
            "l_tax": _decimals(chance.integers(0, 9, rows)),
            "l_returnflag": _picked(chance, ["A", "N", "R"], rows),
            "l_linestatus": _picked(chance, ["F", "O"], rows),
            "l_shipdate": _days(shipped),
            "l_commitdate": _days(shipped + chance.integers(-30, 60, rows)),
            "l_receiptdate": _days(shipped + chance.integers(1, 31, rows)),
            "l_shipinstruct": _picked(chance, ["DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"], rows),
            "l_shipmode": _picked(chance, ["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"], rows),
            "l_comment": _picked(chance, _PHRASES, rows),
        }
    )


def _reviews(chance: Chance, start: int, rows: int) -> pa.Table:
    sentences = [_picked(chance, _SENTENCES, rows) for _ in range(5)]
    return pa.table(
        {
            "review_id": _joined("R", _hex(chance, rows, 12)),
            "product_id": _joined("B0", _padded(chance.integers(0, 10**8, rows), 8)),
            "reviewer": _padded(start + np.arange(rows), 12),
            "stars": _integers(chance, 1, 6, rows),
            "helpful": _integers(chance, 0, 200, rows),
            "verified": pa.array(chance.random(rows) < 0.8),
            "day": _days(20_000 + chance.integers(0, 400, rows)),
            "headline": _sparse(chance, _picked(chance, _PHRASES, rows), 0.05),
            "body": _joined(*sentences),
        }
    )


def _wide(chance: Chance, _start: int, rows: int) -> pa.Table:
    makers: tuple[Callable[[], pa.Array], ...] = (
        lambda: _integers(chance, 0, 100_000, rows),
        lambda: pa.array(chance.integers(0, 10**7, rows) / 1000),
        lambda: _sparse(chance, _integers(chance, 0, 1000, rows), 0.05),
        lambda: _sparse(chance, _hundredths(chance.integers(0, 10**6, rows)), 0.05),
        lambda: _joined("K", _padded(chance.integers(0, 10**5, rows), 5)),
    )
    return pa.table({f"measure_{number:03d}": makers[number % len(makers)]() for number in range(200)})


def _flat_events(chance: Chance, start: int, rows: int) -> pa.Table:
    return pa.table(
        {
            "id": _joined("evt_", _hex(chance, rows, 20)),
            "at": _instants(chance, start, rows),
            "user_id": _integers(chance, 1, 10**7, rows),
            "type": _picked(chance, ["view", "click", "cart", "purchase", "refund"], rows),
            "path": _joined("/p/", _padded(chance.integers(0, 10**6, rows), 6)),
            "amount": _hundredths(chance.integers(0, 50_000, rows)),
            "duration_ms": _integers(chance, 0, 90_000, rows),
            "ok": pa.array(chance.random(rows) < 0.97),
            "country": _picked(chance, ["DE", "FR", "US", "JP", "BR", "IN", "NO"], rows),
            "note": _sparse(chance, _picked(chance, _PHRASES, rows), 0.3),
        }
    )


def _struct(**fields: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays(list(fields.values()), names=list(fields))


def _lists(chance: Chance, rows: int, most: int, values: Callable[[int], pa.Array]) -> pa.Array:
    lengths = chance.integers(0, most + 1, rows)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values(int(offsets[-1])))


def _nested_events(chance: Chance, start: int, rows: int) -> pa.Table:
    user = _struct(
        id=_integers(chance, 1, 10**7, rows),
        name=_picked(chance, _PHRASES, rows),
        plan=_picked(chance, ["free", "pro", "team"], rows),
        geo=_struct(
            country=_picked(chance, ["DE", "FR", "US", "JP"], rows),
            lat=pa.array(chance.integers(-90_000_000, 90_000_000, rows) / 10**6),
            lon=pa.array(chance.integers(-180_000_000, 180_000_000, rows) / 10**6),
        ),
    )
    items = _lists(
        chance,
        rows,
        4,
        lambda number: _struct(
            sku=_joined("SKU-", _padded(chance.integers(0, 10**6, number), 6)),
            quantity=_integers(chance, 1, 9, number),
            price=_hundredths(chance.integers(100, 90_000, number)),
        ),
    )
    return pa.table(
        {
            "id": _joined("evt_", _hex(chance, rows, 20)),
            "at": _instants(chance, start, rows),
            "type": _picked(chance, ["view", "click", "cart", "purchase"], rows),
            "user": user,
            "items": items,
            "tags": _lists(chance, rows, 3, lambda number: _picked(chance, ["new", "sale", "vip", "b2b"], number)),
            "page": _struct(
                path=_joined("/p/", _padded(chance.integers(0, 10**6, rows), 6)),
                referrer=_sparse(chance, _picked(chance, ["search", "mail", "ad"], rows), 0.5),
            ),
            "ok": pa.array(chance.random(rows) < 0.97),
        }
    )


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset("taxi", "taxi trips", 1, 100, 100_000, _taxi),
        Dataset("items", "line items", 2, 123, 100_000, _line_items),
        Dataset("reviews", "reviews (quotes, newlines)", 3, 490, 20_000, _reviews),
        Dataset("wide", "200 columns", 4, 1_315, 10_000, _wide),
        Dataset("flat", "flat events", 5, 205, 50_000, _flat_events),
        Dataset("nested", "nested events", 6, 387, 30_000, _nested_events),
    )
}
