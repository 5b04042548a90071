"""Commands that look at a deployment and change nothing of it."""
