"""The dead-letter queues of a deployment, opened: what lies in them, and where each message belongs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from millrace.catalog.iceberg.messages import CommitRequest
from millrace.errors import MessageError, MillraceError
from millrace.mappings import by_name
from millrace.operations.dead_letters import Examined, Letter, LetterClass, describe_entry, examine
from millrace.operations.queue_facts import name_of_queue
from millrace.wording import join_names

if TYPE_CHECKING:
    from millrace.aws.dead_letter_queue import DeadLetterQueue
    from millrace.aws.deployed import Deployed
    from millrace.ledger.stores import LedgerStore
    from millrace.operations.queue_facts import QueueFacts
    from millrace.remote.deployments import Deployments

MOVED_BY_DEFAULT = frozenset(LetterClass) - {LetterClass.UNREADABLE}
"""What a redrive moves if nobody chooses: an unreadable message would only come back."""

WatchLetters = Callable[[Iterator[Examined]], Iterable[Examined]]
"""Gives letters on, and shows how far it is."""


@dataclass(frozen=True, slots=True)
class CommitBox:
    """The dead-letter queue of the committer of Iceberg tables, by its name, and the URL of the queue before it."""

    name: str
    home: str

    @classmethod
    def of(cls, deployed: Deployed) -> CommitBox | None:
        """A deployment's; None where no sync has such tables."""
        if deployed.commit_queue is None or deployed.commit_dead_letter_queue is None:
            return None
        return cls(name_of_queue(deployed.commit_dead_letter_queue), deployed.commit_queue)


def examine_commit(letter: Letter, ledger: LedgerStore) -> Examined:
    """What a letter of the committer names, and what the ledger says of it now."""
    try:
        request = CommitRequest.parse(letter.body)
    except MessageError as error:
        return Examined(letter=letter, letter_class=LetterClass.UNREADABLE, reason=str(error))
    state = describe_entry(ledger, request.sync, request.source)
    reason = state if letter.grounds else f"{state}; the log of the commit function says why its table lacks it"
    return Examined(letter=letter, letter_class=LetterClass.COMMIT, objects=(str(request.source),), reason=reason)


@dataclass(frozen=True, slots=True)
class LetterBoxes:
    """The dead-letter queues of a deployment and of the user's own queues, and where their messages came from."""

    boxes: Sequence[DeadLetterQueue]
    urls: Mapping[str, str]
    """Each queue's URL by its name."""
    own: Sequence[QueueFacts]
    syncs: Sequence[str]
    ledger: LedgerStore
    never_live: frozenset[str] = frozenset()
    """The URLs of the queues of backfills, of webhooks and of commits."""
    commits: CommitBox | None = None

    def examine_letters(self, classes: Iterable[LetterClass]) -> Iterator[Examined]:
        """The letters of the classes, of one box after the other."""
        wanted = frozenset(classes)
        for box in self.boxes:
            for letter in box.letters():
                examined = self._examine(letter)
                if examined.letter_class in wanted:
                    yield examined

    def _examine(self, letter: Letter) -> Examined:
        if self.commits is not None and letter.box == self.commits.name:
            return examine_commit(letter, self.ledger)
        return examine(letter, syncs=self.syncs, ledger=self.ledger)

    def box_of(self, examined: Examined) -> DeadLetterQueue:
        """The dead-letter queue that a letter lies in."""
        return by_name(self.boxes)[examined.letter.box]

    def count_waiting(self) -> int:
        """About how many letters wait."""
        return sum(box.waiting() for box in self.boxes)

    def redrive(
        self, classes: Iterable[LetterClass], *, dry_run: bool, watch: WatchLetters = iter
    ) -> tuple[Counter[LetterClass], list[str]]:
        """Put letters back on the queues that they came from; how many by class, and what went wrong with others.

        One letter's trouble is its own. ``watch`` sees the letters as they come.
        """
        counts: Counter[LetterClass] = Counter()
        problems: list[str] = []
        for examined in watch(self.examine_letters(classes)):
            try:
                if not dry_run:
                    self.box_of(examined).move(examined.letter, self.find_home(examined))
            except MillraceError as error:
                problems.append(str(error))
            else:
                counts[examined.letter_class] += 1
        return counts, problems

    def _find_feeding(self, box: str) -> list[str]:
        """The URLs of the user's own queues that give up into a box."""
        return [queue.url for queue in self.own if (queue.dead_letters or "").endswith(":" + box)]

    def _list_live(self) -> list[str]:
        """The queues that objects' events come to: what nobody knows the queue of is no backfill's and no webhook's."""
        return [url for url in self.urls.values() if url not in self.never_live]

    def find_home(self, examined: Examined) -> str:
        """The URL of the queue that a message came from; raise MillraceError if nobody can say.

        SQS does not say it of a message that somebody sent; then it is the only queue that gives up into the box.
        """
        letter = examined.letter
        if self.commits is not None and letter.box == self.commits.name:
            return self.commits.home
        home = self.urls.get(letter.queue or "")
        if home is not None:
            return home
        # A message that a person sent to the box by hand bears no queue's name.
        candidates = self._find_feeding(letter.box) or self._list_live()
        if len(candidates) == 1:
            return candidates[0]
        names = join_names(sorted(self.urls))
        named = ", ".join(examined.objects) or "nothing that can be read"
        raise MillraceError(
            f"message {letter.id} came from queue {letter.queue!r}, and the deployment has {names}; reprocess what it "
            f"names instead: {named}"
        )


def open_boxes(deployments: Deployments, name: str, held: ExitStack, on_trouble: Callable[[str], None]) -> LetterBoxes:
    """The deployment's dead-letter queue, and those of the user's own queues; ``held`` lets their messages go."""
    from millrace.aws.dead_letter_queue import DeadLetterQueue  # noqa: PLC0415 - boto3 takes a third of a second

    deployed, ledger = deployments.find(name)
    sqs = deployments.client("sqs")
    own_queues, own_boxes = _find_own_queues(deployments, deployed, on_trouble)
    urls: dict[str, str] = {}
    for url in (*deployed.queues.values(), *deployed.webhook_queues.values()):
        urls[name_of_queue(url)] = url
    if deployed.backfill_queue is not None:
        urls[name_of_queue(deployed.backfill_queue)] = deployed.backfill_queue
    for queue in own_queues:
        urls[queue.name] = queue.url
    boxes = [held.enter_context(DeadLetterQueue(sqs, url)) for url in (*deployed.dead_letter_queues, *own_boxes)]
    return LetterBoxes(
        boxes=boxes,
        urls=urls,
        own=own_queues,
        syncs=deployed.syncs,
        ledger=ledger,
        never_live=_list_never_live(deployed),
        commits=CommitBox.of(deployed),
    )


def _list_never_live(deployed: Deployed) -> frozenset[str]:
    others = (deployed.backfill_queue, deployed.commit_queue, *deployed.webhook_queues.values())
    return frozenset(filter(None, others))


def _find_own_queues(
    deployments: Deployments, deployed: Deployed, on_trouble: Callable[[str], None]
) -> tuple[list[QueueFacts], list[str]]:
    """The user's own queues that feed the function, and the URLs of their dead-letter queues.

    What may not be asked is said, and keeps nobody from the deployment's own letters.
    """
    from millrace.aws import queues  # noqa: PLC0415 - needs boto3, which is slow to import

    sqs = deployments.client("sqs")
    try:
        arns = queues.find_feeding_arns(deployed, deployments.client("lambda"))
        facts = [queue for queue in queues.read_feeding_queues(deployed, sqs, arns) if not queue.is_managed]
        return facts, queues.find_dead_letter_urls(deployed, sqs, facts)
    except MillraceError as error:
        on_trouble(f"dead letters of queues of your own are left out: {error}")
        return [], []
