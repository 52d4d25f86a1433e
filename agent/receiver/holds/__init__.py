"""Holds at the recipient: reads kept beyond their deadline by an order, sealed to its holder."""
