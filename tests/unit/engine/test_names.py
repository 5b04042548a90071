"""Names of output fields."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from millrace.engine.names import normalize, number_doubles
from tests.properties import examples

header = st.text(max_size=6) | st.sampled_from(["a", "A", "a_2", "A b", "", "_", "1", "İ", "ⅷ", "ﬁ", "क्षि", "a-2"])


def formed(names: list[str]) -> list[str]:
    return number_doubles([normalize(name, place) for place, name in enumerate(names, 1)], names)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Customer ID", "customer_id"),
        ("  Total (€)  ", "total"),
        ("__a--b__", "a_b"),
        ("2024 sales", "_2024_sales"),
        ("Straße", "straße"),
        ("ＦＵＬＬ", "full"),
        ("x²", "x2"),
        ("क्षि", "क्षि"),
        ("İstanbul", "i̇stanbul"),
        ("***", "column_7"),
        ("", "column_7"),
    ],
)
def test_the_form(name: str, expected: str) -> None:
    assert normalize(name, 7) == expected


@settings(max_examples=examples(150), deadline=None)
@given(header)
@example("ϓ")
@example("\u0345\u0301a")
def test_once_is_as_good_as_twice(name: str) -> None:
    once = normalize(name, 3)

    assert normalize(once, 3) == once
    assert once == once.lower()
    assert "__" not in once
    assert not once.endswith("_")


@settings(max_examples=examples(80), deadline=None)
@given(st.lists(header, max_size=6), st.sets(header, max_size=2))
def test_no_name_comes_twice_and_given_ones_stay(names: list[str], reserved: set[str]) -> None:
    wanted = [normalize(name, place) for place, name in enumerate(names, 1)]

    unique = number_doubles(wanted, names, reserved)

    assert len(set(unique) | reserved) == len(unique) + len(reserved)
    for place, name in enumerate(names):
        if name == wanted[place] and names.index(name) == place and name not in reserved:
            assert unique[place] == name


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(header, max_size=6))
def test_names_in_the_form_stay_when_formed_again(names: list[str]) -> None:
    once = formed(names)

    assert formed(once) == once


def test_numbers_leave_out_what_is_taken() -> None:
    assert formed(["A", "a", "a", "a_2"]) == ["a_4", "a", "a_3", "a_2"]
