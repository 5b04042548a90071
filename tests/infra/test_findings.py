"""What others' rules say of the templates."""

from __future__ import annotations

import json
from collections.abc import Callable

import cfnlint
import pytest
from cfnlint.config import ManualArgs

from tests.infra.cases import CASES, REGION
from tests.infra.templates import Synthesised

# The CDK says a dependency twice, once by reference and once by name.
IGNORED = ["W3005"]


def test_cdk_nag_finds_nothing_that_is_not_acknowledged(synthesised: Synthesised) -> None:
    """AWS's own list of bad habits."""
    assert synthesised.findings == []


@pytest.mark.parametrize("stack", ["storage", "processing"])
@pytest.mark.parametrize("case", sorted(name for name, case in CASES.items() if not case.options.emulator))
def test_cfn_lint_finds_nothing(of_case: Callable[[str], Synthesised], case: str, stack: str) -> None:
    """What CloudFormation would refuse, or regret; the emulator's templates never get there."""
    body = getattr(of_case(case), stack).body

    found = cfnlint.lint(json.dumps(body), config=ManualArgs(regions=[REGION], ignore_checks=IGNORED))

    assert [str(match) for match in found] == []
