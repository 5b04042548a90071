"""The database of catalogued tables. It is kept when the stack goes: deleting it would delete all of its tables."""

from __future__ import annotations

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_glue as glue
from constructs import Construct

from .names import Names
from .options import Options


class CatalogDatabase(Construct):
    """Named as the deployment. Output: Database."""

    def __init__(self, scope: Construct, construct_id: str, *, options: Options) -> None:
        super().__init__(scope, construct_id)
        name = Names(options.name).database
        database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=Stack.of(self).account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=name, description=f"Tables that Millrace ({options.name}) writes"
            ),
        )
        database.apply_removal_policy(RemovalPolicy.DESTROY if options.emulator else RemovalPolicy.RETAIN)
        CfnOutput(Stack.of(self), "Database", value=name)
