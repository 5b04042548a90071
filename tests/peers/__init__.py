"""The table of inputs: who keeps values."""
