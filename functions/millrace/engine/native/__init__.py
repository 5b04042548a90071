"""The native kernel: what takes most of the time, in C, for exactly the values that the Python code beside it gives.

Its law: each function answers with the same batch or text as the pure code, or says "not me", and then that code works.
Nothing may be imported or loaded from here before a conversion needs it; no folder above `engine` imports from here.
"""
