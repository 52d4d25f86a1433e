"""Attempts to get past the walls of deliver's unit, and what a capture sees of them (P4)."""
