"""The function that numbers deployments: a custom resource of CloudFormation."""
