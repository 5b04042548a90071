"""Bytes before they have a format: compression, text encodings, archives.

It knows no rows and no types.
"""
