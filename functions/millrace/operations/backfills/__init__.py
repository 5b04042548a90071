"""Backfills: what a bucket already held is asked for on a queue of its own, in pieces that a listing remembers.

It may import what `operations` may; nothing here knows AWS.
"""
