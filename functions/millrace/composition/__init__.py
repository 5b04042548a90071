"""The deployed functions' worlds: the one place that knows the concrete adapters. One module a start.

Each is built once a cold start and loads only what its functions use.
"""
