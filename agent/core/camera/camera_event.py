"""What a camera tells about itself: a stall, a profile, a control that it lacks, a standing alarm.

Words and numbers, never a picture or a plate (P9).
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

from agent.values import dataclass, field


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


class Alarm(StrEnum):
    """Codes: they stand in logs, in the status and in docs/design/camera-care.md."""

    BLOCKED = "blocked"
    DIRTY = "dirty"
    MOVED = "moved"
    DARK = "dark"
    BLURRED = "blurred"


FIX = {
    Alarm.BLOCKED: "something covers the lens, or stands before it",
    Alarm.DIRTY: "parts of the picture have lost their detail: clean the glass",
    Alarm.MOVED: "the camera looks elsewhere than it did: aim it again",
    Alarm.DARK: "too dark to read, or the lens is capped: look after the infrared light",
    Alarm.BLURRED: "the whole picture is blurred: focus, or wipe the glass",
}


Tell = Callable[[CameraEvent], None]


def nobody(_event: CameraEvent) -> None:
    """For sources that nobody watches over: `aim`, `doctor`, tests."""
