"""Reads the plates in pictures and videos of one's own. Not in the camera's package (P1)."""
