"""The page of `millrace ui`: what the commands know of a deployment, in a browser on the same machine."""
