"""Lays two texts side by side, character by character, in the likeliest way that one was misread
for the other (Wagner and Fischer 1974).
"""

from __future__ import annotations

# Chances of a misread character beside a right one; only their order matters much. One more or less
# at an end is the likeliest of its kind: bands, crests, frames and boxes that cut do that.
SUBSTITUTED = 1e-2
ADDED_OR_LOST = 1e-3
AT_AN_END = 4e-3
# In how many places texts of one length may differ without a search for a better way.
PAIRED_FAST = 2

Pair = tuple[str, str]


def align(read: str, meant: str) -> tuple[Pair, ...]:
    """Pairs (character of `read`, character of `meant`), "" where one has none.

    The same two texts always give the same pairs.
    """
    if (
        len(read) == len(meant)
        and sum(a != b for a, b in zip(read, meant, strict=True)) <= PAIRED_FAST
    ):
        return tuple(zip(read, meant, strict=True))
    best = [[1.0] * (len(meant) + 1) for _ in range(len(read) + 1)]
    for i in range(len(read) + 1):
        for j in range(len(meant) + 1):
            if i or j:
                best[i][j] = max(_ways(best, read, meant, i, j))
    return _path(best, read, meant)


def _ways(
    best: list[list[float]], read: str, meant: str, i: int, j: int
) -> tuple[float, float, float]:
    """The chance of the first `i` and `j` characters, by how the last of them came about: paired,
    added, lost.
    """
    paired = (
        best[i - 1][j - 1] * (1.0 if read[i - 1] == meant[j - 1] else SUBSTITUTED)
        if i and j
        else 0.0
    )
    added = best[i - 1][j] * (AT_AN_END if j in (0, len(meant)) else ADDED_OR_LOST) if i else 0.0
    lost = best[i][j - 1] * (AT_AN_END if i in (0, len(read)) else ADDED_OR_LOST) if j else 0.0
    return paired, added, lost


def _path(best: list[list[float]], read: str, meant: str) -> tuple[Pair, ...]:
    """The pairs along the likeliest way, from the first."""
    i, j = len(read), len(meant)
    pairs: list[Pair] = []
    while i or j:
        ways = _ways(best, read, meant, i, j)
        paired, added, lost = (way == max(ways) for way in ways)
        if paired:
            i, j = i - 1, j - 1
            pairs.append((read[i], meant[j]))
        elif added:
            i -= 1
            pairs.append((read[i], ""))
        elif lost:
            j -= 1
            pairs.append(("", meant[j]))
    return tuple(reversed(pairs))
