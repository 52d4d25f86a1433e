"""Every fault of a policy at once: against its schema, its charter, its roster and the law's
facts.
"""
