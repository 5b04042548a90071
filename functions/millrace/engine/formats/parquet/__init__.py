"""Parquet: reads within a bounded memory, chooses encodings, writes.

`reader` and `writer` are what `registry` names; the other modules are their parts.
"""
