"""The pages of a Parquet column, by the kernel: their bodies, not yet compressed; see `source/parquet_encoding.c`."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from millrace.engine.native.library import Kernel
from millrace.engine.native.seam import Code, ExportedArray, TypeKind

PLAIN, DELTA, DICTIONARY = 0, 5, 8
"""Encodings, by Parquet's numbers."""
DICTIONARY_LIMIT = 2**20
"""A dictionary is smaller than this: Arrow goes on without one that has as many bytes."""
_Release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class LeafForC(ctypes.Structure):
    """`MillraceLeaf`."""

    _fields_ = (
        ("batches", ctypes.c_void_p),
        ("batch_count", ctypes.c_int64),
        ("column", ctypes.c_int32),
        ("kind", ctypes.c_int32),
        ("physical", ctypes.c_int32),
        ("encoding", ctypes.c_int32),
        ("is_nullable", ctypes.c_int32),
        ("factor", ctypes.c_int32),
        ("page_rows", ctypes.c_int64),
        ("page_bytes", ctypes.c_int64),
        ("indices", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("dictionary_size", ctypes.c_int64),
        ("entries", ctypes.c_int32),
    )


class PageForC(ctypes.Structure):
    """`MillracePage`."""

    _fields_ = (
        ("batch", ctypes.c_int64),
        ("row", ctypes.c_int64),
        ("value", ctypes.c_int64),
        ("entries", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("nulls", ctypes.c_int64),
        ("size", ctypes.c_int64),
        ("text_bytes", ctypes.c_int64),
        ("least", ctypes.c_void_p),
        ("greatest", ctypes.c_void_p),
        ("least_size", ctypes.c_int64),
        ("greatest_size", ctypes.c_int64),
        ("range", ctypes.c_uint8 * 16),
    )


class DictionaryForC(ctypes.Structure):
    """`MillraceDictionary`."""

    _fields_ = (("size", ctypes.c_int64), ("entries", ctypes.c_int64), ("text_bytes", ctypes.c_int64))


class NotForKernel(Exception):
    """A leaf that Arrow has to write, such as one whose dictionary would grow too large."""


@dataclass(frozen=True, slots=True)
class PageSizes:
    """When a page ends: with so many rows, or with the rows that bring its values to so many bytes."""

    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LeafType:
    """A column as it is stored: ``kind`` is Arrow's type and ``physical`` Parquet's number of what is stored.

    Each value is multiplied by ``factor``.
    """

    kind: TypeKind
    physical: int
    is_nullable: bool
    factor: int = 1


@dataclass(frozen=True, slots=True)
class PageBody:
    """A page's body, which lasts until the next one is made; ``range`` is its least and greatest value as bytes."""

    body: pa.Buffer
    rows: int
    nulls: int
    text_bytes: int
    range: tuple[bytes, bytes] | None


@dataclass(frozen=True, slots=True)
class DictionaryBody:
    """A dictionary's body, and how many values it has; ``text_bytes`` are those of the texts of all rows."""

    body: pa.Buffer
    entries: int
    text_bytes: int


class RowsForC:
    """The rows of a group as C reads them, and the memory that its columns are encoded in, one after the other."""

    def __init__(self, kernel: Kernel, batches: Sequence[pa.RecordBatch], sizes: PageSizes) -> None:
        self._write_page = _bind_page(kernel)
        self._make_dictionary = _bind_dictionary(kernel)
        self._rows = sum(batch.num_rows for batch in batches)
        # No page has more rows than there are, which small objects need little memory for.
        self._sizes = PageSizes(max(1, min(sizes.rows, self._rows)), sizes.bytes)
        self._exported = (ExportedArray * len(batches))()
        self._addresses = (ctypes.c_void_p * len(batches))()
        for position, batch in enumerate(batches):
            address = ctypes.addressof(self._exported[position])
            batch._export_to_c(address)  # noqa: SLF001 - the documented way to C's addresses
            self._addresses[position] = address
        self._scratch = pa.allocate_buffer((self._sizes.rows + 1) * 8)
        self._out = pa.allocate_buffer(self._sizes.rows * 9 + 2**12)
        self._indices = self._dictionary = pa.py_buffer(b"")

    def release(self) -> None:
        """Give the rows back: to be called once."""
        for array, address in zip(self._exported, self._addresses, strict=True):
            _Release(array.release)(address)

    def leaf(self, column: int, kind: LeafType, encoding: int) -> LeafForC:
        """A column, to be given to the functions below."""
        return LeafForC(
            batches=ctypes.addressof(self._addresses),
            batch_count=len(self._addresses),
            column=column,
            kind=kind.kind,
            physical=kind.physical,
            encoding=encoding,
            is_nullable=kind.is_nullable,
            factor=kind.factor,
            page_rows=self._sizes.rows,
            page_bytes=self._sizes.bytes,
        )

    def make_dictionary(self, leaf: LeafForC) -> DictionaryBody:
        """A leaf's dictionary, which lasts until the next one is made, as do the values' places in it.

        Raises: NotForKernel.
        """
        if not self._dictionary.size:
            self._indices = pa.allocate_buffer(self._rows * 4)
            self._dictionary = pa.allocate_buffer(DICTIONARY_LIMIT - 1)
        indices, body, made = self._indices, self._dictionary, DictionaryForC()
        code = self._make_dictionary(leaf, indices.address, body.address, body.size, made)
        if code != Code.OK:
            raise NotForKernel
        leaf.indices, leaf.dictionary, leaf.dictionary_size = indices.address, body.address, made.size
        leaf.entries = made.entries
        scratch = (self._sizes.rows + 2) * 8 + made.entries
        if self._scratch.size < scratch:
            self._scratch = pa.allocate_buffer(scratch)
        return DictionaryBody(body.slice(0, made.size), made.entries, made.text_bytes)

    def pages(self, leaf: LeafForC) -> Iterator[PageBody]:
        """The pages of a leaf, one after the other.

        Raises: NotForKernel.
        """
        page, rows = PageForC(), 0
        while rows < self._rows:
            self._fill(leaf, page)
            if page.rows <= 0:  # else this might never end
                raise NotForKernel
            rows += page.rows
            yield PageBody(self._out.slice(0, page.size), page.rows, page.nulls, page.text_bytes, _read_range(page))

    def _fill(self, leaf: LeafForC, page: PageForC) -> None:
        code = self._call(leaf, page)
        if code == Code.TOO_MUCH:
            self._out = pa.allocate_buffer(page.size)
            code = self._call(leaf, page)
        if code != Code.OK:
            raise NotForKernel

    def _call(self, leaf: LeafForC, page: PageForC) -> int:
        scratch, out = self._scratch, self._out
        return self._write_page(leaf, page, scratch.address, scratch.size, out.address, out.size)


def _read_range(page: PageForC) -> tuple[bytes, bytes] | None:
    if page.least is None:
        return None
    return ctypes.string_at(page.least, page.least_size), ctypes.string_at(page.greatest, page.greatest_size)


@contextmanager
def open_rows(kernel: Kernel, batches: Sequence[pa.RecordBatch], sizes: PageSizes) -> Iterator[RowsForC]:
    """The rows of a group, for C to read until the with statement ends."""
    rows = RowsForC(kernel, batches, sizes)
    try:
        yield rows
    finally:
        rows.release()


@functools.cache
def _bind_page(kernel: Kernel) -> Callable[..., int]:
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    function: Callable[..., int] = kernel.bind(
        "millrace_parquet_page",
        ctypes.c_int32,
        *(ctypes.POINTER(LeafForC), ctypes.POINTER(PageForC), pointer, size, pointer, size),
    )
    return function


@functools.cache
def _bind_dictionary(kernel: Kernel) -> Callable[..., int]:
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    function: Callable[..., int] = kernel.bind(
        "millrace_parquet_dictionary",
        ctypes.c_int32,
        *(ctypes.POINTER(LeafForC), pointer, pointer, size, ctypes.POINTER(DictionaryForC)),
    )
    return function
