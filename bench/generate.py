"""Seeded sample files of any size for the benchmarks: trips with times, amounts, codes and some text."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

HEADER = "id,zone,picked_up,dropped_off,passengers,distance,fare,tip,currency,paid,note\n"
_NOTES = ("", "quiet ride", "left a bag, came back", 'said ""thanks""', "détour by the river", "airport")
_ROWS_A_BLOCK = 20_000
_START = datetime(2026, 1, 1, tzinfo=UTC)


def lines(seed: int) -> Iterator[str]:
    """Blocks of CSV lines without end, the same for the same seed."""
    chance = random.Random(seed)
    row = 0
    while True:
        block = []
        for _ in range(_ROWS_A_BLOCK):
            row += 1
            begin = _START + timedelta(seconds=row // 3)
            end = begin + timedelta(seconds=chance.randint(60, 5400))
            note = chance.choice(_NOTES)
            quoted = f'"{note}"' if "," in note or '"' in note else note
            tip = f"{chance.random() * 20:.2f}" if chance.random() < 0.5 else ""
            block.append(
                f"{row},{chance.randint(0, 99999):05d},{begin:%Y-%m-%dT%H:%M:%SZ},{end:%Y-%m-%dT%H:%M:%SZ},"
                f"{chance.randint(1, 6)},{chance.randint(1, 40000) / 1000},{chance.randint(300, 9900) / 100:.2f},"
                f"{tip},EUR,{chance.choice(('true', 'false'))},{quoted}\n"
            )
        yield "".join(block)


def write_csv(path: Path, size: int, seed: int = 1) -> None:
    """Write a CSV file of about ``size`` bytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(HEADER)
        written = 0
        for block in lines(seed):
            file.write(block)
            written += len(block)
            if written >= size:
                return


if __name__ == "__main__":
    write_csv(Path(sys.argv[1]), int(float(sys.argv[2]) * 2**20))
