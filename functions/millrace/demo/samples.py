"""Make the sample files of ``examples/data``: small, realistic, the same to the byte from the same seed.

``python -m millrace.demo.samples DIR`` writes them below DIR. A folder of theirs is a folder of the source bucket.
"""

from __future__ import annotations

import datetime
import gzip
import io
import json
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20261122
_START = datetime.datetime(2026, 9, 1, 6, 0, tzinfo=datetime.UTC)
_CITIES = (
    ("01067", "Dresden"),
    ("04109", "Leipzig"),
    ("10115", "Berlin"),
    ("80331", "München"),
    ("8001", "Zürich"),
    ("02108", "Boston, MA"),
    ("00184", "Roma"),
    ("150-0001", "東京"),
)
_FIRST_NAMES = ("Ada", "Bülent", "Chloé", "Dmitri", "Éva", "Fumiko", "Grace", "Håkon", "Ines", "Jürgen")
_LAST_NAMES = ("O'Neill", "Müller", "García", "Nakamura", "van der Berg", "Łuczak", "Smith", "Öztürk")
_NOTES: tuple[str | None, ...] = (
    None,
    None,
    None,
    "",
    "leave at the door",
    "fragile, handle with care",
    'says "ring twice"',
    "first line\nsecond line",
    "ASAP; not before 9:00",
    " needs the invoice ",
)
_COUPONS: tuple[str | None, ...] = (None, None, None, "", "WELCOME10", "007", "1e5", "NULL")
_PRODUCTS = ("Kettle", "Lamp", "Rucksack", "Notebook", "Teapot", "Bicycle bell", "Scarf", "Torch", "Mug", "Clock")
_COLOURS = ("red", "anthracite", "blau", "crème", "緑")

Record = Mapping[str, Any]


def samples(seed: int = SEED) -> dict[str, bytes]:
    """Every file's path below the bucket, and its bytes."""
    september, october = _orders(seed, 300), _orders(seed + 1, 300)
    return {
        "shop/orders/2026-09.csv": _csv(september),
        "shop/orders/2026-10.csv.gz": _gzip(_csv(october)),
        "shop/offers/Zürich 1+1 offer 50%.csv": _csv(_offers(seed)),
        "shop/devices/events.jsonl": _json_lines(_device_events(seed, 200)),
        "shop/products/catalogue.json": _json_array(_catalogue(seed, 120)),
        "shop/stores.parquet": _parquet(_stores(seed, 60)),
        "exports/till 0042/2026-10-31.csv": _till_report(seed),
    }


def write(folder: Path, seed: int = SEED) -> list[Path]:
    """Write every file below ``folder`` and return their paths."""
    written = []
    for path, content in samples(seed).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        written.append(file)
    return written


def _orders(seed: int, rows: int) -> list[Record]:
    """Orders with what spoils naive converters: leading zeros, trailing zeros, ids too long for 64 bits."""
    rng = _random(seed, "orders")
    return [_order(rng, number) for number in range(rows)]


def _order(rng: random.Random, number: int) -> Record:
    postcode, city = rng.choice(_CITIES)
    customer = _person(rng)
    return {
        "order_id": str(90_071_992_547_409_931_000 + number * 7),
        "ordered_at": _moment(rng).isoformat().replace("+00:00", "Z"),
        "customer": customer,
        "email": rng.choice((None, "", f"{customer.split()[0].lower()}@example.org")),
        "postcode": postcode,
        "city": city,
        "items": str(rng.randint(1, 9)),
        "amount": f"{rng.randint(100, 99_900) / 100:.2f}",
        "weight_kg": rng.choice((None, f"{rng.randint(1, 400) / 10:.3f}")),
        "gift": rng.choice(("true", "false")),
        "coupon": rng.choice(_COUPONS),
        "note": rng.choice(_NOTES),
    }


def _offers(seed: int) -> list[Record]:
    rng = _random(seed, "offers")
    return [_offer(rng, number) for number in range(1, 41)]


def _offer(rng: random.Random, number: int) -> Record:
    return {
        "offer": f"{number:04d}",
        "produkt": f"{rng.choice(_PRODUCTS)} für {rng.choice(('Zürich', 'Uster', 'Winterthur'))}",
        "rabatt": f"{rng.randrange(5, 55, 5)}%",
        "preis": f"{rng.randint(5, 80)}.{rng.choice(('00', '50', '90'))}",
        "gültig_bis": _moment(rng).date().isoformat(),
    }


def _device_events(seed: int, rows: int) -> list[Record]:
    """Nested records in which members come and go."""
    rng = _random(seed, "devices")
    return [_device_event(rng, number) for number in range(rows)]


def _device_event(rng: random.Random, number: int) -> Record:
    event: dict[str, Any] = {
        "event_id": f"evt-{number:06d}",
        "at": _moment(rng).isoformat(),
        "device": {
            "id": f"{rng.randint(0, 999):06d}",
            "model": rng.choice(("Thermo 2", "Thermo 2 Pro", "Türsensor")),
            "firmware": {"version": f"1.{rng.randint(0, 9)}.0", "beta": rng.random() < 0.2},
        },
        "readings": [_reading(rng) for _ in range(rng.randint(0, 3))],
        "tags": rng.sample(("indoor", "cellar", "Küche", "b&b"), rng.randint(0, 2)),
        "location": rng.choice((None, {"lat": round(rng.uniform(46, 48), 5), "lon": round(rng.uniform(6, 10), 5)})),
    }
    if rng.random() < 0.3:
        event["note"] = rng.choice(("", "battery low", 'replaced "old" one'))
    return event


def _reading(rng: random.Random) -> Record:
    sensor, unit = rng.choice((("temperature", "°C"), ("humidity", "%"), ("battery", "V")))
    return {"sensor": sensor, "value": round(rng.uniform(-20, 90), 2), "unit": unit}


def _catalogue(seed: int, rows: int) -> list[Record]:
    rng = _random(seed, "catalogue")
    return [_product(rng, number) for number in range(1, rows + 1)]


def _product(rng: random.Random, number: int) -> Record:
    return {
        "sku": f"{number:06d}",
        "name": f"{rng.choice(_PRODUCTS)} {rng.choice(_COLOURS)}",
        "ean": f"{rng.randint(0, 10**13 - 1):013d}",
        "price": {"amount": f"{rng.randint(1, 199)}.{rng.choice(('00', '50', '95'))}", "currency": "EUR"},
        "stock": rng.randint(0, 500),
        "rating": rng.choice((None, round(rng.uniform(1, 5), 1))),
        "discontinued": rng.random() < 0.1,
        "sizes": rng.sample(("S", "M", "L", "XL"), rng.randint(0, 4)),
        "description": rng.choice(("", "best-seller", "“new”, limited\nedition", None)),
    }


def _stores(seed: int, rows: int) -> pa.Table:
    rng = _random(seed, "stores")
    records = [_store(rng, number) for number in range(1, rows + 1)]
    return pa.Table.from_pylist(records, schema=_STORES)


def _store(rng: random.Random, number: int) -> Record:
    return {
        "store": f"{number:04d}",
        "city": rng.choice(_CITIES)[1],
        "opened": _moment(rng).date(),
        "last_stocktaking": rng.choice((None, _moment(rng))),
        "turnover": Decimal(rng.randint(0, 10**9)).scaleb(-2),
        "staff": rng.choice((None, rng.randint(1, 80))),
        "open_on_sunday": rng.random() < 0.5,
        "area_m2": rng.uniform(20, 900),
        "services": rng.sample(("repairs", "café", "pick-up"), rng.randint(0, 3)),
        "address": {"street": f"Hauptstraße {rng.randint(1, 99)}", "postcode": rng.choice(_CITIES)[0]},
    }


_STORES = pa.schema(
    [
        pa.field("store", pa.string(), nullable=False),
        pa.field("city", pa.string()),
        pa.field("opened", pa.date32()),
        pa.field("last_stocktaking", pa.timestamp("us", tz="UTC")),
        pa.field("turnover", pa.decimal128(12, 2)),
        pa.field("staff", pa.int32()),
        pa.field("open_on_sunday", pa.bool_()),
        pa.field("area_m2", pa.float64()),
        pa.field("services", pa.list_(pa.string())),
        pa.field("address", pa.struct([("street", pa.string()), ("postcode", pa.string())])),
    ]
)


def _till_report(seed: int) -> bytes:
    """What a till prints: two lines for people, a header, receipts with semicolons."""
    rng = _random(seed, "till")
    receipts = [_receipt(rng, number) for number in range(1, 181)]
    printed = "Till report of store 0042, printed on 2026-10-31 at 23:59\nFor the back office only; do not pass on\n"
    return printed.encode() + _csv(receipts, delimiter=";")


def _receipt(rng: random.Random, number: int) -> Record:
    return {
        "receipt": f"{number:08d}",
        "time": _moment(rng).strftime("%H:%M:%S"),
        "cashier": f"{rng.randint(1, 12):03d}",
        "article": rng.choice(_PRODUCTS),
        "quantity": str(rng.randint(1, 5)),
        "total": f"{rng.randint(1, 300)}.{rng.choice(('00', '50', '90'))}",
        "card": rng.choice((None, f"**** {rng.randint(0, 9999):04d}")),
    }


def _person(rng: random.Random) -> str:
    return f"{rng.choice(_FIRST_NAMES)} {rng.choice(_LAST_NAMES)}"


def _moment(rng: random.Random) -> datetime.datetime:
    return _START + datetime.timedelta(seconds=rng.randrange(60 * 60 * 24 * 60))


def _random(seed: int, what: str) -> random.Random:
    return random.Random(f"{seed} {what}")  # noqa: S311 -- seeded data needs no cryptography


def _csv(rows: Sequence[Record], delimiter: str = ",") -> bytes:
    """Missing is nothing and empty is ``""``, which the standard library's writer cannot tell apart before 3.12."""
    return "".join(_csv_lines(rows, delimiter)).encode()


def _csv_lines(rows: Sequence[Record], delimiter: str) -> Iterator[str]:
    yield _csv_line(rows[0].keys(), delimiter)
    for row in rows:
        yield _csv_line(row.values(), delimiter)


def _csv_line(values: Iterable[str | None], delimiter: str) -> str:
    cells = [_csv_field(value, delimiter) for value in values]
    return delimiter.join(cells) + "\n"


def _csv_field(value: str | None, delimiter: str) -> str:
    if value is None:
        return ""
    if value and not set(value) & {delimiter, '"', "\n", "\r"}:
        return value
    return '"' + value.replace('"', '""') + '"'


def _gzip(content: bytes) -> bytes:
    """Without a time and a name in its header."""
    sink = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=sink, mtime=0) as packed:
        packed.write(content)
    return sink.getvalue()


def _json_lines(rows: Sequence[Record]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _json_array(rows: Sequence[Record]) -> bytes:
    return (json.dumps(rows, ensure_ascii=False, indent=1) + "\n").encode()


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="none")
    return sink.getvalue()


def main(arguments: Sequence[str]) -> int:
    """Write the files below the one folder that ``arguments`` name."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m millrace.demo.samples DIR\n")
        return 2
    for file in write(Path(arguments[0])):
        sys.stdout.write(f"{file.stat().st_size:>7,} {file}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
