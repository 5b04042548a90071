"""Values replaced by keyed hashes: with the key one can check which value it was, without it nobody can."""

from __future__ import annotations

import hashlib
import hmac

import pyarrow as pa
import pyarrow.compute as pc


def hash_texts(texts: pa.Array, key: bytes) -> pa.Array:
    """HMAC-SHA-256 of each text's UTF-8 under the key, as 64 lower-case hexadecimal digits; missing stays missing."""
    # Each distinct text is hashed once. The prepared key is copied: to prepare one hashes two blocks, as many as a
    # short text needs.
    keyed = hmac.new(key, digestmod=hashlib.sha256)
    encoded = pc.dictionary_encode(texts)
    digests = [_digest(keyed, text) for text in encoded.dictionary.to_pylist()]
    return pc.take(pa.array(digests, pa.string()), encoded.indices)


def _digest(keyed: hmac.HMAC, text: str) -> str:
    copy = keyed.copy()
    copy.update(text.encode())
    return copy.hexdigest()
