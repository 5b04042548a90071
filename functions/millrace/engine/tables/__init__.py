"""Rows of one or several files as one table: unify schemas, fit rows to them, rescue what does not fit.

It knows neither files nor formats.
"""
