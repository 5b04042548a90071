"""Rows as text: each value as the text that reads back as the same value.

CSV and JSON writers use it, and whoever compares values as text.
"""
