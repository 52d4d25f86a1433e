"""What a camera tells about itself: a stall, a profile, a control that it lacks, a standing alarm.

Words and numbers, never a picture or a plate (P9).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CameraEvent:
    """One leaf of the log (docs/ref/audit-log.md, kind `camera`).

    `what`: its code; `said`: a sentence for the journal; `details`: the leaf's other members.
    """

    what: str
    said: str
    details: Mapping[str, object] = field(default_factory=dict)


def other_size(asked: tuple[int, int], given: tuple[int, int]) -> CameraEvent:
    """A camera that gives another size than it was asked for: width, height in px."""
    (wide, high), (wider, higher) = asked, given
    return CameraEvent(
        "size",
        f"the settings ask for {wide}×{high} px, and this camera gives {wider}×{higher}: write "
        "that under [camera], or a size that it has",
        {"asked": f"{wide}x{high}", "given": f"{wider}x{higher}"},
    )


Tell = Callable[[CameraEvent], None]


def nobody(_event: CameraEvent) -> None:
    """For sources that nobody watches over: `aim`, `doctor`, tests."""
