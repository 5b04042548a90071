"""What is said about objects of S3: references, messages, lineage, and the ports of stores and queues.

It needs `millrace.errors` alone; adapters of AWS are in `millrace.aws`.
"""
