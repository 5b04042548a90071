"""The key of obfuscated fields: made once, kept for ever."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from .acknowledged import acknowledge
from .names import Names
from .options import Options

LENGTH = 64
"""Letters and digits: 381 bits, more than the 256 that HMAC-SHA-256 can use."""


class ObfuscationKey(Construct):
    """A secret with a generated text.

    CloudFormation generates it anew where anything of ``generate_secret_string`` changes (its reference,
    AWS::SecretsManager::Secret): that must stay as it is for ever.
    """

    def __init__(self, scope: Construct, construct_id: str, *, options: Options, key: kms.IKey | None) -> None:
        super().__init__(scope, construct_id)
        self.secret = secretsmanager.Secret(
            self,
            "Key",
            secret_name=Names(options.name).obfuscation_key,
            description=f"Key of the obfuscated fields of {options.name}; another one would change every hash",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=LENGTH, exclude_punctuation=True
            ),
            encryption_key=key,
            removal_policy=RemovalPolicy.DESTROY if options.emulator else RemovalPolicy.RETAIN,
        )
        acknowledge(
            self.secret,
            "AwsSolutions-SMG4",
            "rotating the key would change every hash, so that what was written no longer matches what is",
        )
