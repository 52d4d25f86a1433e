"""Signing in to the inbox by a provider of OpenID Connect (Core 1.0)."""
