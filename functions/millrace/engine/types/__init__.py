"""Which type a column gets, the proof that no value changes by it, and how values are printed.

It reads no files.
"""
