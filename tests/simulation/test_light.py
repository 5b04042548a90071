"""The light conversion writes what the real one writes."""

from __future__ import annotations

import pytest

from tests.simulation import light
from tests.simulation.renderings import Rendering, of_files, of_object
from tests.simulation.setups import Change, Setup, SetupKind

GOOD = light.HEADER + b"1,x,7\n2,y,7\n3,x,7\n"
BAD = light.HEADER + b"1,x,7\n8,x\n3,z,7\n"


def _without_quarantine(rendering: Rendering) -> dict[str, bytes] | None:
    """A quarantine's lines tell row, place and reason; the light ones the row alone."""
    if rendering.outputs is None:
        return None
    return {ref.key: data for ref, data in rendering.outputs.items() if "_quarantine" not in ref.key}


@pytest.mark.parametrize("kind", list(SetupKind))
@pytest.mark.parametrize("quarantine", [False, True])
@pytest.mark.parametrize("change", list(Change))
@pytest.mark.parametrize("data", [GOOD, BAD])
def test_both_write_the_same_and_count_the_same(
    kind: SetupKind, change: Change, data: bytes, *, quarantine: bool
) -> None:
    setup = Setup(kind, quarantine=quarantine, change=change)

    def render() -> Rendering:
        if kind is SetupKind.RUN:
            return of_files(setup, (("in/a.csv", data), ("in/b.csv", GOOD)))
        return of_object(setup, "in/a.csv", data)

    real = render()
    with light.in_place():
        made_lightly = render()

    assert _without_quarantine(made_lightly) == _without_quarantine(real)
    assert made_lightly.rows == real.rows
