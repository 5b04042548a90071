"""Options by context, and the names that follow from them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from infra.names import Names, construct_id
from infra.options import Encryption, Options, Unwanted, refuse_unknown_options
from millrace.config.layout import Folder
from millrace.deployment.settings import FUNCTIONS_ROOT
from millrace.errors import InvalidConfiguration


def options(**context: Any) -> Options:
    """The options of a context."""
    return Options.from_context(context.get)


class TestOptions:
    """What the context may say."""

    def test_defaults_need_no_context(self) -> None:
        """`cdk deploy` alone works."""
        assert options() == Options()

    def test_are_read_from_the_command_line_as_text(self) -> None:
        """`--context emulator=true` arrives as text, `cdk.json` may hold a boolean."""
        assert options(emulator="true", kms="customer", memory_mb="3538", name="acme-orders") == Options(
            emulator=True, kms=Encryption.CUSTOMER, memory_mb=3538, name="acme-orders"
        )
        assert options(emulator=True, timeout_seconds=60) == Options(emulator=True, timeout_seconds=60)
        assert options(emulator="", name="") == Options()

    def test_a_history_has_a_folder_or_is_not_wanted(self) -> None:
        """Without a word the only destination has it."""
        assert options(history="s3://acme-ops/millrace").history == Folder("acme-ops", "millrace")
        assert options(history="none").history is Unwanted.NONE
        with pytest.raises(InvalidConfiguration, match="context history: expected none, or s3://bucket/folder"):
            options(history="https://acme-ops")
        with pytest.raises(InvalidConfiguration, match="context history_database: expected the name"):
            options(history_database="My Lake")

    def test_tell_all_problems_at_once(self) -> None:
        """Each with what was found and what is accepted."""
        wrong = {
            "name": "Acme Orders",
            "emulator": "maybe",
            "kms": "mine",
            "timeout_seconds": "901",
            "memory_mb": "lots",
            "alarm_topic_arn": "operators",
            "existing_key_arns": "arn:aws:kms:eu-central-1:111122223333:key/a,b",
        }

        with pytest.raises(InvalidConfiguration) as caught:
            options(**wrong)

        assert [problem.split(":")[0] for problem in caught.value.problems] == [f"context {key}" for key in wrong]
        assert "expected a whole number from 60 to 900, found '901'" in str(caught.value)

    def test_are_documented_with_their_defaults(self) -> None:
        """`emulator` is the demonstration's own."""
        written = (FUNCTIONS_ROOT.parent / "docs" / "deploying.md").read_text()

        for option in fields(Options):
            if option.name != "emulator":
                default = option.default.value if isinstance(option.default, Encryption) else option.default or "none"
                told = f"`{default}`" if isinstance(default, str) and default != "none" else default
                assert f"| `{option.name}` | {told} |" in written

    def test_name_the_stacks(self) -> None:
        """Several deployments live in one account."""
        assert (Options().storage_stack, Options().processing_stack) == ("MillraceStorage", "MillraceProcessing")
        assert Options(name="acme-orders").storage_stack == "AcmeOrdersStorage"

    def test_take_several_keys(self) -> None:
        """A list in cdk.json, commas on the command line."""
        one, two = (f"arn:aws:kms:eu-central-1:111122223333:key/{name}" for name in "ab")

        assert options(existing_key_arns=f"{one}, {two}").existing_key_arns == (one, two)
        assert options(existing_key_arns=[one, two]).existing_key_arns == (one, two)

    def test_take_several_dead_letter_queues(self) -> None:
        """Of SQS alone."""
        one, two = (f"arn:aws:sqs:eu-central-1:111122223333:{name}" for name in "ab")

        assert options(own_dead_letter_arns=f"{one},{two}").own_dead_letter_arns == (one, two)
        with pytest.raises(InvalidConfiguration, match="own_dead_letter_arns: expected the ARN of an SQS resource"):
            options(own_dead_letter_arns="arn:aws:sns:eu-central-1:111122223333:a")


class TestNames:
    """Physical names."""

    def test_fit_the_limit_of_sqs(self) -> None:
        """80 characters, whatever the connection is called."""
        assert len(Names("a" * 24).queue("x" * 64)) <= 80
        assert Names("millrace").queue("Ünïcode / ***").startswith("millrace-n-code-")

    @pytest.mark.parametrize("name", [Names("millrace").queue, construct_id])
    def test_keep_apart_what_slugs_would_join(self, name: Any) -> None:
        """Two connections never share a queue."""
        assert len({name(text) for text in ("a b", "a-b", "A B", "a_b", "ab")}) == 5


class TestUnknown:
    """`millrace deploy --option` says which names it was given."""

    def test_a_name_that_is_none_is_refused_with_the_one_that_was_meant(self) -> None:
        """The CDK passes over a context that nobody asks for."""
        with pytest.raises(InvalidConfiguration, match="'memroy_mb': there is none of that name; did you mean 'memory"):
            refuse_unknown_options("kms,memroy_mb")
        refuse_unknown_options("kms,memory_mb")
        refuse_unknown_options(None)
