"""JSON lines, concatenated objects and arrays: a fast way where it is proven exact, else an exact one.

`reader` and `writer` are what `registry` names; the other modules are their parts.
"""
