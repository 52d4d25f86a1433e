"""Telling people that a lead waits, by webhook, push, mail or a program: never which plate."""
