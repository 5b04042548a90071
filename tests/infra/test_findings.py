"""What others' rules say of the templates."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cfnlint.config import ConfigMixIn, ManualArgs
from cfnlint.decode.decode import decode_str
from cfnlint.runner import Runner

from tests.infra.cases import CASES, REGION
from tests.infra.templates import Synthesised

# The CDK says a dependency twice, once by reference and once by name.
IGNORED = ["W3005"]


@pytest.fixture(scope="module")
def linter() -> Any:
    """cfn-lint with all its rules, which it would load once more for each template: half of its time."""
    return Runner(ConfigMixIn(**ManualArgs(regions=[REGION], ignore_checks=IGNORED)))


def test_cdk_nag_finds_nothing_that_is_not_acknowledged(synthesised: Synthesised) -> None:
    """AWS's own list of bad habits."""
    assert synthesised.findings == []


@pytest.mark.parametrize("stack", ["storage", "processing"])
@pytest.mark.parametrize("case", sorted(name for name, case in CASES.items() if not case.options.emulator))
def test_cfn_lint_finds_nothing(linter: Any, of_case: Callable[[str], Synthesised], case: str, stack: str) -> None:
    """What CloudFormation would refuse, or regret; the emulator's templates never get there."""
    template, errors = decode_str(json.dumps(getattr(of_case(case), stack).body))

    assert errors == []
    assert [str(match) for match in linter.validate_template(template)] == []
