"""Which formats a configuration reads, and so whether their packages are shipped."""

from __future__ import annotations

from collections.abc import Iterator

from millrace.config.document import Document
from millrace.config.layout import formats_of
from millrace.engine.options import SOURCE_FORMATS, FileFormat, recognise, words_of


def needs_packages(document: Document) -> bool:
    """Whether an active sync may read a format that needs packages of its own."""
    return any(words_of(file_format).needs_packages for file_format in _formats_read(document))


def _formats_read(document: Document) -> Iterator[FileFormat]:
    """The formats of all active syncs; where every object is a table, these are all formats."""
    for sync in document.active_bulk_syncs():
        yield from formats_of(document.connection(sync.source_connection).layout)
    for model_sync in document.active_model_syncs():
        model = document.model(model_sync.model)
        recognised = recognise(model.configuration.key or "")
        # A model's own format, else what its key's extension says; of a whole folder it may be any.
        if model.file_format is not None:
            yield model.file_format
        elif recognised is not None:
            yield recognised.format
        else:
            yield from SOURCE_FORMATS
