"""What became of leads: deliver's half and watch's (docs/design/outcomes.md). And how watch tells
of odd files that deliver shows it.
"""
