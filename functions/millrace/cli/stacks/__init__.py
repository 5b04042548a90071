"""`millrace deploy`, `diff` and `destroy`: the CDK's pinned command line with the stacks of this installation."""
