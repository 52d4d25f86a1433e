"""The city's side of the bundles: what is published, what comes next, who signs.

No camera loads this.
"""
