"""Which version of the software a camera runs: what a city releases, which of it a camera takes,
and what a trial decides. Values only.
"""
