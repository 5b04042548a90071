"""What a file is, which type each column gets, and the first value that rules out a narrower type.

It reads files with the same code as conversion does, so both say the same.
"""
