"""An account that is ready for the CDK, without its command line: what that once sent is sent once more.

``cdk bootstrap`` takes 3.5 s of CPU, of which the emulator's share is one; a run of this suite needs a dozen. The
command itself is run by the demonstration's tests, where policies decide, and whenever nothing is kept yet.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from millrace.demo.deploy import bootstrap
from millrace.demo.emulator import Emulator
from tests.places import ROOT

_STACK = "CDKToolkit"


def bootstrap_quickly(emulator: Emulator) -> None:
    """Prepare the emulator's account as ``bootstrap`` does."""
    place = _find_place()
    client = emulator.client("cloudformation")
    if place.is_file():
        client.create_stack(StackName=_STACK, **json.loads(place.read_text()))
        client.get_waiter("stack_create_complete").wait(StackName=_STACK, WaiterConfig={"Delay": 1})
        return
    bootstrap(emulator)
    _write_whole(place, _read_request(client))


def _find_place() -> Path:
    """Of the CDK that is pinned: another version has another template."""
    pinned = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()[:12]
    return ROOT / "build" / "bootstrap" / f"{pinned}.json"


def _read_request(client: Any) -> dict[str, Any]:
    """What makes the same stack."""
    (stack,) = client.describe_stacks(StackName=_STACK)["Stacks"]
    body = client.get_template(StackName=_STACK)["TemplateBody"]
    given = [
        {name: parameter[name] for name in ("ParameterKey", "ParameterValue")} for parameter in stack["Parameters"]
    ]
    return {
        "TemplateBody": body if isinstance(body, str) else json.dumps(body),
        "Parameters": given,
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }


def _write_whole(place: Path, request: dict[str, Any]) -> None:
    """Under its name only when it is whole: several workers may write it at once."""
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_suffix(f".{os.getpid()}")
    aside.write_text(json.dumps(request))
    aside.replace(place)
