"""What the accounts of the inbox may do."""

from enum import StrEnum


class Role(StrEnum):
    """What somebody may do. A reader sees leads, opens and acknowledges them, and takes none away,
    gives none to others and writes no outcome.
    """

    ANALYST = "analyst"
    READER = "reader"
