"""Take a grant away, and give it back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from millrace.demo.deployed import DeployedDemo


@contextlib.contextmanager
def without(deployed: DeployedDemo, action: str, function: str | None = None) -> Iterator[None]:
    """Take ``action`` from the role of a function, by default the convert function's, and give it back."""
    iam = deployed.emulator.client("iam")
    role = _role(deployed, function or deployed.resources.convert_function)
    policies = _read_policies(deployed, role)
    assert action in json.dumps(policies)
    try:
        for name, policy in policies.items():
            less = json.dumps(policy).replace(f'"{action}"', '"s3:GetBucketLocation"')
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=less)
        yield
    finally:
        for name, policy in policies.items():
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))


def granted_actions(deployed: DeployedDemo, function: str) -> set[str]:
    """All actions that a function's role is allowed."""
    actions = set[str]()
    for policy in _read_policies(deployed, _role(deployed, function)).values():
        for statement in policy["Statement"]:
            listed = statement["Action"]
            actions |= {listed} if isinstance(listed, str) else set(listed)
    return actions


def _read_policies(deployed: DeployedDemo, role: str) -> dict[str, Any]:
    """The documents of a role's own policies, by their names."""
    iam = deployed.emulator.client("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}


def _role(deployed: DeployedDemo, function: str) -> str:
    found = deployed.emulator.client("lambda").get_function_configuration(FunctionName=function)
    return str(found["Role"].rpartition("/")[2])
