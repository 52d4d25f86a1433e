"""Leads that a camera released, and what became of them (docs/design/outcomes.md)."""
