"""What happens to record batches between reader and writer, in this order.

Rows: those older than the cut-off are left out, then those that the filters do not want. Values: overrides, then
hashes. Columns: chosen, ordered, named; constants and the time of the run behind them. A value is seen as its printed
text all the way, so that the types which were found for a file change nothing.
"""
