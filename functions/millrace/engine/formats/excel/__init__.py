"""Excel: one sheet of a workbook, its cells with the types that they have there.

It imports limits and the streams below; no other format.
"""
