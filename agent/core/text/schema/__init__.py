"""Closed tables as classes: what a field may hold, and every misfit at once."""
