"""The hot list in memory, and what a sighting matches on it.

Everything here carries plates (P2).
"""
