"""Mutants: small faults that change behaviour, and none that cannot."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.mutation import find_mutants


@pytest.mark.parametrize(
    ("rule", "faults"),
    [
        ("return a < b", {"return None", "a <= b"}),
        ("return a is None", {"return None", "a is not None"}),
        ("return not a", {"return None", "a"}),
        ("return a and b", {"return None", "a or b", "b", "a"}),
        ("return min(a, 3)", {"return None", "max(a, 3)", "4"}),
        ("if a: b()", {"if not a:", "pass"}),
        ("return a if b else c", {"return None", "a", "c"}),
        ("return False", {"True"}),
        ("assert_never(a)", set()),
        ("c = zip(a, b, strict=True)", set()),
        ('raise ValueError(f"{a + 1}")', set()),
        ('"""A docstring."""', set()),
    ],
)
def test_each_rule_has_its_faults(rule: str, faults: set[str]) -> None:
    """The faults of a line, as they are written."""
    mutants = find_mutants("m", f"def f(a, b, c):\n    {rule}\n")
    assert {mutant.after for mutant in mutants} == faults


def test_each_mutant_is_one_fault_and_runs() -> None:
    """Each text differs from the original, no two are alike, and each can be compiled."""
    source = "def f(a, b):\n    if a > 1 and not b:\n        return a + 1\n    return b or 0\n"
    texts = [mutant.source for mutant in find_mutants("m", source)]
    assert len({*texts, ast.unparse(ast.parse(source))}) == len(texts) + 1
    for text in texts:
        compile(text, "m", "exec")


def test_a_mutant_changes_one_place_of_the_text_and_no_line_number() -> None:
    """A statement of three lines stays three lines, so that what is known of lines stays true."""
    source = "def f(a):\n    return max(\n        a,\n        2,  # bytes\n    )\n\n\ndef g():\n    return 7\n"
    texts = {mutant.source for mutant in find_mutants("m", source)}

    assert "def f(a):\n    return max(\n        a,\n        (3),  # bytes\n    )\n\n\ndef g():\n    return 7\n" in texts
    assert all(text.splitlines().index("def g():") == 7 for text in texts)


def test_alike_mutants_of_a_function_have_keys_of_their_own() -> None:
    source = "def f(a):\n    if a:\n        return 1\n    return 1\n"
    keys = [mutant.key for mutant in find_mutants("m", source)]

    assert len(set(keys)) == len(keys)
    assert "m:f: return 1 -> return None (2)" in keys


def test_a_mutant_knows_the_lines_of_its_statement() -> None:
    """Of an `if` its condition, not what is inside."""
    source = "def f(a, b):\n    if (\n        a\n        and b\n    ):\n        return a\n    return b\n"
    lines = {mutant.before: sorted(mutant.lines) for mutant in find_mutants("m", source)}

    assert lines == {"if a and b:": [2, 3, 4, 5], "a and b": [2, 3, 4, 5], "return a": [6], "return b": [7]}
