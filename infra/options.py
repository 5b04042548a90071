"""What a deployment may be told by CDK context, each with its default: `cdk deploy --context kms=customer`."""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.config.layout import Folder
from millrace.deployment import settings
from millrace.errors import InvalidConfiguration


class Unwanted(enum.Enum):
    """What somebody did not want although there is a default."""

    NONE = "none"


class Encryption(enum.Enum):
    """Whose key encrypts queues, ledger, log groups and created buckets."""

    AWS_MANAGED = "aws-managed"
    """Keys that AWS keeps: no cost, nothing to look after."""
    CUSTOMER = "customer"
    """One key of the deployment's own, rotated yearly and kept when the stack goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to deploy; the configuration file says what.

    ``memory_mb`` is 1,769 because that is where Lambda gives one whole virtual CPU: parsing is bound by it, and less
    memory costs the same per file in more time. ``timeout_seconds`` is the most that Lambda allows: a large file
    needs it, and a small one does not pay for it.

    ``max_concurrency`` bounds how many conversions one queue runs side by side. It is 10 because that is all that a
    young account may run, and a message whose function is throttled waits an hour and a half; raise it with the
    account's quota. ``reserved_concurrency`` (default: none, since a young account can spare none) takes as many from
    the account's pool for this deployment alone.

    ``big_run_concurrency`` bounds how many parts of one big run are worked on side by side, for the same reason.
    ``big_run_bytes`` makes every object above it a big run; without it, those that one invocation could not do in its
    time. ``part_bytes`` is about how large its parts are; without it, the run decides.

    ``backfill_concurrency`` bounds how many conversions of backfills run side by side, beside those of the live queues;
    `millrace backfill --concurrency` sets another number for the time being. ``inventories`` are the folders of S3
    Inventory that backfills may read.

    ``history`` is the folder that finished work is exported to, day by day, or ``none``. Without it, the folder is
    ``.millrace/history`` in the only destination that the functions write as themselves; if there are several, there is
    none. ``history_days`` deletes older days; without it they are kept. ``history_database`` is an existing database of
    Glue that gets a table over it; without it, the stack's own does, if there is one.

    ``obfuscation_secret`` is the name or ARN of an existing secret that holds the key of obfuscated fields; without it
    the stack makes one. It brings back a key that outlived its stack, or gives two deployments the same hashes.

    ``emulator`` is known from where the deployment goes (`target.py`); it need not be said.

    ``existing_key_arns`` are the keys of existing buckets and queues that are encrypted by a customer's own key.

    ``own_dead_letter_arns`` are the dead-letter queues of the user's own queues, each of which gets an alarm: which
    they are, only the queues' attributes say, and they are not known while the stack is made.
    """

    name: str = "millrace"
    config: str = "examples/millrace.yaml"
    emulator: bool | None = None
    kms: Encryption = Encryption.AWS_MANAGED
    timeout_seconds: int = 900
    memory_mb: int = 1769
    max_concurrency: int = 10
    big_run_concurrency: int = 10
    big_run_bytes: int | None = None
    part_bytes: int | None = None
    reserved_concurrency: int | None = None
    backfill_concurrency: int = 5
    inventories: tuple[Folder, ...] = ()
    history: Folder | Unwanted | None = None
    history_days: int | None = None
    history_database: str | None = None
    alarm_topic_arn: str | None = None
    existing_key_arns: tuple[str, ...] = ()
    obfuscation_secret: str | None = None
    own_dead_letter_arns: tuple[str, ...] = ()

    @classmethod
    def from_context(cls, lookup: Callable[[str], Any]) -> Options:
        """Read every option with ``lookup`` (None: not given); raise InvalidConfiguration with all that is wrong."""
        parsed: dict[str, Any] = {}
        problems = []
        for key, parse in _PARSERS.items():
            value = lookup(key)
            # `--context key=` gives an empty text: nobody means it, and the option keeps its default.
            if value in (None, ""):
                continue
            try:
                parsed[key] = parse(value)
            except ValueError as problem:
                problems.append(f"context {key}: {problem}, found {value!r}")
        if problems:
            raise InvalidConfiguration(problems)
        return cls(**parsed)

    @property
    def storage_stack(self) -> str:
        """The name of the stack of buckets, queues and ledger: `MillraceStorage`."""
        return settings.storage_stack(self.name)

    @property
    def processing_stack(self) -> str:
        """The name of the stack of functions and alarms: `MillraceProcessing`."""
        return settings.processing_stack(self.name)


def refuse_unknown_options(names: object) -> None:
    """Raise InvalidConfiguration for options that there are none of; ``names`` has commas between, None: none is given.

    The CDK passes over context that nobody asks for, so that `--context memroy_mb=3538` would change nothing.
    """
    problems = []
    for name in filter(None, str(names or "").split(",")):
        if name not in _PARSERS:
            # memroy_mb is no option, and near to memory_mb.
            similar = difflib.get_close_matches(name, _PARSERS, n=1)
            hint = f"did you mean {similar[0]!r}?" if similar else f"there are {', '.join(_PARSERS)}"
            problems.append(f"option {name!r}: there is none of that name; {hint}")
    if problems:
        raise InvalidConfiguration(problems)


def _name(value: object) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", str(value)) or len(str(value)) > 24:
        raise ValueError("expected at most 24 lower-case letters, digits and single hyphens, a letter first")
    return str(value)


def _boolean(value: object) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if str(value).lower() not in words:
        raise ValueError("expected true or false")
    return words[str(value).lower()]


def _encryption(value: object) -> Encryption:
    try:
        return Encryption(value)
    except ValueError:
        raise ValueError("expected aws-managed or customer") from None


def _whole_number(lowest: int, highest: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if not re.fullmatch(r"\d{1,15}", str(value)) or not lowest <= int(str(value)) <= highest:
            raise ValueError(f"expected a whole number from {lowest} to {highest}")
        return int(str(value))

    return parse


def _arn(service: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        # `arn:aws:sns:eu-central-1:111122223333:operators`; China's begin with `arn:aws-cn:`.
        if not re.fullmatch(rf"arn:[a-z-]+:{service}:[a-z0-9-]+:\d{{12}}:\S+", str(value)):
            raise ValueError(f"expected the ARN of an {service.upper()} resource")
        return str(value)

    return parse


def _arns(service: str) -> Callable[[object], tuple[str, ...]]:
    parse = _arn(service)

    def parse_all(value: object) -> tuple[str, ...]:
        items = value if isinstance(value, list) else str(value).split(",")
        return tuple(parse(str(arn).strip()) for arn in items)

    return parse_all


def _folders(value: object) -> tuple[Folder, ...]:
    items = value if isinstance(value, list) else str(value).split(",")
    try:
        return tuple(Folder.parse(str(folder).strip()) for folder in items)
    except ValueError as problem:
        raise ValueError(f"expected {problem}") from None


def _history(value: object) -> Folder | Unwanted:
    if str(value) == Unwanted.NONE.value:
        return Unwanted.NONE
    try:
        return Folder.parse(str(value))
    except ValueError as problem:
        raise ValueError(f"expected none, or {problem}") from None


def _database(value: object) -> str:
    if not re.fullmatch(r"[a-z0-9_]{1,255}", str(value)):
        raise ValueError("expected the name of a Glue database: small letters, digits and underscores")
    return str(value)


def _secret(value: object) -> str:
    # acme/key is a name; an ARN ends in six characters that Secrets Manager has added to it.
    if not re.fullmatch(
        r"[A-Za-z0-9/_+=.@-]{1,512}|arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:\S+", str(value)
    ):
        raise ValueError("expected the name or ARN of a Secrets Manager secret")
    return str(value)


_PARSERS: Mapping[str, Callable[[Any], object]] = {
    "name": _name,
    "config": str,
    "emulator": _boolean,
    "kms": _encryption,
    "timeout_seconds": _whole_number(60, 900),
    "memory_mb": _whole_number(256, 10_240),
    "max_concurrency": _whole_number(2, 1000),
    # Step Functions runs 10,000 children side by side at most (AWS Step Functions Developer Guide, "Quotas").
    "big_run_concurrency": _whole_number(1, 10_000),
    "big_run_bytes": _whole_number(1, 10**13),
    "part_bytes": _whole_number(1, 5 * 10**9),
    "reserved_concurrency": _whole_number(1, 10_000),
    "backfill_concurrency": _whole_number(2, 1000),
    "inventories": _folders,
    "history": _history,
    "history_days": _whole_number(1, 36_500),
    "history_database": _database,
    "alarm_topic_arn": _arn("sns"),
    "existing_key_arns": _arns("kms"),
    "obfuscation_secret": _secret,
    "own_dead_letter_arns": _arns("sqs"),
}
