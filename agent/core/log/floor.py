"""How far watch's log had come, as it is known outside the log's own folder: a checkpoint that
watch signed, with the sequence numbers that it had given out, as extension lines.
"""

from collections.abc import Mapping

from agent.core.log.checkpoint import MAX_SIZE_DIGITS, Checkpoint
from agent.core.text.strict_json import IDENTIFIER
from agent.values import dataclass

FILE_NAME = "watch.checkpoint"
# recipients in one floor, as many as a leaf can name; the numbers of further ones are not kept
MAX_RECIPIENTS = 64


@dataclass(frozen=True, slots=True)
class Floor:
    """`earlier`: leaves of the logs before this one, which are known to be missing; `sequences`:
    the last number given out, by recipient.
    """

    checkpoint: Checkpoint
    earlier: int
    sequences: Mapping[str, int]

    @property
    def height(self) -> int:
        """All leaves ever known. A log that was put back, or begun anew, is below it."""
        return self.earlier + self.checkpoint.size


def floor_lines(earlier: int, sequences: Mapping[str, int]) -> tuple[str, ...]:
    """The extension lines of a floor."""
    kept = sorted(sequences.items())[:MAX_RECIPIENTS]
    return (
        f"earlier {earlier}",
        *(f"sequence {recipient} {number}" for recipient, number in kept),
    )


def floor_of(checkpoint: Checkpoint) -> Floor:
    """The inverse, of a checkpoint whose signature was verified. Raises ValueError."""
    earlier = 0
    sequences: dict[str, int] = {}
    for line in checkpoint.extensions:
        match line.split(" "):
            case ["earlier", number]:
                earlier = _number(number)
            case ["sequence", recipient, number] if IDENTIFIER.fullmatch(recipient):
                sequences[recipient] = _number(number)
            case _:
                msg = "a line of the floor is neither `earlier` nor `sequence`"
                raise ValueError(msg)
    if len(sequences) > MAX_RECIPIENTS:
        msg = f"a floor names at most {MAX_RECIPIENTS} recipients"
        raise ValueError(msg)
    return Floor(checkpoint, earlier, sequences)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > MAX_SIZE_DIGITS:
        msg = "not a plain decimal number"
        raise ValueError(msg)
    return int(text)
