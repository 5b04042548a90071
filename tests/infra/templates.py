"""A synthesised deployment, and questions to ask of its templates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import App, Environment, Validations
from cdk_nag import AwsSolutionsChecks

from infra.deployment import deploy
from millrace.config.document import parse
from millrace.deployment.settings import FUNCTIONS_ROOT
from tests.infra.cases import ACCOUNT, REGION, StackCase

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Template:
    """One stack's template."""

    path: Path
    body: dict[str, Any]

    @property
    def resources(self) -> dict[str, Resource]:
        """All resources by logical id."""
        return dict(self.body["Resources"])

    @property
    def outputs(self) -> dict[str, Any]:
        """All outputs by key."""
        return dict(self.body.get("Outputs", {}))

    def of(self, kind: str) -> dict[str, Resource]:
        """The resources of a type, such as ``SQS::Queue``, by logical id."""
        return {name: one for name, one in self.resources.items() if one["Type"] == f"AWS::{kind}"}

    def properties(self, kind: str) -> list[dict[str, Any]]:
        """The properties of the resources of a type."""
        return [one["Properties"] for one in self.of(kind).values()]

    def one(self, kind: str) -> Resource:
        """The only resource of a type."""
        (found,) = self.of(kind).values()
        return found

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every statement of every policy, with the type of the resource that holds it."""
        for resource in self.resources.values():
            for document in _policy_documents(resource["Properties"]):
                yield from ((resource["Type"], statement) for statement in document["Statement"])


@dataclass(frozen=True, slots=True)
class Synthesised:
    """Both templates of a case, and what cdk-nag had to say."""

    case: StackCase
    storage: Template
    processing: Template
    findings: list[str]

    @property
    def both(self) -> tuple[Template, Template]:
        """The two templates."""
        return self.storage, self.processing


FLAGS = json.loads((FUNCTIONS_ROOT.parent / "cdk.json").read_text())["context"]
HERE = Environment(account=ACCOUNT, region=REGION)


def synthesise(case: StackCase, folder: Path, env: Environment = HERE) -> Synthesised:
    """What the CDK writes to ``folder`` for a case, cdk-nag's report included; assets are not copied."""
    write_assembly(case, folder, env)
    return read_assembly(case, folder)


def write_assembly(case: StackCase, folder: Path, env: Environment = HERE) -> None:
    """Synthesise as the CDK does."""
    app = App(outdir=str(folder), context={**FLAGS, "aws:cdk:disable-asset-staging": True})
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    deploy(app, parse(case.data), case.options, env)
    try:
        app.synth()
    except RuntimeError as error:  # what jsii makes of "Validation failed"
        if "Validation failed" not in str(error):
            raise


def read_assembly(case: StackCase, folder: Path) -> Synthesised:
    """What a case was synthesised to before."""
    storage, processing = (
        Template(path, json.loads(path.read_text()))
        for path in (
            folder / f"{stack}.template.json" for stack in (case.options.storage_stack, case.options.processing_stack)
        )
    )
    return Synthesised(case, storage, processing, list(_findings(folder)))


def _findings(folder: Path) -> Iterator[str]:
    report = folder / "validation-report.json"
    for plugin in json.loads(report.read_text())["pluginReports"]:
        for violation in plugin["violations"]:
            for construct in violation["violatingConstructs"]:
                yield f"{violation['ruleName']} at {construct['constructPath']}"


def _policy_documents(value: Any) -> Iterator[dict[str, Any]]:
    match value:
        case {"Statement": list()}:
            yield value
        case dict():
            for inner in value.values():
                yield from _policy_documents(inner)
        case list():
            for inner in value:
                yield from _policy_documents(inner)


def listed(value: Any) -> list[Any]:
    """A statement's field as a list, whether it holds one or several."""
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """A value of a template as text: references as `<name>`."""
    match value:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator.join(map(text, parts)))
        case {"Fn::ImportValue": name}:
            return f"<{name}>"
        case _:
            return str(value)
