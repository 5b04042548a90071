"""The ledger: one item for each object of a sync, kept whatever happens to the stack."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from millrace.deployment.settings import LEDGER_INDEXES

from .names import Names
from .options import Options

_TEXT = dynamodb.AttributeType.STRING


class LedgerTable(Construct):
    """Pay per request, restorable to any second of 35 days, encrypted, protected from deletion."""

    def __init__(self, scope: Construct, construct_id: str, *, options: Options, key: kms.IKey | None) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            table_name=Names(options.name).ledger,
            partition_key=dynamodb.Attribute(name="pk", type=_TEXT),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if key else dynamodb.TableEncryption.AWS_MANAGED,
            encryption_key=key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=not options.emulator,
            removal_policy=RemovalPolicy.DESTROY if options.emulator else RemovalPolicy.RETAIN,
        )
        for index, carried in LEDGER_INDEXES.items():
            self.table.add_global_secondary_index(
                index_name=index,
                partition_key=dynamodb.Attribute(name=f"{index}_pk", type=_TEXT),
                sort_key=dynamodb.Attribute(name=f"{index}_sk", type=_TEXT),
                projection_type=dynamodb.ProjectionType.INCLUDE,
                non_key_attributes=list(carried),
            )
