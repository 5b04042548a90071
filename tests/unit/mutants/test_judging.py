"""Functions of a loaded module are given a mutant's code, wherever they are used by then."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType

import pytest

from millrace.objects import references
from millrace.objects.references import ObjectRef
from tests.mutants.coverage_record import path_of
from tests.mutants.judging import find_functions, replace_functions
from tests.mutants.mutation import Mutant, find_mutants

MODULE = references.__name__


def mutant(key: str) -> Mutant:
    (found,) = (one for one in find_mutants(MODULE, path_of(MODULE).read_text()) if one.key == f"{MODULE}:{key}")
    return found


@pytest.fixture
def functions() -> Iterator[dict[str, list[FunctionType]]]:
    """All living functions; what a test gave them is taken back."""
    living = find_functions()
    codes = [(function, function.__code__) for function in living[MODULE]]
    yield living
    for function, code in codes:
        function.__code__ = code


def test_whoever_imported_a_function_meets_the_fault(functions: dict[str, list[FunctionType]]) -> None:
    fault = mutant("ObjectRef.parse: return cls(bucket, key) -> return None")

    assert replace_functions(fault, functions) == 1

    parsed: object = ObjectRef.parse("s3://b/k")
    assert parsed is None


def test_what_acts_while_a_module_is_loaded_changes_no_function(functions: dict[str, list[FunctionType]]) -> None:
    """It needs the module to be imported again."""
    default = "class A:\n    x: int = 1\n\n    def f(self, y: int = 2) -> int:\n        return self.x + y\n"
    faults = {fault.before: fault for fault in find_mutants(MODULE, default)}

    assert replace_functions(faults["1"], functions) == replace_functions(faults["2"], functions) == 0
