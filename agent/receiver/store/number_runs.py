"""A camera's numbers as runs (first, last) without gaps."""

from collections.abc import Iterable, Sequence


def gaps(runs: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """What is missing from 1 up to the last of the ascending `runs`."""
    starts = [first for first, _ in runs]
    ends = [0, *(last for _, last in runs)]
    return tuple(
        (end + 1, start - 1) for end, start in zip(ends, starts, strict=False) if start - end > 1
    )


def runs_of(numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """The ascending `numbers` as runs (first, last) without gaps."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return tuple(runs)
