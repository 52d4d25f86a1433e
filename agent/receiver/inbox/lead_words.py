"""How a lead is spoken of, on a terminal and on a page: always as a lead, never as a fact (P10)."""

from agent.core.policy.policy import TEST
from agent.core.wire.tags import Tags

BANNER = "UNVERIFIED LEAD — check before acting"
TEST_BANNER = "TEST — a rehearsal's printed plate; nobody is looked for"
PAGE_BANNER = "Unverified lead: confirm plate, state and vehicle"
LEVELS = {
    "exact": "text and issuing state were read as listed",
    "text": "the text is as listed; the issuing state was NOT read",
    "confusable": "NOT read as listed: only through a look-alike character",
}
DOUBTFUL = 0.9
"""A character's confidence below which it is marked."""


def odds(posterior: float | None) -> str:
    """Rounded down, 99 at most: no estimate is shown as a certainty, whoever made the camera."""
    if posterior is None:
        return "not estimated"
    hundredths = min(int(posterior * 100), 99)
    return (
        f"{f'about {hundredths}' if hundredths else 'under 1'} in 100 that this "
        "is the listed vehicle: the camera's estimate, not a measurement"
    )


def is_test(tags: Tags) -> bool:
    """Of a rehearsal?"""
    return tags.category == TEST
