"""One output put together of the private outputs of parts: the store copies what it can, small pieces are glued."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO

from millrace.big_runs.converting import PrivateOutput
from millrace.big_runs.documents import RunDocuments, map_ordered
from millrace.engine.options import FileFormat, OutputCompression
from millrace.engine.parts.documents import get_text
from millrace.engine.parts.joining import JoinPlan, Literal, PartOutput, Piece, join_plan
from millrace.engine.parts.uploading import GluedPart, UploadLimits, UploadPart, plan_upload
from millrace.errors import ObjectGone, OutOfTime
from millrace.objects.references import ObjectRef
from millrace.objects.store import Assembly, ObjectHead, ObjectRange, ObjectStore, Published

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedContent:
    """The content of one output: which bytes of which private outputs follow each other."""

    store: ObjectStore
    parts: tuple[PrivateOutput, ...]
    plan: JoinPlan

    @classmethod
    def of(
        cls,
        store: ObjectStore,
        parts: Sequence[PrivateOutput],
        target_format: FileFormat,
        compression: OutputCompression | None,
        *,
        workers: int,
    ) -> JoinedContent:
        """Join what parts wrote; reads their heads and footers alone."""
        outputs = [PartOutput(size=part.size, rows=part.rows, open=_Opener(store, part)) for part in parts]
        return cls(
            store=store,
            parts=tuple(parts),
            plan=join_plan(target_format, compression, outputs, workers=workers),
        )

    def range_of(self, piece: Piece) -> ObjectRange:
        """A piece as the store copies it: of that very private output."""
        part = self.parts[piece.part]
        return ObjectRange(part.ref, part.etag, piece.start, piece.end)

    def glue(self, pieces: Sequence[Literal | Piece]) -> bytes:
        """Small pieces, fetched and put together."""
        return b"".join(map(self._fetch, pieces))

    def _fetch(self, piece: Literal | Piece) -> bytes:
        if isinstance(piece, Literal):
            return piece.content
        with _Opener(self.store, self.parts[piece.part])() as file:
            file.seek(piece.start)
            return file.read(piece.size)


@dataclass(frozen=True, slots=True)
class _Opener:
    """Opens a private output as it was left: another that stands there by now is refused."""

    store: ObjectStore
    part: PrivateOutput

    @contextmanager
    def __call__(self) -> Iterator[BinaryIO]:
        head = ObjectHead(etag=self.part.etag, size=self.part.size, modified=_ANY_TIME)
        with self.store.reopen(self.part.ref, head) as opened:
            yield opened.stream


@dataclass(slots=True, kw_only=True)
class JoinedUpload:
    """Satisfies ``objects.store.Publishable``: an output that is put together once ``prepare`` was called.

    What was copied stays when an invocation ends: the next one goes on with the same upload, whose token is among the
    run's documents.
    """

    documents: RunDocuments
    target: ObjectRef
    metadata: Mapping[str, str]
    content: JoinedContent
    rows: int
    limits: UploadLimits = UploadLimits()  # noqa: RUF009 - frozen
    workers: int = 1
    _assembly: Assembly | None = field(default=None, init=False)

    def prepare(self, remaining: Callable[[], float], *, least: float) -> None:
        """Copy all parts that are not there yet; raise OutOfTime if the invocation ends before."""
        parts = self._parts()
        # It is one put, and has no upload of parts that could be gone on with.
        if _is_small(parts):
            return
        assembly, sent = self._begin()
        self._assembly = assembly
        missing = [number for number in range(1, len(parts) + 1) if number not in sent]

        def copy(number: int) -> None:
            if remaining() <= least:
                raise OutOfTime(f"{self.target} is being put together; the next invocation goes on")
            part = parts[number - 1]
            if isinstance(part, GluedPart):
                assembly.send(number, self.content.glue(part.pieces))
            else:
                assembly.copy(number, self.content.range_of(part))

        for _ in map_ordered(copy, missing, workers=self.workers):
            pass

    def publish(self, *, expected: str | None, rows: int) -> Published:
        """One conditional put of what is small, or the conditional completion."""
        if self._assembly is not None:
            return self._assembly.publish(expected=expected, rows=rows)
        upload = self.content.store.upload(self.target, self.metadata)
        try:
            upload.write(self.content.glue(self.content.plan.pieces))
            return upload.publish(expected=expected, rows=rows)
        finally:
            upload.discard()

    def discard(self) -> None:
        """Abort what was begun."""
        assembly, self._assembly = self._assembly, None
        if assembly is not None:
            assembly.discard()

    def _parts(self) -> tuple[UploadPart, ...]:
        return plan_upload(self.content.plan, self.limits)

    def _begin(self) -> tuple[Assembly, frozenset[int]]:
        """The upload that was begun before, with what is there of it, or a new one."""
        path = self._token_path()
        document = self.documents.find(path)
        if document is not None:
            assembly = self._assemble(get_text(document, "token"))
            try:
                return assembly, assembly.sent()
            except ObjectGone:
                # Completed over another's object, or aborted after a failure: it begins again.
                pass
        assembly = self._assemble(None)
        self.documents.replace(path, {"token": assembly.token})
        return assembly, frozenset()

    def _assemble(self, token: str | None) -> Assembly:
        metadata = {**self.metadata, "millrace-rows": str(self.rows)}
        return self.content.store.assemble(self.target, metadata, token=token)

    def _token_path(self) -> str:
        """One for each target and each content of its metadata: a table's claim has a fence of its own each time."""
        said = "\n".join([str(self.target), *(f"{name}={value}" for name, value in sorted(self.metadata.items()))])
        pieces = repr([(self.content.parts[0].ref.key, self.content.parts[0].etag)]) if self.content.parts else ""
        return f"assembly/{hashlib.sha256((said + pieces).encode()).hexdigest()[:32]}.json"


def _is_small(parts: Sequence[UploadPart]) -> bool:
    """Whether one put does it: nothing, or one part that is glued anyway."""
    return len(parts) <= 1 and all(isinstance(part, GluedPart) for part in parts)
