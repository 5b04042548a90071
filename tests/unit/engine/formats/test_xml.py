"""XML: which elements are rows, what becomes of what is inside of them, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.explain.any_file import explain_file
from millrace.engine.formats.registry import FORMATS
from millrace.engine.options import TARGET_FORMATS, Compression, FileFormat, ReadOptions
from millrace.errors import DataError, MalformedFile, TooBig, TruncatedFile
from tests.unit.engine.formats.builders import conversion, converted

XML = FORMATS[FileFormat.XML]
BOOKS = """<?xml version="1.0"?>
<catalog>
  <note>two books</note>
  <books>
    <book id="1"><title>A &amp; B</title><price>10.50</price><tag>x</tag><tag>y</tag></book>
    <book id="02" lang="en"><title><![CDATA[<raw>]]></title><price>7.25</price><tag>z</tag></book>
  </books>
</catalog>
"""


def read_table(text: str | bytes, **options: Any) -> pa.Table:
    data = text.encode() if isinstance(text, str) else text
    records = XML.read(io.BytesIO(data), ReadOptions(**options), report=lambda bad: pytest.fail(str(bad)))
    return pa.Table.from_batches(list(records.batches), records.schema)


def rows_of(text: str | bytes, **options: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_table(text, **{"infer_types": False} | options).to_pylist()
    return rows


def test_a_path_says_which_elements_are_rows() -> None:
    assert rows_of(BOOKS, xml_row="catalog/books/book") == [
        {"@id": "1", "title": "A & B", "price": "10.50", "tag": '["x", "y"]', "@lang": None},
        {"@id": "02", "title": "<raw>", "price": "7.25", "tag": '"z"', "@lang": "en"},
    ]


def test_without_a_path_the_roots_children_are_rows() -> None:
    assert rows_of("<a><b><c>1</c></b><b><c>2</c></b></a>") == [{"c": "1"}, {"c": "2"}]


def test_children_of_several_names_need_a_path() -> None:
    with pytest.raises(MalformedFile, match=r"'note' and 'books' at byte \d+; .*xml_row: catalog/note"):
        rows_of(BOOKS)


def test_text_beside_the_rows_needs_a_path_too() -> None:
    text = "<a>\n  <b><c>1</c></b>\n  lost\n  <b><c>2</c></b>\n</a>"

    with pytest.raises(MalformedFile, match=r"the document's root 'a' has text beside its rows, .* 'lost'; .*xml_row"):
        rows_of(text)
    assert rows_of(text, xml_row="a/b") == [{"c": "1"}, {"c": "2"}]


def test_blanks_are_a_value_where_an_element_says_so() -> None:
    kept = rows_of('<a><b><c xml:space="preserve"> </c><d lang="en"> </d></b></a>')

    assert json.loads(kept[0]["c"]) == {"@xml:space": "preserve", "#text": " "}
    assert json.loads(kept[0]["d"]) == {"@lang": "en"}


def test_columns_get_the_types_that_all_values_have() -> None:
    table = read_table(BOOKS, xml_row="catalog/books/book")

    assert table.schema.field("price").type == pa.decimal128(18, 2)
    assert table.schema.field("@id").type == pa.string()


def test_a_late_value_widens_the_type_of_all() -> None:
    text = "<a>" + "<b><c>1</c></b>" * 10_000 + "<b><c>x</c></b></a>"

    assert read_table(text).column("c").to_pylist()[-2:] == ["1", "x"]


def test_nested_elements_are_json_text() -> None:
    text = '<a><b><c k="v">t<d>1</d></c></b><b><c>plain</c></b><b/></a>'

    rows = rows_of(text)

    assert json.loads(rows[0]["c"]) == {"@k": "v", "d": "1", "#text": "t"}
    assert [row["c"] for row in rows[1:]] == ['"plain"', None]


def test_json_gets_them_as_they_are() -> None:
    out = converted(b"<a><b><c><d>1</d></c></b></a>", "xml", "json")

    assert json.loads(out) == {"c": {"d": "1"}}


def test_missing_empty_and_nil_differ() -> None:
    text = '<a xmlns:xsi="x"><b><c/><d> </d></b><b/><b><c xsi:nil="true"/></b></a>'

    assert rows_of(text) == [
        {"c": "", "d": " "}, {"c": None, "d": None}, {"c": None, "d": None},
    ]  # fmt: skip


def test_rows_of_text_alone() -> None:
    assert rows_of("<a><b>1</b><b>2</b></a>") == [{"#text": "1"}, {"#text": "2"}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "cp1252"])
def test_the_document_says_its_encoding(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><a><b><c>é</c></b></a>'

    assert rows_of(text.encode(encoding)) == [{"c": "é"}]


def test_it_is_read_compressed() -> None:
    data = gzip.compress(BOOKS.encode())

    assert len(rows_of(data, compression=Compression.GZIP, xml_row="catalog/books/book")) == 2


@pytest.mark.parametrize("target", TARGET_FORMATS)
def test_it_becomes_every_format_and_counts_add_up(target: FileFormat) -> None:
    rows = conversion(BOOKS.encode(), "xml", target, xml_row="catalog/books/book").rows

    assert (rows.read, rows.written) == (2, 2)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("catalogue/books/book", r"^xml_row: catalogue/books/book leads to no row: the document has 'catalog'"),
        ("catalog/boooks/book", r"'catalog' has 'note', 'books', and no 'boooks'; did you mean 'books'\?"),
        ("catalog/books/Book", r"'catalog/books' has 'book', and no 'Book'; did you mean 'book'\?"),
        ("catalog/books/book/page", r"'catalog/books/book' has 'title', 'price', 'tag', and no 'page'"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_with_what_is_there(path: str, says: str) -> None:
    with pytest.raises(MalformedFile, match=says):
        read_table(BOOKS, xml_row=path)


@pytest.mark.parametrize("text", ["<catalog/>", "<catalog>\n</catalog>", "<catalog><note/><books/></catalog>"])
def test_an_empty_element_on_the_way_has_no_rows(text: str) -> None:
    assert read_table(text, xml_row="catalog/books/book").num_rows == 0


def test_many_names_in_the_way_are_not_all_shown() -> None:
    many = "".join(f"<n{number}/>" for number in range(1000))

    with pytest.raises(MalformedFile, match=r"'n19' and more, and no 'row'"):
        read_table(f"<a>{many}</a>", xml_row="a/row")
    assert read_table("<a/>").num_rows == 0


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]><a><b>&x;</b></a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "http://example.invalid/">]><a>&x;</a>',
    ],
)
def test_a_document_type_is_refused(text: str) -> None:
    with pytest.raises(MalformedFile, match=r"document type \('a'\)"):
        rows_of(text)


def test_an_entity_that_nobody_defines_is_refused() -> None:
    with pytest.raises(MalformedFile, match="undefined entity"):
        rows_of("<a><b>&x;</b></a>")


def test_every_cut_is_refused() -> None:
    data = BOOKS.encode().rstrip()

    for end in range(len(data)):
        with pytest.raises((TruncatedFile, MalformedFile)):
            rows_of(data[:end], xml_row="catalog/books/book")


def test_a_cut_document_is_known_as_one() -> None:
    with pytest.raises(TruncatedFile, match="after 60 bytes"):
        rows_of(BOOKS.encode()[:60], xml_row="catalog/books/book")


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "<a><b></a>", "<a b=1/>", '{"a": 1}', "<a>\0</a>"])
def test_what_is_no_xml_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(MalformedFile, match="no XML in line 1"):
        rows_of(text)


def test_depth_is_bounded() -> None:
    with pytest.raises(MalformedFile, match="200 deep"):
        rows_of("<a>" * 1000)


@pytest.mark.slow
def test_columns_are_bounded() -> None:
    columns = [f"<c{number}>1</c{number}>" for number in range(20_001)]
    text = f"<a><b>{''.join(columns[:12_000])}</b><b>{''.join(columns[12_000:])}</b></a>"

    with pytest.raises(TooBig, match="20,001 columns"):
        rows_of(text)


def test_explain_says_the_path() -> None:
    read = ReadOptions(xml_row="catalog/books/book")

    content = explain_file(io.BytesIO(BOOKS.encode()), FileFormat.XML, read).content

    assert content.error is None
    assert [(fact.name, fact.value) for fact in content.facts] == [("rows", "catalog/books/book")]
    assert [(column.name, column.type) for column in content.columns][2] == ("price", "decimal(18,2)")


TEXTS = st.text(st.characters(categories=["L", "N", "P", "Zs"], exclude_characters="<&\r"), min_size=1, max_size=8)


@given(st.lists(TEXTS, max_size=20))
def test_texts_come_back(texts: list[str]) -> None:
    document = "<a>" + "".join(f"<b><c>{text}</c></b>" for text in texts).replace("]]>", "]]&gt;") + "</a>"

    assert [row["c"] for row in rows_of(document)] == texts


@given(st.binary(max_size=60))
def test_any_bytes_are_rows_or_refused(data: bytes) -> None:
    try:
        read_table(b"<a><b>" + data + b"</b></a>")
    except DataError:
        return
