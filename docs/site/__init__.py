"""The documentation site: it is built of docs/, examples/ and a few pages of the root; `make docs-site`."""
