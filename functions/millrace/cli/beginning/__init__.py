"""`millrace init`: a configuration to begin with, from a few answers."""
