"""The function that does the phases of a big run, one at a time."""
