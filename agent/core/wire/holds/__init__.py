"""Holds: what a court's order looks like when it reaches a recipient, and who may give one."""
