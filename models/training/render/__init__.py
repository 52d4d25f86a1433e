"""Draws licence plates, and the ways in which cameras spoil them."""
