"""Whether a deployment goes to AWS or to an emulator: they need different stacks, and the wrong ones never convert."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from millrace.errors import InvalidConfiguration

_ENDPOINTS = ("AWS_ENDPOINT_URL_CLOUDFORMATION", "AWS_ENDPOINT_URL")
"""Where the stacks go, by AWS's own variables; the service's comes before the general one (AWS SDKs and Tools
Reference Guide, "Service-specific endpoints")."""
_EMULATED_ACCOUNT = "0" * 12
"""Emulators call theirs so, and AWS gives it to nobody."""


def decide_emulator(environment: Mapping[str, str], account: str | None, *, given: bool | None = None) -> bool:
    """Whether the target is an emulator: what was ``given``, else what the endpoint and the account's number say.

    An emulator runs the functions in this machine's Python: with the layers for Lambda's arm64 they could not start.
    AWS without layers could not either, and the emulator's stacks delete buckets with the stack.

    Raises InvalidConfiguration, with both readings, if the two disagree.
    """
    endpoint = _find_endpoint(environment)
    if given is None:
        return _recognise_emulator(endpoint, account)
    if given and _is_of_aws(account) and not _is_loopback(endpoint):
        raise InvalidConfiguration([_describe_mistake(account)])
    return given


def _recognise_emulator(endpoint: str | None, account: str | None) -> bool:
    is_local = _is_loopback(endpoint)
    if is_local and _is_of_aws(account):
        raise InvalidConfiguration([_describe_doubt(endpoint, account)])
    return is_local or account == _EMULATED_ACCOUNT


def _is_of_aws(account: str | None) -> bool:
    """Whether an account is known, and AWS's: a template that is for any account has a placeholder for it."""
    return account is not None and account.isdecimal() and account != _EMULATED_ACCOUNT


def describe_emulator(environment: Mapping[str, str], account: str | None) -> str:
    """One line that says what is different, and why it was chosen."""
    endpoint = _find_endpoint(environment)
    evidence = f"the endpoint is {endpoint}" if endpoint else f"the account is {account}"
    return (
        f"Millrace: {evidence}, so this is deployed to an emulator: functions run in its own Python, without layers, "
        "and buckets go with their stack"
    )


def _describe_doubt(endpoint: str | None, account: str | None) -> str:
    return (
        f"context emulator: the endpoint {endpoint} is on this machine, as an emulator's is, and account {account} is "
        "one of AWS. If an emulator answers there, say --context emulator=true; if it is a way to AWS, say "
        "--context emulator=false. The functions' packages depend on it"
    )


def _describe_mistake(account: str | None) -> str:
    return (
        f"context emulator: found true, but account {account} is one of AWS and no AWS_ENDPOINT_URL names this "
        "machine: there the functions would have no packages, and buckets would go with the stack. "
        "Leave the option out, an emulator is recognised without it"
    )


def _find_endpoint(environment: Mapping[str, str]) -> str | None:
    for name in _ENDPOINTS:
        if environment.get(name):
            return environment[name]
    return None


def _is_loopback(endpoint: str | None) -> bool:
    """Whether an address such as ``http://127.0.0.1:4566`` is this machine's own."""
    if endpoint is None:
        return False
    # Without a scheme, `localhost:4566` would have none of a host's parts.
    host = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").hostname or ""
    # LocalStack's name for 127.0.0.1, in every public name server.
    if host == "localhost" or host.endswith((".localhost", "localhost.localstack.cloud")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
