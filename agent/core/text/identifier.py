"""The identifiers of policies, cameras and recipients: short, lower case, safe in tags, topics and
file names.
"""

import re

IDENTIFIER = re.compile(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?")
