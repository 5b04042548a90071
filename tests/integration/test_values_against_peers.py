"""Which values survive, in Millrace and in its peers: the outcomes that docs/values-compared.md tells are what happens.

A peer's new version that does otherwise fails here: ``python -m tests.peers.page`` writes record and page anew.
"""

from __future__ import annotations

import pytest

from tests.peers.inputs import INPUTS, Input
from tests.peers.outcomes import KEPT, REFUSED
from tests.peers.page import PAGE, markdown, measure, recorded

REFUSED_BY_RULE = {
    "encodings and line ends: latin-1, untold",
    "JSON: a key twice",
    "JSON: half a surrogate pair",
}


@pytest.mark.parametrize("given", INPUTS, ids=lambda given: given.name)
def test_every_tool_does_what_is_recorded(given: Input) -> None:
    assert measure(given) == recorded()[given.name]


@pytest.mark.parametrize("given", INPUTS, ids=lambda given: given.name)
def test_millrace_keeps_every_value_or_refuses_by_a_written_rule(given: Input) -> None:
    found = recorded()[given.name]["Millrace"]

    assert found == REFUSED if given.name in REFUSED_BY_RULE else found.startswith(KEPT)


def test_no_two_inputs_share_a_name_and_nothing_else_is_recorded() -> None:
    assert [given.name for given in INPUTS] == list(recorded())


def test_the_page_tells_what_is_recorded() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(recorded()), "run python -m tests.peers.page"
