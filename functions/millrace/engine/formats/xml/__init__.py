"""XML: each element at a path is a row.

It imports the streams and limits below; no other format.
"""
