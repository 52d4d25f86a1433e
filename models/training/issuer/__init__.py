"""Training of the network that reads the issuer's name in a plate's small print."""
