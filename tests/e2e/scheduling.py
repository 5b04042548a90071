"""Which worker runs which end-to-end test: those of one deployment stay together, the longest groups begin first.

A deployment by the CDK takes ten seconds of CPU, so a test that comes to a worker that lacks its deployment is dear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

_OPENED = ("test_accounting", "test_bad_input", "test_figures", "test_large_objects", "test_main_way", "test_real_data")
_ENFORCED = (
    "test_breaker",
    "test_command_line",
    "test_grants",
    "test_iceberg",
    "test_table_buckets",
    "test_webhooks",
)
_DEPLOYMENTS = {**dict.fromkeys(_OPENED, "opened"), **dict.fromkeys(_ENFORCED, "enforced")}
_LONGEST_FIRST = (
    *("enforced", "test_demo", "test_everything", "test_under_fire", "test_big_runs", "a wheel", "opened"),
    *("test_connections", "test_reconcile"),
)
"""Groups by how long they take, so that no worker begins a long one when the others end."""
_LEAVES_IT_CHANGED = "tests/e2e/test_deployments.py::"
"""Whose tests are the last of their group, since they deploy something else there."""


class DeploymentScheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist ships no types
    """Keeps the tests of one deployment in one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return deployment_name(nodeid)


def deployment_name(nodeid: str) -> str:
    """Whose deployment a test uses: ``test_main_way.py::test_x[enforced-a b.csv]`` uses `enforced`."""
    path, _, test = nodeid.partition("::")
    module = path.rpartition("/")[2].removesuffix(".py")
    if "[enforced" in test:
        return "enforced"
    return "a wheel" if "of_a_wheel" in test else _DEPLOYMENTS.get(module, module)


def sort_and_check(items: list[pytest.Item], own: Sequence[pytest.Item]) -> None:
    """Sort the end-to-end tests by their groups; tests of other folders keep their order and come first.

    Raises:
        UsageError: a test asks for a deployment that its group does not have
    """
    for item in own:
        name = deployment_name(item.nodeid)
        asked = {"opened", "enforced"} & set(_fixtures(item)) or {name}
        if asked != {name}:
            raise pytest.UsageError(f"{item.nodeid} asks for {asked}; name its module in tests/e2e/scheduling.py")
    ranks = {item: _rank(deployment_name(item.nodeid)) for item in own}
    items.sort(key=lambda item: ranks.get(item, -1))


def leave_for_the_end(items: list[pytest.Item]) -> None:
    """Put those last that leave their deployment changed; pytest itself has brought equal parameters together."""
    items.sort(key=lambda item: item.nodeid.startswith(_LEAVES_IT_CHANGED))


def _fixtures(item: Any) -> list[str]:
    """The fixtures that a test asks for, `deployed` by the one of its parameter."""
    names = list(getattr(item, "fixturenames", ()))
    return [*names, item.callspec.params["deployed"]] if "deployed" in names else names


def _rank(name: str) -> int:
    return _LONGEST_FIRST.index(name) if name in _LONGEST_FIRST else len(_LONGEST_FIRST)
