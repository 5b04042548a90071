"""The key of obfuscated fields: made where it is needed, kept, read by who needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from infra.names import Names
from infra.topology import describe
from millrace.config.document import parse
from tests.infra.cases import CASES, OBFUSCATED
from tests.infra.templates import Synthesised, Template, text

KEY = "millrace/obfuscation-key"
OfCase = Callable[[str], Synthesised]


def readers(template: Template) -> set[tuple[str, str]]:
    """Which secret may be read by which function's role."""
    return {
        (text(statement["Resource"]), role["Properties"]["Description"].split()[2])
        for role in template.of("IAM::Role").values()
        for policy in role["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "secretsmanager:GetSecretValue"
    }


def environments(template: Template) -> set[str | None]:
    """What the functions that read the ledger are told of the secret; the one that numbers deployments reads none."""
    settings = [one["Environment"]["Variables"] for one in template.properties("Lambda::Function")]
    return {one.get("MILLRACE_OBFUSCATION_SECRET") for one in settings if "MILLRACE_LEDGER_TABLE" in one}


def without(**changes: Any) -> dict[str, Any]:
    """The configuration with obfuscated fields, its sync changed."""
    (sync,) = OBFUSCATED["bulk_syncs"]
    return {**OBFUSCATED, "bulk_syncs": [{**sync, **changes}]}


@pytest.mark.parametrize("case", ["obfuscated fields", "obfuscated fields, customer key"])
def test_its_properties_never_change(of_case: OfCase, case: str) -> None:
    """CloudFormation makes another key, and so other hashes, where its name, length or alphabet changes."""
    storage = of_case(case).storage

    made = storage.one("SecretsManager::Secret")

    assert made["Properties"]["GenerateSecretString"] == {"PasswordLength": 64, "ExcludePunctuation": True}
    assert made["Properties"]["Name"] == KEY == Names("millrace").obfuscation_key
    assert next(iter(storage.of("SecretsManager::Secret"))) == "ObfuscationKeyDAE13C23"


def test_it_outlives_its_stack(of_case: OfCase) -> None:
    """Without it, what was written can never be matched again."""
    made = of_case("obfuscated fields").storage.one("SecretsManager::Secret")

    assert (made["DeletionPolicy"], made["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_deployments_own_key_encrypts_it(of_case: OfCase) -> None:
    """Where there is one."""
    made = of_case("obfuscated fields, customer key").storage.one("SecretsManager::Secret")

    assert "KmsKeyId" in made["Properties"]


def test_only_the_functions_that_convert_read_it(of_case: OfCase) -> None:
    """The others touch no value."""
    processing = of_case("obfuscated fields").processing

    assert {function for _, function in readers(processing)} == {"convert", "big-run"}
    (resource,) = {secret for secret, _ in readers(processing)}
    assert resource.endswith(f":secret:{KEY}-??????")
    assert environments(processing) == {KEY}


def test_an_existing_one_is_used_instead(of_case: OfCase) -> None:
    """One that outlived its stack, or another deployment's."""
    found = of_case("obfuscated fields, existing secret")

    assert found.storage.of("SecretsManager::Secret") == {}
    assert environments(found.processing) == {"acme/hashes"}
    assert all(secret.endswith(":secret:acme/hashes-??????") for secret, _ in readers(found.processing))
    assert len(readers(found.processing)) == 2


def test_nobody_pays_for_one_that_is_not_needed(of_case: OfCase) -> None:
    """Nor reads it."""
    found = of_case("created buckets")

    assert found.storage.of("SecretsManager::Secret") == {}
    assert (readers(found.processing), environments(found.processing)) == (set(), {None})


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, True),
        ({"active": False}, False),
        ({"schemas": None}, False),
        ({"schemas": ["orders"]}, False),
        ({"schemas": [{"id": "orders", "enabled": False, "fields": [{"id": "email", "obfuscated": True}]}]}, False),
        ({"schemas": [{"id": "orders", "fields": ["id", {"id": "m", "enabled": False, "obfuscated": True}]}]}, False),
        ({"schemas": ["a", {"id": "orders", "fields": ["id", {"id": "m", "obfuscated": True}]}]}, True),
    ],
)
def test_it_is_needed_where_an_active_sync_writes_a_hash(changes: dict[str, Any], needed: bool) -> None:  # noqa: FBT001 - a table's column
    """A field that is not written is not hashed."""
    assert describe(parse(without(**changes))).obfuscates is needed


def test_every_case_agrees() -> None:
    """The cases above are what they are called."""
    assert {name for name, case in CASES.items() if describe(parse(case.data)).obfuscates} == {
        name for name in CASES if name.startswith("obfuscated")
    }
