"""AWS's services as botocore knows them, read once for a process and for those that it forks.

Each session reads them again from its files: 0.1 s of CPU for a client or two, in each function, command and test.
"""

from __future__ import annotations

import copy
import functools

import botocore.session
from botocore.loaders import Loader, create_loader


def share_models(*services: str) -> None:
    """Have all sessions from now on share what is read, and read what clients of ``services`` need."""
    botocore.session.create_loader = functools.partial(_make_twin, create_loader())
    session = botocore.session.Session()
    for service in services:
        # Nothing is sent before a call.
        session.create_client(service, region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-")


def _make_twin(shared: Loader, search_path: str | None = None) -> Loader:
    """A loader with paths of its own, since boto3 adds one, and with the models of all."""
    if search_path:
        return create_loader(search_path)
    twin = copy.copy(shared)
    vars(twin)["_search_paths"] = list(shared.search_paths)
    return twin
