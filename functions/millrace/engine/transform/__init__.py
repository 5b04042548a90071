"""What happens to record batches between reader and writer, in this order.

Rows: those older than the cut-off are left out, then those that the filters do not want. Values: overrides, then
hashes. Columns: chosen, ordered, named; constants and the time of the run behind them. A value is seen as its printed
text all the way, so that the types which were found for a file change nothing.
"""

from millrace.engine.names import normalize
from millrace.engine.transform.binding import (
    SYNCED_AT,
    Applied,
    BoundTransform,
    bind,
    identifier_of,
)
from millrace.engine.transform.identifiers import (
    Duplicate,
    Identifiers,
    Superseded,
    duplicate_error,
)
from millrace.engine.transform.partition import directory, split
from millrace.engine.transform.spec import TableTransform
from millrace.planning.transforms import of_model_sync, of_schema

__all__ = [
    "SYNCED_AT",
    "Applied",
    "BoundTransform",
    "Duplicate",
    "Identifiers",
    "Superseded",
    "TableTransform",
    "bind",
    "directory",
    "duplicate_error",
    "identifier_of",
    "normalize",
    "of_model_sync",
    "of_schema",
    "split",
]
