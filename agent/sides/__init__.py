"""The composition roots: only these build real parts. One file a process, and what they share."""
