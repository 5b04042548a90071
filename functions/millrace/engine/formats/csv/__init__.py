"""CSV: finds the dialect, cuts the file into blocks, parses and types them, writes them.

`reader` and `writer` are what `registry` names; the other modules are their parts.
"""
