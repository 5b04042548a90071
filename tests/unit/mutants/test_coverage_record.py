"""Which tests run a line: all that would, and not only the first whose answer is kept."""

from __future__ import annotations

import pyarrow as pa

from millrace.engine.types import proof
from tests.mutants.coverage_record import KeptAnswers


def test_what_a_function_keeps_of_an_earlier_test_is_forgotten() -> None:
    caches = KeptAnswers(["millrace.engine.types."])
    proof._pattern.cache_clear()
    proof._pattern(pa.bool_(), "")

    caches.clear_all()
    sizes = [proof._pattern.cache_info().currsize]
    proof._pattern(pa.bool_(), "")
    sizes.append(proof._pattern.cache_info().currsize)
    KeptAnswers(["millrace.ledger."]).clear_all()
    sizes.append(proof._pattern.cache_info().currsize)
    caches.clear_all()

    assert [*sizes, proof._pattern.cache_info().currsize] == [0, 1, 1, 0]
