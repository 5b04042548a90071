"""Deployments that are but a means: the stacks as the CDK makes them, sent by this process and not by its command line.

A `cdk deploy` takes 7 s of CPU, of which all but a second go to starting Node twice and the application once. Here the
application's stacks are made in the process of the tests, which keeps what it started; the emulator gets the same
templates and the same code. That `cdk deploy` itself leads there, ``opened``, ``enforced`` and the demonstration show.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from millrace.demo.deployed import DeployedDemo
from millrace.demo.emulator import ACCOUNT, REGION, Emulator
from millrace.deployment.project import find_project

_PROJECT = find_project()
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


def deploy_quickly(emulator: Emulator, configuration: Path, *, context: Mapping[str, str]) -> DeployedDemo:
    """Deploy a configuration to a bootstrapped emulator that has none yet."""
    with tempfile.TemporaryDirectory() as temporary:
        assembly = Path(temporary)
        stacks = _synthesise(assembly, {"config": str(configuration), **context})
        outputs = {stack: _create_stack(emulator, assembly, stack) for stack in stacks}
    return DeployedDemo.find_in(outputs, emulator, configuration)


def _synthesise(assembly: Path, given: Mapping[str, str]) -> tuple[str, str]:
    """Write the templates; the names of their stacks, in the order of their making."""
    _prepare_node()
    from aws_cdk import App, Environment  # noqa: PLC0415 - starts Node

    from infra.deployment import deploy  # noqa: PLC0415 - as above
    from infra.options import Options  # noqa: PLC0415 - as above
    from millrace.config.document import load  # noqa: PLC0415 - beside its only use

    flags = json.loads((_PROJECT.root / "cdk.json").read_text())["context"]
    options = dataclasses.replace(Options.from_context(given.get), emulator=True)
    # CloudFormation's rules are for tests/infra to check, and code need not be copied to be sent.
    context = {**flags, "aws:cdk:disable-asset-staging": True}
    app = App(outdir=str(assembly), context=context, builtin_cloud_formation_validation=False, tree_metadata=False)
    deploy(app, load(Path(options.config)), options, Environment(account=ACCOUNT, region=REGION))
    app.synth()
    return options.storage_stack, options.processing_stack


def _prepare_node() -> None:
    """Use the Node of the virtual environment, as the command line does."""
    scripts = str(Path(sys.executable).parent)
    if not os.environ["PATH"].startswith(scripts):
        os.environ["PATH"] = os.pathsep.join((scripts, os.environ["PATH"]))


def _create_stack(emulator: Emulator, assembly: Path, name: str) -> dict[str, str]:
    """Send what the stack is made of, then have it made as the CDK's role; its outputs."""
    artifact = json.loads((assembly / "manifest.json").read_text())["artifacts"][name]["properties"]
    assets = json.loads((assembly / f"{name}.assets.json").read_text())["files"]
    s3, client = emulator.client("s3"), emulator.client("cloudformation")
    for asset in assets.values():
        (destination,) = asset["destinations"].values()
        body = _read_asset(assembly, asset["source"])
        s3.put_object(Bucket=destination["bucketName"], Key=destination["objectKey"], Body=body)
    client.create_stack(
        StackName=name,
        TemplateURL=artifact["stackTemplateAssetObjectUrl"].replace("s3://", f"{emulator.url}/"),
        Capabilities=_CAPABILITIES,
        RoleARN=artifact["cloudFormationExecutionRoleArn"].replace("${AWS::Partition}", "aws"),
    )
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}


def _read_asset(assembly: Path, source: Mapping[str, str]) -> bytes:
    path = assembly / source["path"]
    if source["packaging"] == "file":
        return path.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(path.rglob("*")):
            archive.write(file, file.relative_to(path))
    return packed.getvalue()
