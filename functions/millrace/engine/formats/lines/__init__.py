"""Text formats whose rows are lines: what they share.

It imports CSV's blocks and types, and the streams of text below; no other format.
"""
