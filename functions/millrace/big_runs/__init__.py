"""Work beyond one invocation: the phases of a big run, each idempotent, its state in objects under the run's home.

It knows AWS only through the ports of `objects` and `ledger`. It imports `delivery`; nothing below `aws` imports it.
"""
