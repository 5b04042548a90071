"""Signatures of webhooks: so a receiver knows that a request is the deployment's, and not an old one.

Source: Standard Webhooks specification, "Signature scheme": HMAC-SHA256 over ``id.timestamp.body``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from millrace.errors import BadCredentials

PREFIX = "whsec_"
_MOST_SECRETS = 2
_LENGTHS = range(24, 65)
"""Bytes that the specification recommends for a secret."""


def parse_secrets(text: str, *, of: str) -> tuple[bytes, ...]:
    """The keys that a secret of Secrets Manager holds: one, or two while it is rotated. Raises BadCredentials.

    For example ``whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw``; the error shows nothing of it.
    """
    words = text.split()
    if not 1 <= len(words) <= _MOST_SECRETS:
        raise BadCredentials(f"{of} holds {len(words)} secrets; expected one, or two with a space between")
    return tuple(_to_key(word, of) for word in words)


def _to_key(word: str, of: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        # No cause: it could show the secret.
        key = b""
    if len(key) not in _LENGTHS:
        raise BadCredentials(
            f"{of} is not {PREFIX} and 24 to 64 bytes in base64; make one with: echo whsec_$(openssl rand -base64 32)"
        )
    return key


def sign_standard(event_id: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> str:
    """The header ``webhook-signature``: one signature for each key, so that a receiver with either is content."""
    content = f"{event_id}.{timestamp}.".encode() + body
    signatures = []
    for key in keys:
        digest = hmac.new(key, content, hashlib.sha256).digest()
        signatures.append(f"v1,{base64.b64encode(digest).decode()}")
    return " ".join(signatures)


def sign_polytomic(body: bytes, secret: str) -> str:
    """The header ``Polytomic-Signature``: HMAC-SHA256 of the body in hexadecimal, by the secret's first word as it is.

    The vendor's documentation says that it is an HMAC of the body; which form it is written in it does not say.
    """
    return hmac.new(secret.split(maxsplit=1)[0].encode(), body, hashlib.sha256).hexdigest()
