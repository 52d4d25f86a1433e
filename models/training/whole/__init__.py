"""Trains the network that tells whole plates from those that something hides in part."""
