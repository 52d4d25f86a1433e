"""What a change of policy lets out, what it restricts, and what else it changes."""
