"""What the vendor's API answers, made into a configuration: connections, models, bulk syncs and model syncs.

Pure: texts in, plain values and remarks out. It calls nobody, and copies no secret.
"""
