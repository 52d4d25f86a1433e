"""The identifiers of policies, cameras and recipients: short, lower case, safe in tags, topics and
file names.
"""

import re

IDENTIFIER = re.compile(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?")

MAX_DOMAIN = 100
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"({_LABEL}\.)+{_LABEL}")


def is_domain(text: str) -> bool:
    """A domain name as logs are named by it: lower-case labels, two at least."""
    return len(text) <= MAX_DOMAIN and _DOMAIN.fullmatch(text) is not None
