"""Whether an output holds the values of its source: ``python -m bench.compare.check TARGET DATASET MEGABYTES``.

The truth is drawn again, block by block, and every value of the output is held against it. The answer has three grades:

- ``kept``: every value, with all its digits;
- ``equal``: the same number or instant, but not all that was said of it: 12.50 became 12.5, or a time lost its zone;
- ``changed``: another value; the first one is told.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv
from pyarrow import json as arrow_json

from bench.compare.datasets import DATASETS, Dataset
from bench.compare.engines import kind_of
from bench.compare.files import text_of

KEPT, EQUAL, CHANGED = "kept", "equal", "changed"
_ORDER = (KEPT, EQUAL, CHANGED)
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Grade:
    """How much of the values is there, and the first difference."""

    grade: str = KEPT
    difference: str = ""

    def worse(self, other: Grade) -> Grade:
        """The worse of two; of equally bad ones this one."""
        return other if _ORDER.index(other.grade) > _ORDER.index(self.grade) else self


class _Rows:
    """An output's rows, given out in the portions that are asked for."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._held: list[pa.RecordBatch] = []

    def take(self, rows: int) -> pa.Table | None:
        """The next rows, fewer at the end; None where there are none."""
        held = sum(batch.num_rows for batch in self._held)
        while held < rows and (batch := next(self._batches, None)) is not None:
            self._held.append(batch)
            held += batch.num_rows
        if not held:
            return None
        table = pa.Table.from_batches(self._held)
        self._held = table.slice(rows).to_batches()
        return table.slice(0, rows)


def check(target: Path, dataset: Dataset, size: int) -> Grade:
    """Hold a whole output against the truth."""
    rows, grade, first = None, Grade(), 1
    for expected in dataset.blocks(size):
        if rows is None:
            rows = _Rows(_READ[kind_of(target)](target, expected.schema))
        actual = rows.take(expected.num_rows)
        if actual is None or actual.num_rows < expected.num_rows:
            return Grade(CHANGED, "rows are missing at the end")
        grade = grade.worse(_compare_tables(expected, actual, first))
        if grade.grade == CHANGED:
            return grade
        first += expected.num_rows
    return Grade(CHANGED, "there are more rows than in the source") if rows and rows.take(1) else grade


def _compare_tables(expected: pa.Table, actual: pa.Table, first: int) -> Grade:
    grade = Grade()
    for name in expected.column_names:
        if name not in actual.column_names:
            return Grade(CHANGED, f"there is no column {name}")
        one, other = expected[name].combine_chunks(), actual[name].combine_chunks()
        grade = grade.worse(_compare(name, _whole(one), _whole(other), first))
    return grade


def _whole(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(values, pa.ChunkedArray):
        return values
    return values.chunk(0) if values.num_chunks == 1 else pa.concat_arrays(values.chunks)


def _compare(name: str, expected: pa.Array, actual: pa.Array, first: int) -> Grade:
    actual = _simple(actual)
    if pa.types.is_struct(expected.type):
        return _compare_structs(name, expected, actual, first)
    if pa.types.is_list(expected.type):
        return _compare_lists(name, expected, actual, first)
    exact = _same(expected, actual, _exactly)
    if exact is None:
        return Grade()
    loose = _same(expected, actual, _loosely)
    grade = EQUAL if loose is None else CHANGED
    said, now = text_of(expected), text_of(actual)
    at = loose
    if at is None:
        at = _first_false(pc.fill_null(pc.equal(said, now), fill_value=True)) or 0
    return Grade(grade, f"{name}, row {first + at:,}: {_shown(said, at)} became {_shown(now, at)}")


def _shown(texts: pa.Array, at: int) -> str:
    value = texts[at].as_py()
    return "nothing" if value is None else repr(value[:60])


def _compare_structs(name: str, expected: pa.Array, actual: pa.Array, first: int) -> Grade:
    if not pa.types.is_struct(actual.type):
        return Grade(CHANGED, f"{name}: the object became {actual.type}")
    grade = Grade()
    fields = dict(zip((field.name for field in actual.type), actual.flatten(), strict=True))
    for field, values in zip(expected.type, expected.flatten(), strict=True):
        if field.name not in fields:
            return Grade(CHANGED, f"there is no field {name}.{field.name}")
        grade = grade.worse(_compare(f"{name}.{field.name}", values, fields[field.name], first))
    return grade


def _compare_lists(name: str, expected: pa.Array, actual: pa.Array, first: int) -> Grade:
    if not (pa.types.is_list(actual.type) or pa.types.is_large_list(actual.type)):
        return Grade(CHANGED, f"{name}: the list became {actual.type}")
    lengths = [pc.fill_null(pc.list_value_length(values).cast(pa.int64()), -1) for values in (expected, actual)]
    if (at := _first_false(pc.equal(*lengths))) is not None:
        return Grade(CHANGED, f"{name}, row {first + at:,}: a list of {lengths[0][at]} became one of {lengths[1][at]}")
    return _compare(f"{name}[]", expected.flatten(), actual.flatten(), first)


def _simple(values: pa.Array) -> pa.Array:
    """The values without what is the file's matter alone: dictionaries, views, wide offsets, extension names."""
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type):
        return values.cast(pa.string())
    return values


def _first_false(same: pa.Array) -> int | None:
    at = pc.index(same, value=False).as_py()
    return None if at < 0 else int(at)


def _same(expected: pa.Array, actual: pa.Array, cast: Callable[[pa.Array, pa.Array], list[pa.Array]]) -> int | None:
    """The first row that differs, or None. Missing equals missing alone."""
    missing = pc.equal(expected.is_null(), actual.is_null())
    if (at := _first_false(missing)) is not None:
        return at
    try:
        one, other = cast(expected, actual)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return 0
    return _first_false(pc.fill_null(pc.equal(one, other), fill_value=True))


def _exactly(expected: pa.Array, actual: pa.Array) -> list[pa.Array]:
    """Both sides in a form in which nothing that was said is left out."""
    kinds = expected.type, actual.type
    if kinds[0] == kinds[1]:
        return [expected, actual]
    if pa.types.is_string(kinds[1]):
        if pa.types.is_timestamp(kinds[0]):
            return [expected, actual.cast(kinds[0])]
        return [_no_point(text_of(expected)), _no_point(actual)]
    if pa.types.is_decimal(kinds[0]) and pa.types.is_decimal(kinds[1]) and kinds[1].scale >= kinds[0].scale:
        return [expected.cast(kinds[1]), actual]
    if pa.types.is_decimal(kinds[1]) and pa.types.is_floating(kinds[0]):
        return [expected, actual.cast(kinds[0])]
    if pa.types.is_integer(kinds[0]) and pa.types.is_integer(kinds[1]):
        return [expected, actual.cast(kinds[0])]
    if pa.types.is_timestamp(kinds[1]):
        if pa.types.is_string(kinds[0]):
            zoned = pc.all(pc.ends_with(expected, "Z")).as_py()
            if zoned == (kinds[1].tz is not None):
                return [expected.cast(pa.timestamp("ns", "UTC" if zoned else None)), actual.cast(_nanos(kinds[1]))]
        elif pa.types.is_timestamp(kinds[0]) and kinds[0].tz == kinds[1].tz:
            return [expected.cast(_nanos(kinds[0])), actual.cast(_nanos(kinds[1]))]
    raise pa.ArrowInvalid("the type does not say as much")


def _loosely(expected: pa.Array, actual: pa.Array) -> list[pa.Array]:
    """Both sides as numbers or instants."""
    kinds = expected.type, actual.type
    if pa.types.is_timestamp(kinds[1]):
        unzoned = actual.cast(pa.timestamp("ns", kinds[1].tz)).cast(pa.int64())
        parsed = expected.cast(pa.timestamp("ns", "UTC" if pa.types.is_string(kinds[0]) else None))
        return [parsed.cast(pa.int64()), unzoned]
    numeric = pa.types.is_integer(kinds[0]) or pa.types.is_floating(kinds[0]) or pa.types.is_decimal(kinds[0])
    if numeric and not pa.types.is_boolean(kinds[1]):
        said = text_of(expected) if pa.types.is_decimal(kinds[0]) else expected  # Arrow rounds decimals in its own way
        return [said.cast(pa.float64()), actual.cast(pa.float64())]
    return [text_of(expected), text_of(actual)]


def _nanos(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp("ns", kind.tz)


def _no_point(texts: pa.Array) -> pa.Array:
    """Whole doubles print with or without ``.0``; a format without types cannot tell, and neither loses anything."""
    return pc.replace_substring_regex(texts, r"^(-?[0-9]+)\.0$", r"\1")


def _read_parquet(path: Path, _schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    return pq.ParquetFile(path).iter_batches()  # type: ignore[no-any-return]


def _read_csv(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    return iter(
        csv.open_csv(
            path,
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={name: pa.string() for name in schema.names},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    )


def _read_json(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    as_text = [
        field.with_type(pa.string()) if pa.types.is_temporal(field.type) or pa.types.is_decimal(field.type) else field
        for field in schema
    ]
    parse = arrow_json.ParseOptions(explicit_schema=pa.schema(as_text), unexpected_field_behavior="error")
    return iter(arrow_json.open_json(path, arrow_json.ReadOptions(block_size=4 * _MIB), parse))


_READ: dict[str, Callable[[Path, pa.Schema], Iterator[pa.RecordBatch]]] = {
    "parquet": _read_parquet,
    "csv": _read_csv,
    "jsonl": _read_json,
}


def main(target: str, dataset: str, megabytes: str) -> None:
    """Check one file and print the grade as JSON."""
    try:
        grade = check(Path(target), DATASETS[dataset], int(megabytes) * _MIB)
    except pa.ArrowException as error:
        grade = Grade(CHANGED, " ".join(f"cannot be read back: {error}".split())[:300])
    print(json.dumps(asdict(grade)))


if __name__ == "__main__":
    main(*sys.argv[1:])
