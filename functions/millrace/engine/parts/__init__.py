"""Dividing the work on a table: one file in parts, its survey and its conversion part by part, outputs joined.

Everything here is pure: a seekable file in, values out. What crosses from one process to the next is a document, a
value of JSON whose bytes depend on nothing else.
"""

from __future__ import annotations
