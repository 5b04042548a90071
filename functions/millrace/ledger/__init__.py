"""The truth about work: entries, the pure rules that claim and settle them, and the port of their store.

It decides and remembers; it reads no object and writes none. It needs `objects`, `engine.options` and errors.
"""
