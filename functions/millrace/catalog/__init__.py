"""Tables of outputs in a catalogue, so that query engines find them: what a table is there, and who keeps it right.

It may not import `delivery`, `operations` or `big_runs`, nor AWS's clients: the catalogue is a port.
"""
