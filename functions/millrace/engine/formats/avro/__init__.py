"""Avro: container files, whose blocks are decoded into columns here, without another library.

It imports the streams of text and limits; no other format.
"""
