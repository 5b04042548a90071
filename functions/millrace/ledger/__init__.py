"""The truth about work: entries, the pure rules of claim, lease, fence and settling, and the port of their store.

It decides and remembers; it reads no object and writes none. It needs `objects`, `engine.options` and errors.
"""
