"""Runs the CDK's pinned command line, from a clone or an installed wheel, and reads what it makes.

Needs the extra `deploy`. The stacks themselves are `infra`, and run in a process of their own.
"""
