"""The demonstration: the real stacks deployed to a local emulator, the examples converted, the result shown.

Not part of what is deployed.
"""
