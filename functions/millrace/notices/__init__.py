"""What others are told of: events for EventBridge, and webhooks behind it. Pure but for the sender's connection.

It may not import delivery, operations or what is above them: those say what happened, and this puts it into words.
"""
