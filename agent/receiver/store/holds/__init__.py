"""Holds, and what is held under them, beside the reads: one port, and both stores behind it."""
