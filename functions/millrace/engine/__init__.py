"""Files in, files out: reads, types, transforms and writes rows. A library of its own, with the names in ``__all__``.

It needs `millrace.errors` and pyarrow; it may import nothing else of Millrace, no client of AWS, no configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = [
    "ConversionContext",
    "Converted",
    "Destination",
    "FileFormat",
    "Job",
    "ReadOptions",
    "Recipe",
    "RowCounts",
    "Source",
    "TableTransform",
    "WriteOptions",
    "convert",
    "convert_file",
    "convert_many",
    "explain_file",
]

if TYPE_CHECKING:
    from millrace.engine.destination import Converted, Destination
    from millrace.engine.explain.any_file import explain_file
    from millrace.engine.files import Job, convert_file
    from millrace.engine.many_files import convert_many
    from millrace.engine.one_file import ConversionContext, convert
    from millrace.engine.options import FileFormat, ReadOptions, WriteOptions
    from millrace.engine.recipe import Recipe
    from millrace.engine.row_counts import RowCounts
    from millrace.engine.table_sources import Source
    from millrace.engine.transform.spec import TableTransform
else:
    # Names are looked up when they are first used (PEP 562): the configuration imports `millrace.engine.options`,
    # which imports this file, and must not wait for pyarrow.
    _HOMES = {
        "ConversionContext": "one_file",
        "Converted": "destination",
        "Destination": "destination",
        "FileFormat": "options",
        "Job": "files",
        "ReadOptions": "options",
        "Recipe": "recipe",
        "RowCounts": "row_counts",
        "Source": "table_sources",
        "TableTransform": "transform.spec",
        "WriteOptions": "options",
        "convert": "one_file",
        "convert_file": "files",
        "convert_many": "many_files",
        "explain_file": "explain.any_file",
    }

    def __getattr__(name: str) -> object:
        """The public name, from the module that it lives in."""
        from importlib import import_module  # noqa: PLC0415 - a name of this module would be public

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

    def __dir__() -> list[str]:
        return sorted(__all__)
