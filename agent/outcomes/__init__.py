"""What became of leads: deliver's half and watch's (docs/design/outcomes.md)."""
