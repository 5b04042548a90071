"""Iceberg tables: who says that an output is finished, and the one committer that brings tables up to the ledger.

Everything here is without pyiceberg: the tables are a port, which ``aws.iceberg_catalog`` satisfies.
"""
