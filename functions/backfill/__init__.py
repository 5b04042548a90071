"""The function that lists what buckets already hold, and steers backfills."""
