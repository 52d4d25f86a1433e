"""A file's chunks as numbered lines of bounded length, and the list of what is wrong in them: never
a value, only line, field and next step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import ManyFaultsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_LINE_BYTES = 4096
MAX_CARRY_BYTES = 1 << 20
BLOCK_LINES = 8192
MAX_FAULTS_TOLD = 50
MAX_LINES_LISTED = 1000
MOST_NAMED = 10
BOM = b"\xef\xbb\xbf"


def line_blocks(untrusted_chunks: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """The lines without their ends (CR, LF or CRLF) and without a BOM, some thousand at a time,
    with the number of the first, from 1.

    Of a line over MAX_LINE_BYTES at least its first bytes, one too many; memory is bounded by a few
    chunks.
    """
    number, carry, first = 1, b"", True
    for chunk in untrusted_chunks:
        data = carry + chunk
        if first and len(data) >= len(BOM):
            data, first = data.removeprefix(BOM), False
        # The last line may go on in the next chunk, and a CR at the end may be half of a CRLF.
        end = data.rfind(b"\n") + 1
        lines, carry = data[:end].splitlines(), data[end:]
        if len(carry) > MAX_CARRY_BYTES:  # only CRs, or one huge line
            *more, carry = carry.splitlines(keepends=True)
            lines += (line.rstrip(b"\r") for line in more)
            carry = carry[: MAX_LINE_BYTES + 1]
        for at in range(0, len(lines), BLOCK_LINES):
            block = lines[at : at + BLOCK_LINES]
            yield number, block
            number += len(block)
    rest = carry.removeprefix(BOM).splitlines()
    if rest:
        yield number, rest


def lines_told(lines: Sequence[int]) -> str:
    """Some line numbers for people: the first ten, and how many more."""
    told = ", ".join(map(str, lines[:MOST_NAMED]))
    return f"{told} and {len(lines) - MOST_NAMED} more" if len(lines) > MOST_NAMED else told


class Faults:
    """What is wrong in a list.

    `skip`: broken rows are left out, counted and listed by line, instead of refusing the list.
    """

    def __init__(self, where: str, *, skip: bool = False) -> None:
        self.where, self.skip, self.skipped = where, skip, 0
        self.lines: list[int] = []
        self._told: list[str] = []

    def add(self, line: int, faults: Iterable[str]) -> None:
        """Note a broken row.

        Raises ConfigError when there are too many to tell, unless rows are skipped.
        """
        self.leave_out(line)
        if len(self._told) <= MAX_FAULTS_TOLD:
            self._told += (f"{self.where}:{line}: {fault}" for fault in faults)
        if len(self._told) > MAX_FAULTS_TOLD and not self.skip:
            more = f"{self.where}: and more faults after line {line}"
            raise ManyFaultsError([*self._told[:MAX_FAULTS_TOLD], more])

    def leave_out(self, line: int) -> None:
        """A row that is doubted where nobody can be asked: it costs itself."""
        self.skipped += 1
        if len(self.lines) < MAX_LINES_LISTED:
            self.lines.append(line)

    def require_none(self) -> None:
        """Raises ConfigError with all of them, unless rows are skipped."""
        if self._told and not self.skip:
            *others, last = self._told
            fix = "correct the rows, or leave them out with --skip-bad-rows"
            raise ManyFaultsError([*others, f"{last} ({fix})"])
