"""`millrace dead-letters` and `millrace redrive`: look at what five receipts could not settle, and try it again."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import track

from millrace.cli.deployments import Deployments, Json, Name, get_deployments
from millrace.cli.terminal import Terminal, print_json, print_line
from millrace.errors import MillraceError
from millrace.operations.dead_letters import Examined, LetterClass, examine

if TYPE_CHECKING:
    from millrace.aws.dead_letter_queue import DeadLetterQueue
    from millrace.aws.deployed import Deployed
    from millrace.ledger.stores import LedgerStore

_BY_DEFAULT = tuple(one for one in LetterClass if one is not LetterClass.UNREADABLE)
Classes = Annotated[
    list[LetterClass] | None,
    typer.Option("--class", help="Of this class alone; may be given often: " + ", ".join(LetterClass) + "."),
]


def dead_letters(
    context: typer.Context,
    *,
    letter_class: Classes = None,
    limit: Annotated[int, typer.Option(min=1, help="Look at so many messages at most.")] = 100,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Show the messages of the dead-letter queue, what they name and why they are there; they stay where they are.

    Classes: unreadable (no shape that is known), transient (failed for reasons that pass), configuration (needs a
    grant or another configuration), settled (done meanwhile).
    """
    deployed, ledger, queue = _find_world(get_deployments(context), name)
    with queue:
        letters = _choose_letters(queue, deployed, ledger, letter_class or list(LetterClass))
        for examined in islice(letters, limit):
            _print_letter(examined, as_json=as_json)
        waiting = queue.waiting()
    if not as_json:
        print_line("that is all" if not waiting else f"about {waiting:,} more wait; see them with --limit")


def redrive(
    context: typer.Context,
    *,
    letter_class: Classes = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and move nothing.")] = False,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Put messages of the dead-letter queue back on the queues that they came from, to be tried again.

    Without --class: all but the unreadable ones, which would only come back. Mend what `millrace dead-letters` names
    first. A message is sent before it is deleted: stopped in between, it is there twice, and done once.
    """
    deployed, ledger, queue = _find_world(get_deployments(context), name)
    counts: Counter[LetterClass] = Counter()
    with queue:
        letters = _choose_letters(queue, deployed, ledger, letter_class or list(_BY_DEFAULT))
        for examined in _show_progress(letters, queue.waiting()):
            if not dry_run:
                queue.move(examined.letter, _find_home(examined, deployed))
            counts[examined.letter_class] += 1
    _print_counts(counts, dry_run=dry_run, as_json=as_json)


def _print_counts(counts: Counter[LetterClass], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        moved = {str(letter_class): count for letter_class, count in sorted(counts.items())}
        print_json({"dry_run": dry_run, "moved": moved})
        return
    done = "would move" if dry_run else "moved"
    classes = ", ".join(f"{count:,} {letter_class}" for letter_class, count in sorted(counts.items()))
    print_line(f"{done} {classes or 'nothing'}")


def _choose_letters(
    queue: DeadLetterQueue, deployed: Deployed, ledger: LedgerStore, classes: Iterable[LetterClass]
) -> Iterator[Examined]:
    wanted = frozenset(classes)
    for letter in queue.letters():
        examined = examine(letter, syncs=deployed.syncs, ledger=ledger)
        if examined.letter_class in wanted:
            yield examined


def _show_progress(letters: Iterator[Examined], about: int) -> Iterable[Examined]:
    """With a progress bar where a person waits."""
    if not sys.stderr.isatty():
        return letters
    return track(letters, total=about, description="redriving", console=Terminal(stderr=True), transient=True)


def _find_home(examined: Examined, deployed: Deployed) -> str:
    """The URL of the queue that a message came from; with one managed queue alone, that one."""
    urls = {url.rpartition("/")[2]: url for url in deployed.queues.values()}
    letter = examined.letter
    if letter.queue in urls:
        return urls[letter.queue]
    if len(urls) == 1:
        return next(iter(urls.values()))
    raise MillraceError(
        f"message {letter.id} came from queue {letter.queue!r}, and the deployment has {sorted(urls)}: "
        f"reprocess what it names instead: {', '.join(examined.objects) or 'nothing that can be read'}"
    )


def _print_letter(examined: Examined, *, as_json: bool) -> None:
    letter = examined.letter
    fields: dict[str, Any] = {
        "id": letter.id,
        "class": str(examined.letter_class),
        "objects": list(examined.objects),
        "reason": examined.reason,
        "sent": letter.sent.isoformat() if letter.sent else None,
        "receives": letter.receives,
        "queue": letter.queue,
    }
    if as_json:
        print_json(fields | {"body": letter.body})
        return
    print_line(f"{fields['class']}: {', '.join(examined.objects) or letter.body[:200]!r} (sent {fields['sent']})")
    if examined.reason:
        print_line(f"  {examined.reason}")


def _find_world(deployments: Deployments, name: str) -> tuple[Deployed, LedgerStore, DeadLetterQueue]:
    from millrace.aws.dead_letter_queue import DeadLetterQueue  # noqa: PLC0415 - boto3 takes a third of a second

    deployed, ledger = deployments.find(name)
    return deployed, ledger, DeadLetterQueue(deployments.client("sqs"), deployed.dead_letter_queue)
