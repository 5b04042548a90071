#!/usr/bin/env python3
"""The CDK's way in: `cdk deploy --all --context config=path/to/millrace.yaml`."""

from aws_cdk import App

from infra.deployment import main

if __name__ == "__main__":
    main(App())
