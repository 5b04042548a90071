"""The deployed committer of Iceberg tables."""
