"""Millrace: files that land in S3 come out converted, once, in order, nothing lost."""

__version__ = "0.2.0"
