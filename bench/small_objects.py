"""What a small object costs a warm function: `PYTHONPATH=functions:. python bench/small_objects.py [--rows 300]`.

In milliseconds of CPU, and objects a second of one processor, from the message to the settled entry: messages of S3 for
objects of about 10 kB are taken in, in batches of ten, by the function's own intake. Buckets and ledger are in memory,
so the calls of AWS are not in it. The total is the least of some rounds; the parts are of another round, under a
profiler, as shares of that total.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import time
from dataclasses import dataclass

from millrace.delivery.batch import take_batch
from millrace.delivery.intake import Grounds, Intake, Received
from millrace.ledger.claims import Delivery
from millrace.ledger.entries import State
from millrace.objects.references import ObjectRef
from tests.configurations import bulk_sync
from tests.world import World

BATCH = 10
PARTS = {
    "read the message": ("messages.py", "parse_message"),
    "plan": ("planner.py", "plan"),
    "claim": ("claims.py", "claim"),
    "convert": ("one_file.py", "convert"),
    "publish": ("publishing.py", "publish_all"),
    "settle": ("claims.py", "settle"),
}
"""Each part of the way, by the file and the function that does it."""


@dataclass(frozen=True, slots=True)
class NoReceipt:
    """Satisfies Receipt; nothing of this bench may come back."""

    def put_off(self, seconds: int, /) -> None:
        """Refuse."""
        raise RuntimeError(f"a message was put off for {seconds} s")

    def delete(self) -> None:
        """Nothing has to be done."""

    def bury(self, body: str, grounds: Grounds, /) -> None:
        """Refuse."""
        raise RuntimeError(f"a message became a dead letter: {grounds.reason}: {body}")


class Function:
    """A warm convert function, and how many objects it has seen."""

    def __init__(self, to: str, rows: int) -> None:
        lines = ["id,name,day,amount", *(f"{row},name {row},2026-01-01,{row}.50" for row in range(rows))]
        self.data = "\n".join([*lines, ""]).encode()
        self._world = World(syncs=(bulk_sync(to=to),))
        self._intake = Intake(worker=self._world.worker, tell=lambda _: None, note=lambda _: None)
        self._seen = 0

    def work(self, objects: int) -> None:
        """Take in the messages of so many new objects."""
        messages = [self._upload() for _ in range(objects)]
        for start in range(0, objects, BATCH):
            take_batch(self._intake, messages[start : start + BATCH], _refuse)
        converted = [entry for entry in self._world.ledger.works() if entry.state is State.CONVERTED]
        assert len(converted) == self._seen, "an object was not converted"  # noqa: S101 - a bench has to be right, too

    def _upload(self) -> Received:
        self._seen += 1
        ref = ObjectRef("acme-in", f"in/{self._seen:06}.csv")
        self._world.store.put(ref, self.data)
        about = {"key": ref.key, "size": len(self.data), "sequencer": f"{self._seen:08X}"}
        s3 = {"bucket": {"name": ref.bucket}, "object": about}
        record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}
        delivery = Delivery(message_id=ref.key, remaining=lambda: 900.0, is_alone=False)
        return Received(body=json.dumps({"Records": [record]}), delivery=delivery, receipt=NoReceipt())


def _refuse(message: Received, error: Exception) -> None:
    raise RuntimeError(f"{message.delivery.message_id} comes back") from error


def measure(function: Function, objects: int, rounds: int) -> float:
    """The least milliseconds of CPU that an object took."""
    function.work(BATCH)
    seconds = []
    for _ in range(rounds):
        begun = time.process_time()
        function.work(objects)
        seconds.append(time.process_time() - begun)
    return 1000 * min(seconds) / objects


def find_shares(function: Function, objects: int) -> dict[str, float]:
    """The share of each part in the whole."""
    profile = cProfile.Profile()
    profile.runcall(function.work, objects)
    stats = pstats.Stats(profile)
    shares = dict.fromkeys(PARTS, 0.0)
    for (path, _, name), (_, _, _, cumulative, _) in stats.stats.items():  # type: ignore[attr-defined] # not in the stubs
        for part, (file, function_name) in PARTS.items():
            if path.endswith(f"/{file}") and name == function_name:
                shares[part] = max(shares[part], cumulative / stats.total_tt)  # type: ignore[attr-defined] # not in the stubs
    return shares


def main() -> None:
    """Measure each target format, and print a table of the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300, help="of each object; 300 are about 10 kB")
    parser.add_argument("--objects", type=int, default=100, help="of each round")
    parser.add_argument("--rounds", type=int, default=5, help="the least of which counts")
    given = parser.parse_args()
    for to in ("json", "csv", "parquet"):
        function = Function(to, given.rows)
        total = measure(function, given.objects, given.rounds)
        print(f"csv of {len(function.data):,} bytes to {to}: {total:.2f} ms, {1000 / total:.0f} objects a second")
        for part, share in find_shares(function, given.objects).items():
            print(f"    {part:18}{share:6.0%}{share * total:8.2f} ms")


if __name__ == "__main__":
    main()
