"""Credentials that are fetched once more when AWS no longer takes them: keys change while a function is warm."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol

from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, ReadOnlyCredentials
from botocore.session import Session

_REFUSED = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "ExpiredToken",
    "InvalidToken",
    "403",  # the answer to a HEAD has no body that could say which of these it is
}
_RENEWED = "millrace-renewed"


class RenewableCredentials(Credentials):
    """What ``fetch`` gives, from the first use until ``forget``; may be shared between threads."""

    def __init__(self, fetch: Callable[[], Credentials]) -> None:
        self.method = "millrace"
        self._fetch = fetch
        self._held: Credentials | None = None
        self._lock = Lock()

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """All that a signature needs, of one moment."""
        with self._lock:
            held = self._held = self._held or self._fetch()
        frozen: ReadOnlyCredentials = held.get_frozen_credentials()
        return frozen

    def __getattr__(self, name: str) -> Any:
        """What botocore reads besides: ``access_key``, ``token`` and so on, each of the moment."""
        # Only for these names: of an object without fields, as a copy begins, `_lock` would be asked for without end.
        if name in ReadOnlyCredentials._fields:
            return getattr(self.get_frozen_credentials(), name)
        raise AttributeError(name)

    def forget(self) -> None:
        """Fetch at the next use."""
        with self._lock:
            self._held = None


class _Provider(CredentialProvider):
    METHOD = "millrace"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Credentials:
        return self._credentials


class _Client(Protocol):
    @property
    def meta(self) -> Any: ...


def use(session: Session, credentials: RenewableCredentials) -> None:
    """Let a session find these credentials and no others."""
    session.register_component("credential_provider", CredentialResolver([_Provider(credentials)]))


def renew_when_refused(client: _Client, credentials: RenewableCredentials) -> None:
    """Have a request whose credentials are refused signed and sent once more, with what is fetched then.

    botocore signs every try of a request anew, and asks its ``needs-retry`` handlers for the seconds before the next.
    """

    def renew(request_dict: dict[str, Any], response: tuple[Any, dict[str, Any]] | None, **_: Any) -> int | None:
        code = response[1].get("Error", {}).get("Code") if response else None
        # Once a request only: keys that are refused twice are wrong, and a function would ask for them until its
        # timeout.
        if code not in _REFUSED or _RENEWED in request_dict["context"]:
            return None
        request_dict["context"][_RENEWED] = True
        credentials.forget()
        # 0 seconds to wait, which is not None: botocore takes None for "do not try again".
        return 0

    client.meta.events.register("needs-retry", renew)
