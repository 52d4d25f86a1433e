"""Text as our formats allow it: strict JSON, TOML that knows its lines, base64url, times,
identifiers.
"""
