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
        ("if a: b()", {"if not a: b()", "pass"}),
        ("return a if b else c", {"return None", "a", "c"}),
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
