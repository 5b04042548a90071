"""The configuration: the only place that knows pydantic; light enough for synth and for a cold start.

``load(path)`` or ``parse(data)`` give a Document, or raise InvalidConfiguration with every problem at once. Each
module's docstring says what others use of it.
"""

from millrace.config.bulk_sync import (
    BulkMode,
    BulkSync,
    Discover,
    FieldSelection,
    NormalizeNames,
    OnDelete,
    SchemaSelection,
)
from millrace.config.connection import (
    AccessKeys,
    Auth,
    Connection,
    ExecutionRole,
    IamRole,
    ManagedQueue,
    Notifications,
    QueueArn,
)
from millrace.config.document import Document, load, parse
from millrace.config.filters import Filter
from millrace.config.json_schema import schema, schema_text
from millrace.config.layout import DirectorySnapshot, Folder, Layout, MultiTable, SingleTable
from millrace.config.model import Model, ModelFrom
from millrace.config.model_sync import FieldMapping, ModelSync, ModelSyncMode, Override, OverrideField
from millrace.config.references import Reach, Sync
from millrace.config.s3_configuration import AuthMode, S3Configuration
from millrace.config.schedule import Schedule
from millrace.engine.conditions import (
    And,
    FilterFunction,
    Logic,
    Not,
    Or,
    Term,
)
from millrace.engine.options import SchemaEvolution

__all__ = [
    "AccessKeys",
    "And",
    "Auth",
    "AuthMode",
    "BulkMode",
    "BulkSync",
    "Connection",
    "DirectorySnapshot",
    "Discover",
    "Document",
    "ExecutionRole",
    "FieldMapping",
    "FieldSelection",
    "Filter",
    "FilterFunction",
    "Folder",
    "IamRole",
    "Layout",
    "Logic",
    "ManagedQueue",
    "Model",
    "ModelFrom",
    "ModelSync",
    "ModelSyncMode",
    "MultiTable",
    "NormalizeNames",
    "Not",
    "Notifications",
    "OnDelete",
    "Or",
    "Override",
    "OverrideField",
    "QueueArn",
    "Reach",
    "S3Configuration",
    "Schedule",
    "SchemaEvolution",
    "SchemaSelection",
    "SingleTable",
    "Sync",
    "Term",
    "load",
    "parse",
    "schema",
    "schema_text",
]
