"""What pyiceberg reads and writes of S3, through the object store of a connection: its own needs parts we ship not."""

from __future__ import annotations

import io
from types import TracebackType
from typing import Self

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream

from millrace.errors import ObjectGone, TargetChanged, WriteConflict
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectStore, Upload

_TRIES = 4


class StoredInput(InputFile):
    """A metadata file, read whole at once: the largest have some megabytes."""

    def __init__(self, store: ObjectStore, location: str) -> None:
        super().__init__(location)
        self._store, self._ref = store, ObjectRef.parse(location)

    def __len__(self) -> int:
        head = self._store.head(self._ref)
        if head is None:
            raise FileNotFoundError(self.location)
        return head.size

    def exists(self) -> bool:
        """One HEAD."""
        return self._store.head(self._ref) is not None

    def open(self, seekable: bool = True) -> InputStream:  # noqa: FBT001, FBT002 - the name is pyiceberg's
        """Its bytes. Raises: FileNotFoundError."""
        del seekable
        try:
            with self._store.open(self._ref) as opened:
                return io.BytesIO(opened.stream.read())
        except ObjectGone as gone:
            raise FileNotFoundError(self.location) from gone


class StoredOutput(OutputFile):
    """A metadata file in the making; its name is new, so that nothing is written over."""

    def __init__(self, store: ObjectStore, location: str) -> None:
        super().__init__(location)
        self._store, self._ref = store, ObjectRef.parse(location)

    def __len__(self) -> int:
        return len(self.to_input_file())

    def exists(self) -> bool:
        """One HEAD."""
        return self._store.head(self._ref) is not None

    def to_input_file(self) -> StoredInput:
        """The same, to be read."""
        return StoredInput(self._store, self.location)

    def create(self, overwrite: bool = False) -> OutputStream:  # noqa: FBT001, FBT002 - the name is pyiceberg's
        """Begin to write it; it is visible when it is closed."""
        del overwrite
        return StoredStream(self._store.upload(self._ref, {}), self.location)


class StoredStream(OutputStream):
    """Writes one file; satisfies ``pyiceberg.io.OutputStream``."""

    def __init__(self, upload: Upload, location: str) -> None:
        self._upload, self._location = upload, location
        self._written = 0
        self._is_open = True

    def write(self, b: bytes) -> int:
        """Take the next bytes."""
        self._upload.write(b)
        self._written += len(b)
        return len(b)

    def tell(self) -> int:
        """How many bytes there are."""
        return self._written

    def close(self) -> None:
        """Make it visible, once. Raises: FileExistsError."""
        if not self._is_open:
            return
        self._is_open = False
        for attempt in range(_TRIES):
            try:
                self._upload.publish(expected=None, rows=0)
            except WriteConflict:
                if attempt == _TRIES - 1:
                    raise
            except TargetChanged as changed:
                # The parts of a large file are of use to nobody.
                self._upload.discard()
                raise FileExistsError(self._location) from changed
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exctype: type[BaseException] | None, excinst: BaseException | None, exctb: TracebackType | None
    ) -> None:
        if exctype is None:
            self.close()
        elif self._is_open:
            self._is_open = False
            self._upload.discard()


class StoreFileIO(FileIO):
    """Satisfies ``pyiceberg.io.FileIO`` with a connection's store."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__()
        self.store = store

    def new_input(self, location: str) -> StoredInput:
        """A file to read."""
        return StoredInput(self.store, location)

    def new_output(self, location: str) -> StoredOutput:
        """A file to write."""
        return StoredOutput(self.store, location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete a file; harmless if it is gone."""
        address = location if isinstance(location, str) else location.location
        self.store.delete(ObjectRef.parse(address))
