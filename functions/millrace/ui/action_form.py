"""A form of the page that changes something: whose it is, what it asks for, and that this was tried dry before."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from millrace.errors import UsageError
from millrace.ui.guard import PageSecret


@dataclass(frozen=True, slots=True)
class ActionForm:
    """The fields of a form that was posted; ``form_key`` says that it is the page's own."""

    fields: Mapping[str, str]
    secret: PageSecret

    def get(self, name: str) -> str:
        """A field without blanks around it; "" if there is none."""
        return self.fields.get(name, "").strip()

    def demand_own(self) -> None:
        """Raise UsageError for a form that the page did not write."""
        if not self.secret.is_form_key(self.get("form_key")):
            raise UsageError("this form is of an earlier start of the page; open it again and fill it in once more")

    def is_confirmed(self, asked: Mapping[str, Any]) -> bool:
        """Whether to do it: the dry run of exactly this was shown, and the person goes on. Raises UsageError."""
        if self.get("step") != "do":
            return False
        if not hmac.compare_digest(self.get("tried").encode(), self.to_proof(asked).encode()):
            raise UsageError("what is asked for is not what the dry run showed; begin with the dry run again")
        return True

    def to_proof(self, asked: Mapping[str, Any]) -> str:
        """What the dry run's page carries, so that only what it showed can be done."""
        return self.secret.sign(json.dumps(dict(asked), sort_keys=True))
