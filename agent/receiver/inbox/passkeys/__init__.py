"""Signing in to the inbox with a passkey (WebAuthn Level 3)."""
