"""Types from evidence: what is put together in any order, from any parts, says the same."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.names import column_names
from millrace.engine.types import inference
from tests.properties import examples

text = (
    st.none()
    | st.sampled_from(["1", "-7", "1.5", "1.0", "10.10", "00501", "true", "2024-01-01", "1e5", "x", "9" * 20, "9" * 40])
    | st.integers().map(str)
    | st.floats().map(str)
)
texts = st.lists(text, max_size=6)


def array(items: list[str | None]) -> pa.Array:
    return pa.array(items, pa.string())


@settings(deadline=None, max_examples=examples(50))
@given(texts, st.randoms(use_true_random=False))
def test_a_type_depends_neither_on_order_nor_on_parts(items: list[str | None], chance: st.DataObject) -> None:
    shuffled = sorted(items, key=lambda _: chance.random())  # type: ignore[attr-defined] # it is a random.Random

    evidence = inference.Evidence()
    for item in shuffled:
        evidence = evidence.observe(array([item]))

    assert evidence.resolve() == inference.infer(array(items))


@settings(deadline=None, max_examples=examples(50))
@given(texts, texts)
def test_evidence_of_parts_is_evidence_of_the_whole(ours: list[str | None], theirs: list[str | None]) -> None:
    first, second = (inference.Evidence().observe(array(items)) for items in (ours, theirs))

    assert first.join(second).resolve() == second.join(first).resolve() == inference.infer(array(ours + theirs))


@settings(deadline=None, max_examples=examples(30))
@given(st.lists(st.tuples(text, text, text), min_size=2, max_size=3))
def test_columns_looked_at_together_are_seen_like_alone(parts: list[tuple[str | None, ...]]) -> None:
    alone = [inference.Evidence()] * 3
    together: list[inference.Evidence | inference.Demanded] = [inference.Evidence()] * 3
    for part in parts:
        columns = [array([item]) for item in part]
        alone = [known.observe(column) for known, column in zip(alone, columns, strict=True)]
        seen = inference.observe_all(together, columns)
        together = [a.join(b) for a, b in zip(together, seen, strict=True)]  # type: ignore[arg-type] # evidence only

    assert [known.resolve() for known in together] == [known.resolve() for known in alone]


@settings(deadline=None, max_examples=examples(50))
@given(texts)
def test_an_inferred_type_prints_every_value_back(items: list[str | None]) -> None:
    kind = inference.infer(array(items))

    assert inference.fit(array(items), kind) is not None


@pytest.mark.parametrize(
    ("names", "unique"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a_2", "a_3"]),
        (["a", "a", "a_2", "a_2"], ["a", "a_3", "a_2", "a_2_2"]),
        (["", "column_1", ""], ["column_1_2", "column_1", "column_3"]),
    ],
)
def test_column_names_are_unique_and_lose_none(names: list[str], unique: list[str]) -> None:
    assert column_names(names) == unique


@settings(deadline=None)
@given(st.lists(st.sampled_from(["", "a", "a_2", "a_3", "column_1", "column_1_2"]), max_size=8))
def test_no_two_columns_share_a_name(names: list[str]) -> None:
    unique = column_names(names)

    assert len(set(unique)) == len(names)
    assert set(names) - {""} <= set(unique)


@pytest.mark.parametrize("spoilt", [None, "1.50", "x"])
def test_columns_of_few_texts_are_read_like_others(spoilt: str | None) -> None:
    """Where texts come again and again each is looked at once; the values are the same."""
    few = pa.array([None, *["0.5", None, "-2.25"] * 2000, spoilt], pa.string()).slice(1)
    many = pa.array([f"{number}.5" for number in range(len(few))], pa.string())
    empty = pa.nulls(len(few), pa.string())

    fitted = inference.fit_all([few, many, empty], inference.DOUBLE)

    alone = [inference.fit(column, inference.DOUBLE) for column in (few, many, empty)]
    assert fitted == (alone if spoilt is None else None)
    if spoilt is None:
        assert inference.fit_all([few], inference.DOUBLE) == alone[:1]


@pytest.mark.parametrize("unfit", ["1e400", "0000-01-01", "9" * 80])
def test_a_first_text_that_only_looks_like_a_number_is_text(unfit: str) -> None:
    """Its type is chosen by its look, and has to fit it, too."""
    assert inference.guess([array([unfit])]) == inference.infer(array([unfit])) == inference.TEXT


numbers = st.sampled_from(["0", "-0", "0.0", "-0.0", "0.5", "2.0", "10.10", "1e5", "1e16", "9" * 16, "9" * 16 + ".0"])


@settings(deadline=None, max_examples=examples(150))
@given(texts | st.lists(st.none() | numbers, max_size=20))
def test_the_first_candidate_that_fits_is_the_type_of_all_texts(items: list[str | None]) -> None:
    """No kind is left out of the candidates that all texts could have had."""
    column = array(items)
    candidates = inference.Candidates([column])

    kind = candidates.next_kind()
    while inference.fit(column, kind) is None:
        kind = candidates.next_kind()

    assert kind == inference.infer(column)


def test_kinds_that_a_first_text_could_have_and_others_contradict_are_not_tried() -> None:
    beginnings = {("0", "0.5"): inference.DOUBLE_BARE, ("0.5", "2.0"): inference.DOUBLE, ("1", "2"): inference.INTEGER}

    assert {texts: inference.Candidates([array(list(texts))]).next_kind() for texts in beginnings} == beginnings
