"""How far witnesses vouch for the logs of a report."""
