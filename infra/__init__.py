"""The stacks of a deployment: what would hurt to lose, and what can be thrown away."""
