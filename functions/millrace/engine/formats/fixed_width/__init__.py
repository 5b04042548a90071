"""Fixed width: each field is at the same characters of every line.

It imports what formats of lines share; no other format.
"""
