"""The light conversion writes what the real one writes."""

from __future__ import annotations

import pytest

from tests.simulation import light
from tests.simulation.files import to_file
from tests.simulation.renderings import Rendering, of_files, of_object
from tests.simulation.setups import Change, Setup, SetupKind

GOOD = ("1,x,7", "2,y,7", "3,x,7")
BAD = ("1,x,7", "8,x", "3,z,7")


def _without_quarantine(rendering: Rendering) -> dict[str, bytes] | None:
    """A quarantine's lines tell row, place and reason; the light ones the row, after its member."""
    if rendering.outputs is None:
        return None
    return {ref.key: data for ref, data in rendering.outputs.items() if "_quarantine" not in ref.key}


@pytest.mark.parametrize("kind", list(SetupKind))
@pytest.mark.parametrize("quarantine", [False, True])
@pytest.mark.parametrize("change", list(Change))
@pytest.mark.parametrize("rows", [GOOD, BAD])
def test_both_write_the_same_and_count_the_same(
    kind: SetupKind, change: Change, rows: tuple[str, ...], *, quarantine: bool
) -> None:
    setup = Setup(kind, quarantine=quarantine, change=change)

    def render(key: str) -> Rendering:
        if kind is SetupKind.RUN:
            return of_files(setup, ((key, to_file(key, rows)), ("in/c.csv", to_file("in/c.csv", GOOD))))
        return of_object(setup, key, to_file(key, rows))

    for key in setup.keys[:2]:
        real = render(key)
        with light.in_place():
            made_lightly = render(key)

        assert _without_quarantine(made_lightly) == _without_quarantine(real)
        assert made_lightly.rows == real.rows


@pytest.mark.parametrize("change", list(Change))
@pytest.mark.parametrize("version", range(1, 31))
def test_so_they_do_of_the_sheets_of_all_versions(version: int, change: Change) -> None:
    """They come and go, have other names, are empty or hidden, and are the first in turn."""
    setup = Setup(SetupKind.SHEETS, quarantine=True, change=change)
    data = to_file("in/a.xlsx", (f"1,x,{version}", f"{version},x", f"2,y,{version}"))

    real = of_object(setup, "in/a.xlsx", data)
    with light.in_place():
        made_lightly = of_object(setup, "in/a.xlsx", data)

    assert real.outputs is not None
    assert _without_quarantine(made_lightly) == _without_quarantine(real)
    assert made_lightly.rows == real.rows
