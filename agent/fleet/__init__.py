"""A city's cameras as one: what they told of their health, who is silent, who needs a ladder."""
