"""One message's way: take in, claim, convert, publish, settle; back-off and circuit breaker. Function `convert`.

It knows AWS only through the ports of `objects` and `ledger`; `operations` may not be imported.
"""
