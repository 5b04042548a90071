"""ORC: stripes of columns, read and written by Arrow.

It imports the streams and limits below; no other format.
"""
