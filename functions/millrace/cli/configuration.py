"""`millrace validate`, `millrace schema` and `millrace connections`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from millrace.config import AccessKeys, Connection, Document, IamRole, Severity, load, schema_text
from millrace.errors import InvalidConfiguration, MillraceError, UsageError

Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="MILLRACE_CONFIG", help="The configuration file, YAML or JSON."),
]
DEFAULT_CONFIG = Path("millrace.yaml")

connections = typer.Typer(
    help="Show connections with what their AWS side needs: external id, trust policy, user. `store` keeps keys safely.",
    invoke_without_command=True,
)


def validate(
    file: Annotated[Path | None, typer.Argument(help="The configuration file; instead of --config.")] = None,
    *,
    config: Config = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Problems as JSON lines on standard output.")] = False,
) -> None:
    """Check a configuration: all problems at once, each with the path of its field. Nothing is contacted.

    Example: millrace validate millrace.yaml
    """
    path = file or config
    try:
        document = load(path)
    except InvalidConfiguration as error:
        if not as_json:
            raise
        for problem in error.problems:
            typer.echo(json.dumps({"severity": "error", "problem": problem}, ensure_ascii=False))
        raise typer.Exit(1) from None
    refused = _tell_not_yet(document, as_json=as_json)
    if refused:
        raise typer.Exit(1)
    if not as_json:
        Console(highlight=False, soft_wrap=True).print(
            f"[green]valid[/green]: {path}: {len(document.connections)} connections, {len(document.bulk_syncs)} bulk "
            f"syncs, {len(document.models)} models, {len(document.model_syncs)} model syncs"
        )


def _tell_not_yet(document: Document, *, as_json: bool) -> bool:
    console, refused = Console(stderr=True, highlight=False, markup=False, soft_wrap=True), False
    told = [(str(one.severity), str(one)) for one in document.not_yet()]
    told += [("warning", problem) for problem in document.inline_secret_problems()]
    for severity, problem in told:
        refused = refused or severity == Severity.REFUSED
        word = "error" if severity == Severity.REFUSED else "warning"
        if as_json:
            typer.echo(json.dumps({"severity": word, "problem": problem}, ensure_ascii=False))
        else:
            console.print(f"{word}: {problem}")
    return refused


def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors.

    Example: millrace schema > millrace.schema.json
    """
    typer.echo(schema_text(), nl=False)


@connections.callback()
def show_connections(
    context: typer.Context,
    *,
    config: Config = DEFAULT_CONFIG,
    account: Annotated[str, typer.Option(help="Account id of the functions, for the trust policy.")] = "",
    role: Annotated[str, typer.Option(help="Role of the functions; with it the trust policy names it alone.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a connection.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask AWS who the access keys are.")] = False,
) -> None:
    """Show connections: where, how they authenticate, and for a role the exact trust policy to paste."""
    context.obj = config
    if context.invoked_subcommand is not None:
        return
    document = load(config)
    for connection in document.connections:
        told = _described(document, connection, account=account, role=role, offline=offline)
        if as_json:
            typer.echo(json.dumps(told, ensure_ascii=False))
        else:
            _print_connection(told)


def _described(
    document: Document, connection: Connection, *, account: str, role: str, offline: bool
) -> dict[str, object]:
    told: dict[str, object] = {
        "name": connection.name,
        "location": str(connection.root),
        "region": connection.region,
        "auth_mode": str(connection.configuration.auth_mode),
    }
    match connection.auth:
        case IamRole(arn=arn, external_id=external_id):
            told |= {"iam_role_arn": arn, "external_id": external_id}
            told["trust_policy"] = trust_policy(external_id, account=account, role=role)
        case AccessKeys() if not offline:
            told["aws_user"] = _aws_user(document, connection)
        case _:
            pass
    return told


def trust_policy(external_id: str, *, account: str, role: str) -> dict[str, object]:
    """The trust policy of a role that only this deployment may assume, and only with the external id.

    Source: IAM User Guide, "Access to AWS accounts owned by third parties".
    """
    principal = role or f"arn:aws:iam::{account or '<account id of the functions>'}:root"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": principal},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
            }
        ],
    }


def _aws_user(document: Document, connection: Connection) -> str:
    from millrace.aws.faults import translated  # noqa: PLC0415 - boto3 takes a third of a second to import
    from millrace.aws.sessions import Sessions  # noqa: PLC0415 - as above

    try:
        with translated("sts:GetCallerIdentity for", f"connection {connection.name!r}"):
            return Sessions(document).sts(connection).get_caller_identity()["Arn"]
    except MillraceError as error:
        return f"unknown: {error}"


def _print_connection(told: dict[str, object]) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(str(told["name"]), style="bold")
    for name, value in told.items():
        if name == "trust_policy":
            console.print("  trust policy to paste at the role:")
            console.print(json.dumps(value, indent=2))
        elif name != "name":
            console.print(f"  {name}: {value}")


@connections.command("store")
def store(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The connection whose keys are stored.")],
    secret: Annotated[str, typer.Option(help="Name of the secret; default millrace/NAME.")] = "",
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Put a connection's inline access keys into Secrets Manager and print the connection without them.

    Example: millrace connections --config millrace.yaml store partner
    """
    connection = load(context.obj).connection(name)
    match connection.auth:
        case AccessKeys(access_key_id=key_id, secret_access_key=key) if key_id and key:
            secret = secret or f"millrace/{name}"
            if not dry_run:
                _put_secret(secret, key_id.get_secret_value(), key.get_secret_value())
        case _:
            raise UsageError(f"connection {name!r} has no inline access keys; there is nothing to store")
    done = "would store" if dry_run else "stored"
    typer.echo(f"{done} the keys of {name!r} in the secret {secret!r}; replace the connection by:", err=True)
    fields = connection.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    for field in ("aws_access_key_id", "aws_secret_access_key"):
        fields["configuration"].pop(field, None)
    fields["configuration"]["aws_credentials_secret"] = secret
    typer.echo(json.dumps(fields, indent=2, ensure_ascii=False))


def _put_secret(secret: str, key_id: str, key: str) -> None:
    import boto3  # noqa: PLC0415 - takes a third of a second to import
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

    from millrace.aws.faults import error_code, translated  # noqa: PLC0415 - as above

    client = boto3.client("secretsmanager")
    text = json.dumps({"aws_access_key_id": key_id, "aws_secret_access_key": key})
    with translated("secretsmanager:CreateSecret of", secret):
        try:
            client.create_secret(Name=secret, SecretString=text)
        except ClientError as error:
            if error_code(error) != "ResourceExistsException":
                raise
            client.put_secret_value(SecretId=secret, SecretString=text)
