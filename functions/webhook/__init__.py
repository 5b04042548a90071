"""The function that sends events to webhooks."""
