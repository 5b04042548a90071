"""What each error class means, for `millrace errors` and docs/errors.md; it imports the error tree and Typer alone."""
