"""Telling people that a lead waits, on their screens and elsewhere: never which plate."""
