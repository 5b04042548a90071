"""The ports' real counterparts: S3, DynamoDB, SQS, STS and Secrets Manager through boto3."""
