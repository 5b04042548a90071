"""The function that a schedule calls: what the bucket has and the ledger lacks, or the reverse."""
