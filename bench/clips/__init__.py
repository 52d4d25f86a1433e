"""Clips with truth: streets drawn at run time, and who drives through them. docs/ref/clips.md."""
