"""How long messages wait without functions, as `millrace destroy` and the page about deploying say it."""

from __future__ import annotations

from infra.source_queue import RETENTION
from millrace.cli.stacks.destroy import _describe_way_back
from tests.places import ROOT


def test_what_is_said_is_how_long_queues_keep_messages() -> None:
    page = (ROOT / "docs" / "deploying.md").read_text("utf-8")

    assert RETENTION.to_days() == 10
    assert "for ten days" in _describe_way_back([], storage=False)
    assert "messages wait ten days" in page
