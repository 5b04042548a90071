"""Rows in lists somewhere in JSON documents, with what they repeat of their parents."""

from __future__ import annotations

import bz2
import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millrace.engine.formats.json import reader as json_reader
from millrace.engine.formats.limits import MAX_KEPT_BYTES, MAX_PARENT_BYTES
from millrace.engine.json_paths import RecordPath
from millrace.engine.options import BadRows, Compression, ReadOptions, WorkSizes
from millrace.errors import DataError, MalformedFile, TooBig, TruncatedFile, WrongEncoding
from tests.unit.engine.formats.builders import conversion, converted, small_work


@pytest.fixture(params=[3, 2**20], ids=["small blocks", "large blocks"])
def work(request: pytest.FixtureRequest) -> WorkSizes:
    """Blocks that cut everything, and blocks that cut nothing."""
    return small_work(request.param)


def lines(data: bytes | str, path: str, *parents: str, **options: Any) -> list[str]:
    """The rows of a document as JSON lines."""
    data = data.encode() if isinstance(data, str) else data
    return (
        converted(data, "json", "json", json_records=path, json_parent_fields=parents, **options).decode().splitlines()
    )


def refusal(data: bytes, path: str, *parents: str, **options: Any) -> DataError:
    with pytest.raises(DataError) as refused:
        conversion(data, "json", "json", json_records=path, json_parent_fields=parents, **options)
    return refused.value


@pytest.mark.parametrize(
    ("data", "path", "expected"),
    [
        ('{"Records":[{"a":1},{"a":2}]}', "Records", ['{"a":1}', '{"a":2}']),
        ('{"v":1,"r":[{"a":1}],"w":[{"b":5}]}', "r", ['{"a":1}']),
        ('{"r":[{"a":1}]}\n{"r":[{"a":2}]}\n', "r", ['{"a":1}', '{"a":2}']),
        ('{"r":[{"a":1}]}{"r":[{"a":2}]}', "r", ['{"a":1}', '{"a":2}']),
        ('[{"r":[{"a":1}]},{"r":[{"a":2}]}]', "r", ['{"a":1}', '{"a":2}']),
        ('{"a":{"b":{"c":[{"x":1}]}}}', "a.b.c", ['{"x":1}']),
        ('{"o":[{"i":[{"x":1}]},{"i":[]},{"i":[{"x":2}]}]}', "o.i", ['{"x":1}', '{"x":2}']),
        ('{"u":[{"x":1}],"n":3,"o":{"k":[{"x":9}]},"v":[{"x":2}]}', "*", ['{"x":1}', '{"x":2}']),
        ('{"u":{"i":[{"x":1}]},"n":3,"v":{"i":[{"x":2}],"j":[{"x":9}]}}', "*.i", ['{"x":1}', '{"x":2}']),
        ('{"a.b":[{"x":1}],"a":{"b":[{"x":2}]}}', r"a\.b", ['{"x":1}']),
        ('{"*":[{"x":1}],"y":[{"x":2}]}', r"\*", ['{"x":1}']),
        ('{"r\\u00e9":[{"x":1}]}', "ré", ['{"x":1}']),
        ('\n {\n "r" :\n [ {"x"\n:1}\n ,\r\n{"x":2} ] }\n', "r", ['{"x":1}', '{"x":2}']),
        ('{"r":[{"x":"},{"},{"x":"]"}]}', "r", ['{"x":"},{"}', '{"x":"]"}']),
    ],
)
def test_an_element_is_a_row(data: str, path: str, expected: list[str], work: WorkSizes) -> None:
    assert lines(data, path, work=work) == expected


@pytest.mark.parametrize("data", ["", " \n", '{"r":[]}', '{"r": [ ] }', '{"r":null}', "[]", '{"r":[]}\n{"r":[]}'])
def test_no_elements_are_no_rows(data: str, work: WorkSizes) -> None:
    assert lines(data, "r", work=work) == []


@pytest.mark.parametrize(
    ("data", "path", "parents", "expected"),
    [
        ('{"o":"x","r":[{"a":1},{}]}', "r", ["o"], ['{"a":1,"o":"x"}', '{"a":null,"o":"x"}']),
        ('{"r":[{"a":1},{"a":2}],"o":"x"}', "r", ["o"], ['{"a":1,"o":"x"}', '{"a":2,"o":"x"}']),
        ('{"r":[{"a":1}],"m":{"id":7,"n":[1.50]}}', "r", ["m.id", "n=m.n"], ['{"a":1,"m.id":7,"n":[1.50]}']),
        ('{"r":[{"a":1}]}{"o":5,"r":[{"a":2}]}', "r", ["o"], ['{"a":1,"o":null}', '{"a":2,"o":5}']),
        (
            '{"t":"T","o":[{"i":[{"x":1}],"k":1},{"k":2,"i":[{"x":2},{"x":3}]}]}',
            "o.i",
            ["o.k", "t"],
            ['{"x":1,"o.k":1,"t":"T"}', '{"x":2,"o.k":2,"t":"T"}', '{"x":3,"o.k":2,"t":"T"}'],
        ),
        ('{"u":[{"x":1}],"v":[{"x":2}],"n":3}', "*", ["n"], ['{"x":1,"n":3}', '{"x":2,"n":3}']),
        ('{"o":\n{"k":\n1.50},"r":[{"a":1}]}', "r", ["o"], ['{"a":1,"o":{"k":1.50}}']),
    ],
)
def test_rows_repeat_members_of_their_parents(
    data: str, path: str, parents: list[str], expected: list[str], work: WorkSizes
) -> None:
    assert lines(data, path, *parents, work=work) == expected


@pytest.mark.slow
def test_a_member_that_comes_behind_too_many_rows_is_no_null_but_refused() -> None:
    row = b'{"a":"' + b"x" * 2**20 + b'"},'
    data = b'{"r":[' + row * (MAX_KEPT_BYTES // len(row) + 2) + b'{"a":"y"}],"o":1}'

    error = refusal(data, "r", "o")

    assert isinstance(error, TooBig)
    assert error.column == "o"
    assert "the parent field 'o' has not come before" in str(error)


def test_a_long_member_is_not_repeated_in_every_row() -> None:
    error = refusal(b'{"o":"' + b"x" * MAX_PARENT_BYTES + b'","r":[{"a":1}]}', "r", "o")

    assert isinstance(error, TooBig)


def test_half_a_character_in_a_parents_member_is_refused() -> None:
    assert "lone surrogate" in str(refusal(b'{"m":{"id":"\\ud800"},"r":[{"a":1}]}', "r", "m.id"))
    assert "lone surrogate" in str(refusal(b'{"m":"\\ud800","r":[{"a":1}]}', "r", "m"))


@pytest.mark.slow
def test_rows_that_repeat_much_are_read_a_few_at_once(work: WorkSizes) -> None:
    rows = ",".join(f'{{"a":{number}}}' for number in range(300))
    parent = "x" * 50_000

    read = lines(f'{{"o":"{parent}","r":[{rows}]}}', "r", "o", work=work)

    assert read == [f'{{"a":{number},"o":"{parent}"}}' for number in range(300)]


def test_a_row_that_has_the_parents_field_itself_is_refused_with_the_way_out() -> None:
    data = b'{"object":"list","data":[{"id":1},{"object":"charge"}]}'

    error = refusal(data, "data", "object")

    assert (error.row, error.byte) == (2, 34)
    assert "NEW_NAME=object" in str(error)
    assert lines(data, "data", "list=object") == [
        '{"id":1,"list":"list","object":null}',
        '{"id":null,"list":"list","object":"charge"}',
    ]


@pytest.mark.parametrize(
    ("data", "path", "kind", "byte", "text"),
    [
        (b'{"u":1,"w":[]}', "r", MalformedFile, 0, "has no member 'r'.*its members are 'u', 'w'"),
        (b'{"r":[]}\n{"u":1}', "r", MalformedFile, 9, "document 2 .*its members are 'u'"),
        (b"{}", "r", MalformedFile, 0, "its members are none"),
        (b'{"u":1}', "*", MalformedFile, 0, "there is no list at '\\*'"),
        (b'{"r":{"a":1}}', "r", MalformedFile, 5, "expected a list at 'r', found '{\"a\":1}}'"),
        (b'{"a":5}', "a.b", MalformedFile, 5, "expected an object at 'a', on the way to 'a.b', found '5}'"),
        (b'{"o":[{"i":[]},{"j":[]}]}', "o.i", MalformedFile, 15, "has no member 'i'"),
        (b'{"r":' + b"[" * 40, "r.s", MalformedFile, 37, "more than 32 lists are open"),
        (b"5", "r", MalformedFile, 0, "expected an object that has rows at 'r', found '5'"),
        (b'{"r":[{"a":1}]}]', "r", MalformedFile, 15, "found '\\]'"),
        (b'{"r":[{"a":1}],"r":[]}', "r", MalformedFile, 15, "the name 'r' stands twice"),
        (b'{"r":[{"a":1}] "x":2}', "r", MalformedFile, 15, "expected a comma or the object's end"),
        (b'{"r" [{"a":1}]}', "r", MalformedFile, 5, "expected a colon"),
        (b'{r:[{"a":1}]}', "r", MalformedFile, 1, "expected a member's name"),
        (b'{"r":[{"a":1},]}', "r", MalformedFile, 14, "no JSON value stands here"),
        (b'{"r":[{"a":1};]}', "r", MalformedFile, 13, "expected a comma or the list's end"),
        (b'{"r":[{"a":1}', "r", TruncatedFile, 13, "the file stops before its end"),
        (b'{"r":[{"a":1}]', "r", TruncatedFile, 14, "the file stops before its end"),
        (b'{"r":[{"a":1', "r", TruncatedFile, 12, "the file stops before its end"),
        (b'{"x":"ab', "r", TruncatedFile, 8, "the file stops before its end"),
        (b'{"x":tru', "r", TruncatedFile, 8, "the file stops before its end"),
        (b'{"r":[{"a":1},{"a":nope}]}', "r", MalformedFile, 19, "row 2 at byte 19"),
        (b'{"r":[{"a":1},{"a":1,"a":2}]}', "r", MalformedFile, 14, "row 2 at byte 14: the name 'a' stands twice"),
        (b'{"r":[{"a":1},5]}', "r", MalformedFile, 14, "row 2 at byte 14: a row must be an object, found '5'"),
        (b'{"r":[{"a":1},{"a":"\xff"}]}', "r", WrongEncoding, 20, "row 2: the byte at offset 20"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    data: bytes, path: str, kind: type[DataError], byte: int, text: str, work: WorkSizes
) -> None:
    error = refusal(data, path, work=work)

    assert (type(error), error.byte) == (kind, byte), str(error)
    with pytest.raises(DataError, match=text):
        raise error


def test_bad_elements_are_set_aside_with_their_places(work: WorkSizes) -> None:
    data = b'{"o":1,\n"r":[{"a":1},\n{"a":2,"a":3},5,\n{"a":"\xff"},{"a":NaN},{"a":6}]}'

    done = conversion(data, "json", "json", json_records="r", bad_rows=BadRows.QUARANTINE, work=work)

    assert done.quarantine is not None
    aside = [json.loads(line) for line in done.quarantine.getvalue().splitlines()]
    assert [(row["row"], row["line"], row["byte"], row["raw"]) for row in aside] == [
        (2, 3, 22, '{"a":2,"a":3}'),
        (3, 3, 36, "5"),
        (4, 4, 39, '{"a":"\\xff"}'),
        (5, 4, 49, '{"a":NaN}'),
    ]
    assert done.parts[0].sink.getvalue() == b'{"a":1}\n{"a":6}\n'
    assert (done.rows.read, done.rows.written, done.rows.quarantined) == (6, 2, 4)


def test_types_that_turn_begin_the_output_again() -> None:
    rows = ",".join(['{"a":1}'] * 300 + ['{"a":"x"}'])

    assert lines(f'{{"r":[{rows}]}}', "r", work=small_work(64))[-2:] == ['{"a":1}', '{"a":"x"}']


NAMES = st.sampled_from(["a", "b", "é", "r", "o"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "é"]), VALUES, max_size=3), max_size=6)
DOCUMENTS = st.lists(st.tuples(ROWS, VALUES, st.booleans(), st.sampled_from([None, 1])), max_size=4)


@pytest.mark.slow
@given(DOCUMENTS, st.sampled_from([5, 64, 2**20]), st.sampled_from([[], ["o"]]))
@example([([{"a": 1}] * 40 + [{"a": 1.5}], "x", True, None)], 64, [])
def test_types_and_values_are_those_of_a_file_with_a_row_on_each_line(
    documents: list[tuple[list[dict[str, Any]], Any, bool, int | None]], size: int, parents: list[str]
) -> None:
    texts, flat = list[str](), list[str]()
    for rows, parent, comes_first, indent in documents:
        members: dict[str, Any] = {"o": parent, "r": rows} if comes_first else {"r": rows, "o": parent}
        texts.append(json.dumps(members, indent=indent, ensure_ascii=indent is None))
        repeated = dict.fromkeys(parents, parent)
        flat += [json.dumps(row | repeated) for row in rows]
    data = "\n".join(texts).encode()

    given_ = _read(data, json_records="r", json_parent_fields=tuple(parents), work=small_work(size))

    assert given_ == _read("\n".join(flat).encode(), work=small_work(size))


def _read(data: bytes, **options: Any) -> bytes | str:
    """The Parquet file of the rows; an error's kind where there is none, such as for rows without any field."""
    try:
        return converted(data, "json", "parquet", **options)
    except DataError as error:
        return type(error).__name__


@pytest.mark.parametrize("target", ["csv", "json", "json-doc", "parquet"])
def test_every_target_has_the_rows(target: str) -> None:
    data = b'{"o":1,"r":[{"a":1.50},{"a":2.25}]}'

    with_path = converted(data, "json", target, json_records="r", json_parent_fields=("o",))

    assert with_path == converted(b'{"a":1.50,"o":1}\n{"a":2.25,"o":1}\n', "json", target)


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.ZSTD, Compression.BZIP2])
def test_compressed_documents_are_read_too(compression: Compression) -> None:
    data = b'{"r":[{"a":1}]}'
    packed = {
        Compression.GZIP: gzip.compress(data),
        Compression.BZIP2: bz2.compress(data),
        Compression.ZSTD: pa.Codec("zstd").compress(data, asbytes=True),
    }[compression]

    assert lines(packed, "r", compression=compression) == ['{"a":1}']


def test_utf_16_is_read_too() -> None:
    assert lines('{"r":[{"a":"é"}]}'.encode("utf-16"), "r") == ['{"a":"é"}']


class EndlessText(io.RawIOBase):
    """A document whose list goes on, made as it is read; remembers the most that was asked for at once."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.position = 0

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = offset
        return self.position

    def read(self, size: int = -1) -> bytes:
        if not self.position:
            self.position = 1
            return b'{"o":1,"r":['
        if self.position > self.rows:
            return b""
        first, self.position = self.position, self.position + 1000
        text = ",".join(f'{{"n":{number},"t":"{"x" * 200}"}}' for number in range(first, first + 1000))
        return (text + ("," if self.position <= self.rows else "]}")).encode()


@pytest.mark.slow
def test_a_list_larger_than_any_row_may_be_is_read_in_pieces() -> None:
    source = EndlessText(200_000)  # about 43 MB, in one document

    largest = 0
    rows = 0
    records = json_reader.read(
        source,  # type: ignore[arg-type] # it does what a reader asks of it
        ReadOptions(json_records="r", json_parent_fields=("o",)),
        report=lambda _bad: None,
    )
    for batch in records.batches:
        largest = max(largest, batch.nbytes)
        rows += batch.num_rows

    assert rows == 200_000
    assert largest < 8 * 2**20


@pytest.mark.parametrize(
    ("path", "parents", "text"),
    [
        ("", [], "is no path"),
        ("a..b", [], "is no path"),
        (".".join("a" * 40), [], "40 steps; 32 are the most"),
        ("a*", [], "stands for a whole name"),
        ("a\\x", [], "a backslash is written before"),
        ("a.b", ["a"], "leads to the rows"),
        ("a", ["a.b"], "within the rows"),
        ("a", ["b", "b"], "two parent fields"),
        ("a", ["x=y=z"], "NEW_NAME=PATH"),
    ],
)
def test_paths_that_are_none_are_refused(path: str, parents: list[str], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        RecordPath.of(path, parents)


@pytest.mark.parametrize("path", ["Records", "a.b", "*", "*.b", r"a\.b", r"\*", r"a\\b", r"a\=b"])
def test_a_path_is_written_as_it_was_read(path: str) -> None:
    assert str(RecordPath.of(path)) == path
