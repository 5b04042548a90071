"""Fuzz every target for a while: `make fuzz SECONDS=60`. What is found is kept as a file, and told.

Each target runs in a process of its own, held to some memory, so that an abort or a hang is a find like any other.
A find that has been understood goes to ``tests/fuzz/finds``, where the unit tests replay it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import random
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS, FuzzTarget

ADDRESS_SPACE = 3 * 2**30
MOST_SECONDS = 10
"""How long one small input may take."""


class Hang(BaseException):
    """An input takes too long."""


def trouble(target: FuzzTarget, data: bytes) -> str | None:
    """What is wrong with how a target takes the data; None where it returns, or refuses them as it should."""
    try:
        with _in_time():
            target.attempt(data)
    except target.refuses:
        return None
    except (Exception, Hang):  # noqa: BLE001 # that is what is looked for
        return traceback.format_exc(limit=-6)
    return None


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    def stop(_number: int, _frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _fuzz(name: str, seconds: float, seed: int, folder: Path) -> None:
    """Feed one target; every input is on disk before it is tried."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    target, rng, tried, places = TARGETS[name], random.Random(seed), 0, set[str]()  # a seeded experiment
    seeds, current = target.seeds(), folder / f"{name}-current"
    for data in seeds:
        if wrong := trouble(target, data):
            raise AssertionError(wrong)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = mutated(rng, seeds)
        current.write_bytes(data)
        tried += 1
        wrong = trouble(target, data)
        if wrong and (place := _place(wrong)) not in places:
            places.add(place)
            print(f"{name}: {_keep(folder, name, data)}\n{wrong}")  # noqa: T201 # the find
    current.unlink(missing_ok=True)
    print(f"{name}: {tried:,} inputs, {len(places)} finds (seed {seed})")  # noqa: T201 # the result
    sys.exit(1 if places else 0)


def _place(wrong: str) -> str:
    """Where an error was raised: two finds of one place are one."""
    return "".join(line for line in wrong.splitlines() if line.lstrip().startswith("File"))


def _keep(folder: Path, name: str, data: bytes) -> Path:
    path = folder / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


def _all(names: list[str], seconds: float, seed: int, folder: Path) -> int:
    """Each target in its turn; what ends or stops its process is a find, too."""
    folder.mkdir(parents=True, exist_ok=True)
    worst = 0
    for name in names:
        command = [sys.executable, "-m", "tests.fuzz.run", name, f"--seconds={seconds / len(names)}"]
        command += [f"--seed={seed}", f"--folder={folder}", "--alone"]
        try:
            code = subprocess.run(command, check=False, timeout=seconds + 60).returncode  # noqa: S603 # our own module
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        current = folder / f"{name}-current"
        if code not in {0, 1} and current.exists():
            kept = _keep(folder, name, current.read_bytes())
            print(f"{name}: the process ended with {code}: {kept} (seed {seed})")  # noqa: T201 # the find
        worst = max(worst, abs(code))
    return 1 if worst else 0


def main() -> None:
    """Fuzz the targets that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="where finds are kept")
    parser.add_argument("--alone", action="store_true", help="in this very process")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(2**32)
    if given.alone:
        _fuzz(given.targets[0], given.seconds, seed, given.folder)
    sys.exit(_all(given.targets or list(TARGETS), given.seconds, seed, given.folder))


if __name__ == "__main__":
    main()
