"""The function that converts what a queue's messages name."""
