"""CSV: cuts a file into blocks, parses and types them, writes them; `detecting` finds the dialect.

`reader` and `writer` are what `registry` names; the other modules are their parts.
"""
