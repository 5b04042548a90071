"""What others' rules say of the templates."""

from __future__ import annotations

import json

import cfnlint
import pytest
from cfnlint.config import ManualArgs

from tests.infra.cases import REGION
from tests.infra.templates import Synthesised

# The CDK says a dependency twice, once by reference and once by name.
IGNORED = ["W3005"]
# The emulator asks for sqs:SendMessageBatch, an action that AWS does not have.
IGNORED_ON_EMULATOR = [*IGNORED, "W3037"]


def test_cdk_nag_finds_nothing_that_is_not_acknowledged(synthesised: Synthesised) -> None:
    """AWS's own list of bad habits."""
    assert synthesised.findings == []


@pytest.mark.parametrize("stack", ["storage", "processing"])
def test_cfn_lint_finds_nothing(synthesised: Synthesised, stack: str) -> None:
    """What CloudFormation would refuse, or regret."""
    body = getattr(synthesised, stack).body
    ignored = IGNORED_ON_EMULATOR if synthesised.case.options.emulator else IGNORED

    found = cfnlint.lint(json.dumps(body), config=ManualArgs(regions=[REGION], ignore_checks=ignored))

    assert [str(match) for match in found] == []
