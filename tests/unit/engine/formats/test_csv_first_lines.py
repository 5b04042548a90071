"""Files whose first lines say that they may be no CSV."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.errors import AmbiguousDialect, MalformedFile
from tests.unit.engine.formats.builders import converted

PAGES = {
    b"<!DOCTYPE html>\n<html><body>Access denied</body></html>\n": "an HTML page",
    b"\xef\xbb\xbf\r\n <HTML>\n": "an HTML page",
    b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>': "an XML document",
    "<!doctype html>\n".encode("utf-16"): "an HTML page",
}


def rows(data: bytes, **options: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in converted(data, "csv", "json", **options).splitlines()]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("has_headers", [True, False])
def test_a_page_that_was_saved_as_csv_is_no_table(page: bytes, *, has_headers: bool) -> None:
    with pytest.raises(MalformedFile, match=PAGES[page]):
        converted(page, "csv", "json", has_headers=has_headers)


def test_who_says_the_delimiter_may_have_markup_in_a_field() -> None:
    data = b"<html>,1\n<html>,2\n"

    assert rows(data, has_headers=False, delimiter=",") == [
        {"column_1": "<html>", "column_2": 1},
        {"column_1": "<html>", "column_2": 2},
    ]


@pytest.mark.parametrize(
    ("data", "mark"),
    [
        (b"# made by x\n# today\nname\nAnna\n", "#"),
        (b"# made by x\n# today\na,b\n1,2\n", "#"),
        (b"#Version: 1.0\n#Fields: a b\n1 2\n", "#"),
        (b"-- one\n-- two\n-- three\na\n1\n", "--"),
        (b"// one\r\n// two\r\na\r\n1\r\n", "//"),
    ],
)
def test_several_first_lines_with_a_mark_are_comments_or_rows_and_nobody_guesses_which(data: bytes, mark: str) -> None:
    with pytest.raises(AmbiguousDialect, match=f"set csv_comment: '{mark}' if they are comments"):
        converted(data, "csv", "json")


@pytest.mark.parametrize(
    "data", [b"#\n1\n2\n", b"#id,name\n1,a\n", b"#a\n#b\n#c\n", b"#a\n#b\nc\n#d\n", b"%\n5%\n7%\n"]
)
def test_a_mark_in_the_header_or_in_rows_everywhere_is_text(data: bytes) -> None:
    assert rows(data)
