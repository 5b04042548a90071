"""Files in, files out: reads, types, transforms and writes rows. A library of its own.

It needs `millrace.errors` and pyarrow; it may import nothing else of Millrace, no client of AWS, no configuration.
"""
