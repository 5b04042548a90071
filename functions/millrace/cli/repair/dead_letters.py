"""`millrace dead-letters` and `millrace redrive`: look at what was given up, try it again, or throw it away."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from typing import Annotated, Any

import typer
from rich.progress import track

from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.terminal import Terminal, ask, print_json, print_line
from millrace.cli.waiting import can_redraw, end_waiting
from millrace.errors import MillraceError, UsageError
from millrace.mappings import leave_out_empty
from millrace.operations.dead_letters import Examined, LetterClass
from millrace.remote.letter_boxes import MOVED_BY_DEFAULT, LetterBoxes, open_boxes
from millrace.wording import count_of, list_counts

_SHOWN_BODY = 200
Classes = Annotated[
    list[LetterClass] | None,
    typer.Option("--class", help="Of this class alone; may be given often: " + ", ".join(LetterClass) + "."),
]


def dead_letters(
    context: typer.Context,
    *,
    letter_class: Classes = None,
    limit: Annotated[int, typer.Option(min=1, help="Look at so many messages at most.")] = 100,
    discard: Annotated[
        bool, typer.Option("--discard", help="Delete what is shown, after a question: nobody tries it again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --discard: do not ask.")] = False,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Show the messages of the dead-letter queue, what they name and why they are there; they stay where they are.

    Classes: unreadable (no shape that is known), transient (failed for reasons that pass), configuration (needs a
    grant or another configuration), settled (done meanwhile), webhook (an event that its receiver did not take), commit
    (a finished file that its Iceberg table cannot take). The dead-letter queues of queues of your own, and of commits,
    are looked at, too.

    Example: millrace dead-letters --class settled --discard
    """
    if discard and as_json and not yes:
        raise UsageError("--json asks no question: give --yes with --discard")
    with ExitStack() as held:
        boxes = open_boxes(get_deployments(context), name, held, _warn)
        shown = _show_letters(boxes, letter_class or list(LetterClass), limit, as_json=as_json)
        if discard and shown:
            _discard_letters(boxes, shown, is_asked=not yes, as_json=as_json)


def _show_letters(boxes: LetterBoxes, classes: Sequence[LetterClass], limit: int, *, as_json: bool) -> list[Examined]:
    """Print letters, and give those that were printed."""
    shown = []
    for examined in islice(boxes.examine_letters(classes), limit):
        _print_letter(examined, as_json=as_json)
        shown.append(examined)
    if not as_json:
        _print_rest(boxes.count_waiting(), has_shown=bool(shown))
    return shown


def _print_rest(waiting: int, *, has_shown: bool) -> None:
    if waiting:
        print_line(f"about {waiting:,} more wait; see them with --limit")
    else:
        print_line("that is all" if has_shown else "no dead letters")


def _discard_letters(boxes: LetterBoxes, letters: Sequence[Examined], *, is_asked: bool, as_json: bool) -> None:
    """Delete letters, each for itself; raise MillraceError with how many could not be deleted."""
    counts = Counter(examined.letter_class for examined in letters)
    if is_asked:
        ask(f"delete {_describe_counts(counts)} for good? Nobody will try them again")
    problems = []
    for examined in letters:
        try:
            boxes.box_of(examined).discard(examined.letter)
        except MillraceError as error:
            counts[examined.letter_class] -= 1
            problems.append(str(error))
    if as_json:
        print_json({"discarded": _by_class(counts)})
    else:
        print_line(f"discarded {_describe_counts(+counts)}")
    _raise_problems(problems)


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

    Example: millrace redrive --class configuration
    """
    with ExitStack() as held:
        boxes = open_boxes(get_deployments(context), name, held, _warn)
        watch = partial(_show_progress, about=boxes.count_waiting())
        counts, problems = boxes.redrive(letter_class or MOVED_BY_DEFAULT, dry_run=dry_run, watch=watch)
    _print_moved(counts, dry_run=dry_run, as_json=as_json)
    _raise_problems(problems)


def _print_moved(counts: Counter[LetterClass], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({"dry_run": dry_run, "moved": _by_class(counts)})
    else:
        print_line(f"{'would move' if dry_run else 'moved'} {_describe_counts(counts)}")


def _by_class(counts: Counter[LetterClass]) -> dict[LetterClass, int]:
    return dict(sorted(leave_out_empty(counts).items()))


def _describe_counts(counts: Counter[LetterClass]) -> str:
    """``3 messages (1 settled, 2 transient)``."""
    if not counts:
        return "nothing"
    return f"{count_of(counts.total(), 'message')} ({list_counts(sorted(counts.items()))})"


def _raise_problems(problems: Sequence[str]) -> None:
    """One message's trouble is its own: all are tried before the first few are named."""
    if problems:
        raise MillraceError("\n".join([f"{count_of(len(problems), 'message')} stayed where it was:", *problems[:10]]))


def _show_progress(letters: Iterator[Examined], *, about: int) -> Iterable[Examined]:
    """With a progress bar where a person waits."""
    if not can_redraw(sys.stderr):
        return letters
    end_waiting()
    return track(letters, total=about, description="redriving", console=Terminal(stderr=True), transient=True)


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
        "dead_letter_queue": letter.box,
        "given_up": dict(letter.grounds) or None,
    }
    if as_json:
        print_json(fields | {"body": letter.body})
        return
    _print_letter_text(examined)


def _print_letter_text(examined: Examined) -> None:
    """What a letter names, why it was given up, and how that is now."""
    letter = examined.letter
    named = ", ".join(examined.objects) or repr(letter.body[:_SHOWN_BODY])
    sent = f" (sent {letter.sent:%Y-%m-%d %H:%M} UTC)" if letter.sent else ""
    print_line(f"{examined.letter_class}: {named}{sent}")
    if letter.grounds.get("reason"):
        parts = (letter.grounds.get("error"), letter.grounds["reason"])
        print_line(f"  given up: {': '.join(filter(None, parts))}")
    if examined.reason:
        print_line(f"  {'now' if letter.grounds else 'why'}: {examined.reason}")


def _warn(trouble: str) -> None:
    print_line(f"warning: {trouble}", err=True)
