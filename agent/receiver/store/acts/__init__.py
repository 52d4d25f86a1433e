"""What people did with leads, kept beside the reads: one port, and both stores behind it."""
