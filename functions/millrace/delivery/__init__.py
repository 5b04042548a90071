"""One message's way: take in, claim, convert, publish, settle. Runs in the function `convert`.

It knows AWS only through the ports of `objects` and `ledger`; `operations` may not be imported.
"""
