"""How the convert function tells others of dead letters."""

from __future__ import annotations

from dataclasses import dataclass

from millrace.composition.base import Foundation, utc_now
from millrace.composition.telling import LazyBus
from millrace.config.notices import Notify
from millrace.delivery.intake import Grounds
from millrace.notices.levels import Levels
from millrace.notices.telling import Send


@dataclass(frozen=True, slots=True)
class LetterTeller:
    """Tells of dead letters; where nobody knows whose one is, everybody is told."""

    deployment: str
    levels: Levels
    send: Send

    def tell(self, grounds: Grounds, body: str, *, queue: str, connection: str | None) -> None:
        """Tell that a message is a dead letter by now; the same message once more has the same id."""
        if grounds.sync is not None and not self.levels.of_sync(grounds.sync).includes(Notify.FAILURES):
            return
        from millrace.notices.events import DeadLetter, to_id  # noqa: PLC0415 - most functions never send any

        event = DeadLetter(
            id=to_id(DeadLetter.name, self.deployment, queue, body),
            time=utc_now(),
            deployment=self.deployment,
            queue=queue,
            error=grounds.error,
            reason=grounds.reason,
            sync=grounds.sync,
            key=grounds.key,
            connection=connection,
        )
        self.send([event])


def letter_teller(base: Foundation) -> LetterTeller:
    """Tells of dead letters."""
    return LetterTeller(base.settings.name, Levels.of(base.document), LazyBus(base).send)
