"""Millrace beside DuckDB, Polars, pandas and plain pyarrow: same files, same machine, one interleaved run."""
