"""A request of CloudFormation in, the number of a deployment out.

CloudFormation calls a custom resource only if its properties change, here the digest of code and configuration, and
keeps the answer otherwise. So the number grows with every change, also with one that takes an earlier one back.
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.request import Request, urlopen

_ID = "millrace-deployment"
"""Always the same: another physical id would make CloudFormation delete what it takes for the former resource."""


def handle(event: dict[str, Any], _context: object) -> None:
    """Answer with the seconds since 1970, which only grow; a deletion is answered alike.

    Shape: AWS CloudFormation User Guide, "Custom resource request and response reference".
    """
    answer = {
        "Status": "SUCCESS",
        "PhysicalResourceId": _ID,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Number": str(int(time.time()))},
    }
    # The address is signed for an empty content type.
    request = Request(  # noqa: S310 - CloudFormation gives the address
        event["ResponseURL"], data=json.dumps(answer).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    with urlopen(request, timeout=30) as response:  # noqa: S310 - CloudFormation gives the address
        response.read()
