"""The receiver's own logs: who looked at what, and what is held."""
