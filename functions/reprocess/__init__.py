"""The function that is invoked by hand to convert again."""
