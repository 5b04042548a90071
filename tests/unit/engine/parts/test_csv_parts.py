"""A CSV file in any number of parts is what the reader of the whole makes of it: rows, types, errors, quarantine."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from millrace.engine.formats.csv import scanning
from millrace.engine.formats.csv.blocks import line_ends
from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.scanning import CsvGrammar
from millrace.engine.options import (
    BadRows,
    FileFormat,
    Quotes,
    ReadOptions,
    SourceColumn,
    TableTypes,
    WorkSizes,
    WriteOptions,
)
from millrace.engine.parts import cutting
from millrace.engine.recipe import Recipe
from millrace.errors import CannotBeCut, TooBig
from tests.properties import examples
from tests.unit.engine.formats.builders import small_work
from tests.unit.engine.parts.dividing import FileResult, convert_divided, convert_whole, cut_file

TARGETS = ("csv", "json", "json-doc", "parquet")
PLAIN = ("", "1", "-3", "1.5", "2.50", "true", "2026-01-31", "2026-01-31T12:00:00", "abc", "é€", "日本", "007", "NULL")
QUOTED = ('"a,b"', '"a\nb"', '"a\r\nb"', '"a\rb"', '"say ""hi"""', '"\n\n"', '"\n#"', '"\n1,2,3\n"', '""', '"é\n€"')
BAD = ("zzz", "1,2,3,4", 'a"b,,', '"x"y,,', '"open,,')


@dataclass(frozen=True)
class Messy:
    """A CSV file, and how it is read."""

    data: bytes
    options: dict[str, Any]


@st.composite
def messy_files(draw: st.DrawFn) -> Messy:
    cell = st.sampled_from([*PLAIN, *PLAIN, *QUOTED])
    lines = [",".join(cells) for cells in draw(st.lists(st.tuples(cell, cell, cell), max_size=25))]
    options: dict[str, Any] = {"work": small_work(draw(st.sampled_from([16, 64, 300]))), "escape": ""}
    is_trailing = draw(st.integers(0, 9)) == 0
    if is_trailing:
        lines = [line + "," for line in lines]
    lines.insert(0, "a,b,c" + "," * (is_trailing and draw(st.booleans())))
    if draw(st.integers(0, 4)) == 0:
        lines.insert(draw(st.integers(1, len(lines))), draw(st.sampled_from(BAD)))
    if draw(st.integers(0, 4)) == 0:
        lines.insert(draw(st.integers(0, len(lines))), "")
    if draw(st.integers(0, 4)) == 0:
        options["comment"] = "#"
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(["# note", '# a "quote', "#"])))
    if draw(st.integers(0, 9)) == 0:
        options["skip_lines"] = 1
        lines.insert(0, 'any "text')
    end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    text = "".join(line + end for line in lines)
    text += draw(st.sampled_from(["", "", "\x1a", "\0\0\n", "  \n \n"]))
    mark = draw(st.sampled_from(["", "", "\ufeff"]))
    if draw(st.integers(0, 4)) == 0:
        text = text.rstrip("\r\n")
    data = (mark + text).encode()
    if draw(st.integers(0, 4)) == 0:
        options["encoding"] = "cp1252"
        data = text.replace("日本", "ÿ").encode("cp1252")
    others = {
        "delimiter": ",",
        "bad_rows": BadRows.QUARANTINE,
        "null_values": ("NULL", "abc"),
        "infer_types": False,
        "types": TableTypes.WIDE,
        "column_types": draw(st.sampled_from([{"a": "decimal"}, {"b": "text"}, {"c": "timestamp"}])),
        "type_hints": draw(st.sampled_from([{"a": "text"}, {"b": "decimal(10,2)"}])),
        "source_columns": (SourceColumn.ROW,),
    }
    options |= {name: value for name, value in others.items() if draw(st.integers(0, 4)) == 0}
    return Messy(data, options)


def recipe_of(target: str, **options: Any) -> Recipe:
    return Recipe(
        source_format=FileFormat.CSV,
        target_format=FileFormat(target),
        read=ReadOptions(**options),
        write=WriteOptions(),
    )


def shown(result: FileResult, target: str) -> object:
    """What is compared of a result: of Parquet its table, since row groups are those of parts."""
    if result.error is not None:
        kind, message, *place = result.error
        # How many of the first rows are alike depends on how many were looked at.
        return kind, re.sub(r"(, and (all of the first|every row).*|: “.*)", "", message, flags=re.DOTALL), place
    output: object = result.output
    if target == "parquet":
        table = result.schema_and_rows
        output = table.schema.to_string(), table.to_pylist()
    # Rows that do not fit a hint are put aside behind those of their block that cannot be read.
    return output, result.rows, sorted(result.quarantine)


def assert_divides(data: bytes, part_bytes: int, target: str = "parquet", **options: Any) -> None:
    recipe = recipe_of(target, **options)
    whole, divided = convert_whole(data, recipe, "a.csv"), convert_divided(data, recipe, part_bytes, "a.csv")
    if whole.error is not None and shown(whole, target) != shown(divided, target):
        # Of several errors the whole-file reader meets another one first.
        aside = replace(recipe, read=replace(recipe.read, bad_rows=BadRows.QUARANTINE))
        assert divided.error is not None
        assert len(convert_whole(data, aside, "a.csv").quarantine) > 1
        return
    assert shown(divided, target) == shown(whole, target)


@pytest.mark.slow
@pytest.mark.kernel
@settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
@given(messy_files(), st.integers(1, 12), st.sampled_from(TARGETS))
def test_parts_are_the_whole(file: Messy, parts: int, target: str) -> None:
    assert_divides(file.data, max(1, len(file.data) // parts), target, **file.options)


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("target", TARGETS)
def test_every_byte_may_be_near_a_cut(target: str) -> None:
    data = 'id,text\r\n1,"a\r\n""é"""\r\n2,\r\n\r\n3,"\n\n"\r\n4,x'.encode()

    assert_divides(data, 1, target)


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize(
    ("data", "options"),
    [
        pytest.param(b"", {}, id="nothing"),
        pytest.param(b"\n\n", {}, id="blank lines"),
        pytest.param(b"a,b\n", {}, id="header"),
        pytest.param(b"sep=;\na;b\n1;2\n3;4\n", {}, id="sep line"),
        pytest.param(b"Sales report of May\n\nid,amount\n1,2.5\n2,3.5\n3,4.5\n", {}, id="title"),
        pytest.param(b"a,b,\n1,2,\n3,4,\n5,6,\n", {}, id="trailing delimiters"),
        pytest.param(b"a,b,\n" + b"1,2,\n" * 20 + b"3,4,x\n" + b"5,6,\n", {"work": small_work(16)}, id="value behind"),
        pytest.param(b"a,b,c\n1,2,3,\n3,4,5,\n5,6,7,\n", {}, id="trailing below the header"),
        pytest.param(b"\xef\xbb\xbfa,b\n1,2\n3,4\n", {}, id="byte order mark"),
        pytest.param(b"1,2\n3,4\n5,6\n", {"has_headers": False}, id="no header"),
        pytest.param(b'a\n1\n\n2\n""\n\n', {}, id="one column"),
        pytest.param(b"a,b\r1,2\r3,4\n5,6\n", {}, id="carriage returns"),
        pytest.param(b"a|b\n1|\\N\n2|\n3|x\n", {"quote": "", "escape": "", "null_values": ("\\N",)}, id="no quotes"),
        pytest.param(b'a,b\n#"\n1,"2\n#"\n3,4\n', {"comment": "#"}, id="comments"),
        pytest.param(b"a,b\n1,2\n3,4\n\x1a\n\0\0\0\n", {}, id="end marks"),
        pytest.param(b"a,b\n1,2\n" + b"7,8,9\n" + b"3,4\n" * 9, {"bad_rows": BadRows.QUARANTINE}, id="bad row"),
        pytest.param(b"a,b\n" + b"3,4\n" * 9 + b"7,8,9\n", {}, id="bad row at the end"),
        pytest.param(b"a,b\n" + b"3,4\n" * 9 + b'5,"x\n' + b"3,4\n" * 9, {}, id="open quote"),
        pytest.param(b"a,b\n" + b"3,4\n" * 9 + b"5,\xff\n" + b"3,4\n" * 9, {}, id="no text"),
        pytest.param('a,é\nü,1\n€,"ß\nö"\nä,2,3\nx,y\n'.encode("cp1252"), {"encoding": "cp1252"}, id="cp1252"),
        pytest.param("ä,é,\nü,1,\n€,ß,\nä,2,€\nx,y,\n".encode("cp1252"), {"encoding": "cp1252"}, id="last of cp1252"),
        pytest.param(b"a,b\n" + b"3,4\n" * 9 + b"x,4\n" * 2, {"column_types": {"a": "integer"}}, id="misfit"),
    ],
)
@pytest.mark.parametrize("part_bytes", [1, 7, 20, 1000])
def test_all_that_a_file_may_have(data: bytes, options: dict[str, Any], part_bytes: int) -> None:
    assert_divides(data, part_bytes, **options)


def test_a_bad_row_of_a_late_part_has_its_place_in_the_file() -> None:
    data = b"id,text\n" + b'1,"two\nlines"\n' * 100 + b"bad\n"
    options: dict[str, Any] = {"bad_rows": BadRows.QUARANTINE}

    divided = convert_divided(data, recipe_of("csv", **options), 200, "a.csv")

    assert [json.loads(line) for line in divided.quarantine] == [
        {
            "source": "a.csv",
            "line": 202,
            "row": 101,
            "byte": 1408,
            "reason": "row 101 at byte 1,408 has 1 field where 2 are expected",
            "raw": "bad",
        }
    ]


def test_a_part_begins_and_ends_at_records() -> None:
    data = b'a,b\n1,"x\ny"\n2,"x\ny"\n3,4\n'

    _, parts = cut_file(data, FileFormat.CSV, ReadOptions(), 8)

    assert [data[part.start : part.end] for part in parts] == [b'1,"x\ny"\n', b'2,"x\ny"\n', b"3,4\n"]
    assert [(part.row, part.line, part.is_last) for part in parts] == [(1, 2, False), (2, 4, False), (3, 6, True)]


def test_a_record_of_many_ranges_is_of_one_part() -> None:
    data = b'a,b\n1,"' + b"x\n" * 500 + b'"\n2,3\n'

    _, parts = cut_file(data, FileFormat.CSV, ReadOptions(), 50)

    assert [(part.row, data[part.start : part.end].count(b"\n")) for part in parts] == [(1, 501), (2, 1)]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (b'a,b\n1,"\\""\n2,"\\""\n', {}, "escapes with .*csv_escape: none"),
        (b"a,b\n1,2\n", {"skip_footer": 1}, "csv_skip_footer drops the last lines"),
        (b"a,b\n1,2\n", {"quotes": Quotes.LENIENT}, "stray quote.*csv_quotes: strict"),
        ("a,b\n1,2\n".encode("utf-16"), {}, "utf-16-le.*write it in UTF-8"),
        ("a,b\n1,2\n".encode("gbk"), {"encoding": "gbk"}, "gbk.*write it in UTF-8"),
        ("a,b\n1,2\n".encode("cp037"), {"encoding": "cp037"}, "cp037.*write it in UTF-8"),
        (b"a,b\n1,2\n" + b"\0" * 2**21, {}, "marks of a file's end"),
        (b"\x1f\x8b\x08" + b"\0" * 20, {}, "a gz file.*inflate"),
    ],
)
def test_what_cannot_be_cut_is_refused_by_name(data: bytes, options: dict[str, Any], message: str) -> None:
    with pytest.raises(CannotBeCut, match=message):
        cutting.plan_file(io.BytesIO(data), FileFormat.CSV, ReadOptions(**options), part_bytes=4)


def test_a_file_without_line_feeds_is_not_cut() -> None:
    data = b"a,b\n" + b"1,2\r" * 100
    frame = cutting.plan_file(
        io.BytesIO(data), FileFormat.CSV, ReadOptions(work=WorkSizes(longest_record=64)), part_bytes=40
    )

    with pytest.raises(
        CannotBeCut, match=r"a\.csv: the file has no line feed in the 64 bytes behind byte 44"
    ) as caught:
        cutting.scan_range(io.BytesIO(data), frame, 1, name="a.csv")

    assert isinstance(caught.value, TooBig)


@pytest.mark.slow
@pytest.mark.kernel
@settings(max_examples=examples(300), deadline=None)
@given(
    st.lists(st.sampled_from(['"', '""', ",", "\n", "\r\n", "\r", "a", "é", "#"]), max_size=40),
    st.sampled_from([None, "#"]),
)
@example(['"', '"', "\n"], None)
def test_a_piece_ends_as_its_records_do(tokens: list[str], comment: str | None) -> None:
    """The state and the count of every prefix that ends in a line feed are those of a walk over its bytes."""
    dialect = Dialect(",", '"', None, comment=comment)
    grammar = CsvGrammar(dialect, has_blank_rows=False)
    text = "".join(tokens).encode()
    for end in range(1, len(text) + 1):
        if text[end - 1 : end] != b"\n":
            continue
        for is_open in (False, True):
            expected = walk(text[:end], is_open=is_open, comment=comment)
            for scan in (scanning.open_scanner(grammar), scanning.PlainScanner(grammar)):
                assert scan(text[:end], is_open=is_open) == expected


@pytest.mark.slow
@pytest.mark.kernel
@settings(max_examples=examples(300), deadline=None)
@given(
    st.lists(st.sampled_from(['"a"', '"x""y"', '"\n"', 'a"b', ",", "\n", "\r\n", "\r", "bcd"]), max_size=120),
    st.sampled_from(['"', None]),
    st.booleans(),
)
def test_both_scanners_say_the_same_of_long_texts(
    tokens: list[str],
    quote: str | None,
    has_blank_rows: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    """The kernel looks at 64 bytes at a time: what is at the end of them decides of those behind."""
    grammar = CsvGrammar(Dialect(",", quote, None), has_blank_rows)
    text = "".join(tokens).encode()
    for is_open in {False, quote is not None}:
        expected = scanning.PlainScanner(grammar)(text, is_open=is_open)

        assert scanning.open_scanner(grammar)(text, is_open=is_open) == expected


def walk(text: bytes, *, is_open: bool, comment: str | None) -> scanning.ScannedPiece:
    """What a piece is, byte by byte."""
    state = "quoted" if is_open else "begin"
    first = None if is_open else 0
    ended, begin = 0, None if is_open else 0
    at = 0
    while at < len(text):
        byte = text[at : at + 1]
        if state == "begin" and begin == at and comment and text.startswith(comment.encode(), at):
            state = "comment"
        if state == "quoted":
            state = "closing" if byte == b'"' else "quoted"
        elif state == "closing" and byte == b'"':
            state = "quoted"
        elif byte in {b"\n", b"\r"}:
            is_blank = begin == at or state == "comment"
            ended += not is_blank
            if byte == b"\r" and text[at + 1 : at + 2] == b"\n":
                at += 1
            first = at + 1 if first is None else first
            begin, state = at + 1, "begin"
        elif state != "comment":
            state = {b",": "begin", b'"': "quoted" if state == "begin" else "plain"}.get(byte, "plain")
        at += 1
    return scanning.ScannedPiece(first, ended, line_ends(text), state == "quoted")
