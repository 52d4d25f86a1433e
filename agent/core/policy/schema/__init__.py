"""A policy's TOML into values: field types, tables, and the file as a whole."""
