"""The ports, satisfied with boto3. Errors of AWS are translated here into ours.

It decides nothing; rules live in `ledger`, `delivery` and `operations`.
"""
