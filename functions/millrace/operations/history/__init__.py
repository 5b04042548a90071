"""Finished work, day by day: exported from the ledger as Parquet, read again, and summed to costs.

Nothing here writes to the ledger or to an output. pyarrow is needed here, so functions that export nothing import none
of it.
"""
