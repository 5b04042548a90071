"""Which syncs want an object, how it is read, and where its output goes: pure, from configuration and key.

It makes no call; what it returns is a plan.
"""
