"""Where things are."""

from __future__ import annotations

from millrace.demo.deployed import DeployedDemo, Task
from millrace.deployment.project import find_project
from millrace.objects.references import ObjectRef

EXAMPLES = find_project().examples
TABLE_BUCKET = "arn:aws:s3tables:us-east-1:000000000000:bucket/millrace-e2e-tables"


def in_folder(deployed: DeployedDemo, folder: str, name: str) -> ObjectRef:
    """The object ``name`` in the source folder ``folder``."""
    found = next(each for each in deployed.folders() if each.path == folder)
    return ObjectRef(found.bucket, found.prefix + name)


def task_of(deployed: DeployedDemo, sync: str, ref: ObjectRef) -> Task:
    """What ``sync`` is to do with ``ref``."""
    return next(task for task in deployed.tasks([ref]) if task.sync == sync)
