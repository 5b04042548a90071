"""The phases of a big run. Each may be repeated at any time, also by two at once: the same keys get the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from millrace.big_runs.converting import convert_one_part
from millrace.big_runs.dividing import divide, divide_ranges, inflate_file, scan
from millrace.big_runs.documents import INFLATED, ORDER, TROUBLE, RunDocuments, RunOrder, numbered
from millrace.big_runs.ending import RunEnd, end_without_order, fail, heal, publish_parts
from millrace.big_runs.events import DONE, MAPS, Phase, PhaseEvent, PhaseOutcome
from millrace.big_runs.failures import note_trouble
from millrace.big_runs.folder_files import finish_files, settle_files
from millrace.big_runs.publication import ConvertedParts, read_parts
from millrace.big_runs.run_work import PartRefused, RunPorts, RunWork, find_plan
from millrace.big_runs.surveying import MOST_ROUNDS, Round, begin_next_round, join_surveys, survey_part
from millrace.errors import DataError, MalformedFile, ObjectChanged, ObjectGone
from millrace.ledger.entries import Failure


@dataclass(frozen=True, slots=True)
class BigRunPhases:
    """Does what the machine asks for."""

    ports: RunPorts

    def work(self, event: PhaseEvent, remaining: Callable[[], float]) -> PhaseOutcome:
        """Do one phase; ``remaining`` gives the seconds left. What is refused is settled and no exception.

        Raises what may succeed when it is tried again: the machine does, and then asks for ``fail``.
        """
        place = event.place
        documents = RunDocuments(self.ports.stores[place.connection], place, workers=self.ports.copies)
        document = documents.find(ORDER)
        if document is None:
            return end_without_order(self.ports, event, remaining)
        order = RunOrder.from_document(document)
        run = RunEnd(ports=self.ports, order=order, documents=documents, remaining=remaining)
        if event.phase in _ENDS:
            return _ENDS[event.phase](run, event)
        work = RunWork(
            ports=self.ports,
            order=order,
            plan=find_plan(order, self.ports),
            documents=documents,
            remaining=remaining,
        )
        if event.phase in MAPS:
            return _work_child(work, event)
        return self._work_single(_SINGLES[event.phase], work, run)

    def _work_single(self, phase: Callable[[RunWork], PhaseOutcome], work: RunWork, run: RunEnd) -> PhaseOutcome:
        try:
            return phase(work)
        except PartRefused as refused:
            return run.settle(refused.failure)
        except (DataError, ObjectChanged, ObjectGone) as error:
            # Of what changed or is gone the next attempt sees what there is now; in a bucket that keeps versions it
            # comes to this only if somebody deletes the version.
            return run.settle(_as_failure(error))


def _work_child(work: RunWork, event: PhaseEvent) -> PhaseOutcome:
    try:
        _CHILDREN[event.phase](work, event.index)
    except Exception as error:
        note_trouble(work.documents, error, partial(_find_result, work, event))
        raise
    return PhaseOutcome(DONE)


def _find_result(work: RunWork, event: PhaseEvent) -> str:
    """The path of what a child leaves when it comes through."""
    match event.phase:
        case Phase.INFLATE:
            return INFLATED
        case Phase.CONVERT:
            return Round.read(work.documents).path(event.index)
        case Phase.SETTLE:
            return numbered("settled", event.index)
        case phase:
            return numbered(phase, event.index)


def _as_failure(error: DataError | ObjectChanged | ObjectGone) -> Failure:
    if isinstance(error, ObjectGone):
        return Failure.of(ObjectChanged(str(error)))
    return Failure.of(error)


def _plan(work: RunWork) -> PhaseOutcome:
    # An execution begins: of a run that is resumed, the trouble was another's.
    work.documents.delete(TROUBLE)
    return divide(work)


def _publish(work: RunWork) -> PhaseOutcome:
    round_ = Round.read(work.documents)
    parts = read_parts(work, round_)
    match parts:
        case ConvertedParts():
            return publish_parts(work, parts)
        case frozenset():
            if round_.number + 1 >= MOST_ROUNDS:
                raise MalformedFile(
                    f"the types of {', '.join(sorted(parts))} changed in each of {MOST_ROUNDS} conversions of all parts"
                )
            return begin_next_round(work, round_, parts)
        case missing:
            return PhaseOutcome(Phase.CONVERT, missing)


def _inflate(work: RunWork, _index: int) -> None:
    inflate_file(work)


def _finish(work: RunWork) -> PhaseOutcome:
    outcome = finish_files(work)
    RunEnd.of(work).leave()
    return outcome


_SINGLES: Mapping[Phase, Callable[[RunWork], PhaseOutcome]] = MappingProxyType(
    {
        Phase.PLAN: _plan,
        Phase.SPLIT: divide_ranges,
        Phase.JOIN: join_surveys,
        Phase.PUBLISH: _publish,
        Phase.FINISH: _finish,
    }
)
_CHILDREN: Mapping[Phase, Callable[[RunWork, int], None]] = MappingProxyType(
    {
        Phase.INFLATE: _inflate,
        Phase.SCAN: scan,
        Phase.SURVEY: survey_part,
        Phase.CONVERT: convert_one_part,
        Phase.SETTLE: settle_files,
    }
)
_ENDS: Mapping[Phase, Callable[[RunEnd, PhaseEvent], PhaseOutcome]] = MappingProxyType(
    {Phase.FAIL: fail, Phase.HEAL: heal}
)
