"""`millrace validate`, `millrace schema` and `millrace connections`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from millrace.cli.completion import COMPLETE_CONNECTION
from millrace.cli.extras import require_extra
from millrace.cli.terminal import Terminal, print_json, print_line
from millrace.cli.waiting import show_waiting
from millrace.config.connection import AccessKeys, Connection, ExecutionRole, IamRole, QueueArn, suggest_secret
from millrace.config.document import Document, load
from millrace.config.json_schema import schema_text
from millrace.deployment.permissions import (
    bucket_policy,
    connection_policy,
    partition_of,
    queue_policy,
    trust_policy,
    uses,
)
from millrace.errors import InvalidConfiguration, MillraceError, UsageError
from millrace.mappings import leave_out_none
from millrace.wording import count_of

Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="MILLRACE_CONFIG", help="The configuration file, YAML or JSON."),
]
DEFAULT_CONFIG = Path("millrace.yaml")

connections = typer.Typer(
    help="Show connections with what their AWS side needs: external id, policies, user. `store` keeps keys safely.",
    invoke_without_command=True,
)
_TITLES = {
    "trust_policy": "trust policy of the role, to paste there",
    "permission_policy": "permission policy to attach to the role, or to the user of the keys",
    "queue_policy": "statement for the policy of the queue, if it is another account's",
    "bucket_policy": "statements for the policy of the bucket, if it is another account's",
}


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
            print_json({"severity": "error", "problem": problem})
        raise typer.Exit(1) from None
    _warn_of_secrets(document, as_json=as_json)
    if not as_json:
        Terminal(highlight=False, soft_wrap=True).print(
            f"[green]valid[/green]: {path}: {count_of(len(document.connections), 'connection')}, "
            f"{count_of(len(document.bulk_syncs), 'bulk sync')}, {count_of(len(document.models), 'model')}, "
            f"{count_of(len(document.model_syncs), 'model sync')}"
        )


def _warn_of_secrets(document: Document, *, as_json: bool) -> None:
    console = Terminal(stderr=True, highlight=False, markup=False, soft_wrap=True)
    for problem in document.inline_secret_problems():
        if as_json:
            print_json({"severity": "warning", "problem": problem})
        else:
            console.print(f"warning: {problem}")


def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors.

    Example: millrace schema > millrace.schema.json
    """
    typer.echo(schema_text(), nl=False)


AccountOption = Annotated[str, typer.Option(help="Account id of the functions, for the policies.")]
RolesOption = Annotated[
    list[str] | None, typer.Option(help="ARN of a function's role; the policies name these alone. Repeatable.")
]
KeysOption = Annotated[
    list[str] | None, typer.Option(help="ARN of a key that encrypts the objects of a connection. Repeatable.")
]


@connections.callback()
def show_connections(
    context: typer.Context,
    *,
    config: Config = DEFAULT_CONFIG,
    account: AccountOption = "",
    role: RolesOption = None,
    kms_key: KeysOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a connection.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask AWS who the access keys are.")] = False,
) -> None:
    """Show connections: where, how they authenticate, what for, and the exact policies to paste.

    Example: millrace connections --config millrace.yaml --account 123456789012
    """
    context.obj = config
    # `millrace connections store` goes on from here with the configuration that was said before its name.
    if context.invoked_subcommand is not None:
        return
    document, functions = load(config), _Functions(account, tuple(role or ()))
    with show_waiting("millrace connections"):
        for connection in document.connections:
            described = _described(document, connection, functions, tuple(kms_key or ()))
            if isinstance(connection.auth, AccessKeys) and not offline:
                described["aws_user"] = _aws_user(document, connection)
            if as_json:
                print_json(described)
            else:
                _print_connection(described)


@dataclass(frozen=True, slots=True)
class _Functions:
    """Who the functions are, as far as the caller said."""

    account: str
    roles: tuple[str, ...]

    def principals(self, connection: Connection) -> tuple[str, ...]:
        """The functions' roles, or their account, which then says by its own policies who of it may."""
        partition = partition_of(connection.region)
        return self.roles or (f"arn:{partition}:iam::{self.account or '<account id of the functions>'}:root",)

    @property
    def known(self) -> bool:
        """Whether the caller said."""
        return bool(self.account or self.roles)

    def own(self, arn: str) -> bool:
        """Whether an ARN is known to be of the functions' account."""
        accounts = {self.account, *(role.split(":")[4] for role in self.roles if role.count(":") > 4)} - {""}
        return arn.split(":")[4] in accounts


def _described(
    document: Document, connection: Connection, functions: _Functions, kms_keys: tuple[str, ...]
) -> dict[str, object]:
    principals = functions.principals(connection)
    described: dict[str, object] = {
        "name": connection.name,
        "location": str(connection.root),
        "region": connection.region,
        "auth_mode": str(connection.configuration.auth_mode),
        "used_as": list(map(str, uses(document, connection.name))),
    }
    match connection.auth:
        case IamRole(arn=arn, external_id=external_id):
            described |= {"iam_role_arn": arn, "external_id": external_id}
            described["trust_policy"] = trust_policy(external_id, principals=principals)
            described["permission_policy"] = connection_policy(document, connection, kms_keys=kms_keys)
        case AccessKeys():
            described["permission_policy"] = connection_policy(document, connection, kms_keys=kms_keys)
        # A bucket that the stack creates needs no policy: the functions' own grants are enough there.
        case ExecutionRole() if functions.known and not connection.create_bucket:
            described["bucket_policy"] = bucket_policy(document, connection, principals=principals)
    match connection.notifications:
        case QueueArn(arn=queue) if not functions.own(queue):
            described["queue_policy"] = queue_policy(document, connection, principals=principals)
    return leave_out_none(described)


def _aws_user(document: Document, connection: Connection) -> str:
    try:
        require_extra("aws", "asking AWS whose keys they are")
        from millrace.aws.faults import translated  # noqa: PLC0415 - boto3 takes a third of a second to import
        from millrace.aws.sessions import Sessions  # noqa: PLC0415 - as above

        with translated("sts:GetCallerIdentity for", f"connection {connection.name!r}"):
            return Sessions(document).sts(connection).get_caller_identity()["Arn"]
    except MillraceError as error:
        return f"unknown: {error}"


def _print_connection(described: dict[str, object]) -> None:
    console = Terminal(highlight=False, markup=False, soft_wrap=True)
    console.print(str(described["name"]), style="bold")
    for name, value in described.items():
        if name in _TITLES:
            console.print(f"  {_TITLES[name]}:")
            print_json(value, indent=2)
        elif name == "used_as":
            console.print(f"  used_as: {_used(value)}")
        elif name != "name":
            console.print(f"  {name}: {value}")


def _used(value: object) -> str:
    used = " and ".join(value) if isinstance(value, list) else ""
    return used or "nothing: no active sync names it, so it needs no permission yet"


StoredArgument = Annotated[
    str, typer.Argument(help="The connection whose keys are stored.", autocompletion=COMPLETE_CONNECTION)
]
SecretOption = Annotated[str, typer.Option(help="Name of the secret; default millrace/NAME.")]
KmsKeyOption = Annotated[
    str, typer.Option(help="ARN or alias of the key that encrypts it; default aws/secretsmanager.")
]
RegionOption = Annotated[str, typer.Option(help="Region of the functions; default: the environment's.")]


@connections.command("store")
def store(
    context: typer.Context,
    name: StoredArgument,
    secret: SecretOption = "",
    kms_key: KmsKeyOption = "",
    region: RegionOption = "",
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Put a connection's inline access keys into Secrets Manager and print the connection without them.

    A secret of that name that exists gets the keys as its new value: the functions read them when AWS refuses the old.

    Example: millrace connections --config millrace.yaml store partner
    """
    connection = load(context.obj).connection(name)
    match connection.auth:
        case AccessKeys(access_key_id=key_id, secret_access_key=key) if key_id and key:
            secret = secret or suggest_secret(name)
            done = "would store"
            if not dry_run:
                done = _put_keys(secret, (key_id.get_secret_value(), key.get_secret_value()), name, kms_key, region)
        case _:
            raise UsageError(f"connection {name!r} has no inline access keys; there is nothing to store")
    print_line(f"{done} the keys of {name!r} in the secret {secret!r}; replace the connection by:", err=True)
    fields = connection.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    for field in ("aws_access_key_id", "aws_secret_access_key"):
        fields["configuration"].pop(field, None)
    fields["configuration"]["aws_credentials_secret"] = secret
    print_json(fields, indent=2)


def _put_keys(secret: str, keys: tuple[str, str], connection: str, kms_key: str, region: str) -> str:
    require_extra("aws", "millrace connections store")
    import boto3  # noqa: PLC0415 - takes a third of a second to import

    from millrace.aws import secrets  # noqa: PLC0415 - as above

    session = boto3.Session()
    chosen_region = region or session.region_name or os.environ.get("AWS_REGION")
    if not chosen_region:
        raise UsageError("no region is known: give --region, the one that the functions are deployed to")
    stored = secrets.store(
        session.client("secretsmanager", region_name=chosen_region),
        secret,
        json.dumps(dict(zip(secrets.KEY_FIELDS, keys, strict=True))),
        description=f"Access keys of the Millrace connection {connection}",
        kms_key=kms_key or None,
    )
    return f"{stored} in {chosen_region}: stored"
