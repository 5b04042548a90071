"""`python -m infra`, and `python -m millrace.infra` in an installed wheel: the application that the CDK runs."""

from __future__ import annotations

from aws_cdk import App

from .deployment import main

if __name__ == "__main__":
    main(App())
