"""Platewarden: a licence-plate camera that tells only the people whom a city's policy names."""

__version__ = "0.1.0"
