"""Says when a camera's picture has gone bad and stays so: blocked, dirty, moved, dark, blurred.

Numbers in, alarms out (docs/design/camera-care.md).
"""

from collections.abc import Iterator, Sequence

from agent.core.camera.aim_figures import DARK, Light
from agent.core.camera.camera_event import FIX, Alarm, CameraEvent
from agent.core.camera.diagnosis import BLANK, SCENE_BLURRED
from agent.values import dataclass, field

EDGES_ACROSS, EDGES_DOWN = 32, 18
# Looks that must agree before an alarm is raised or cleared: a lorry in front, a headlight or a
# wiper passes.
IN_A_ROW = 5
# Share of a good look that goes into the reference. Half of a change is taken for granted after 14
# looks, and a dusk is followed.
LEARNS = 0.05
FIRST_LOOKS = 10  # learned plainly, before anything is compared
LOST = 0.5  # of a tile's usual detail: below it the tile shows less than it did
SOFTENED = 0.6  # of the sharpest tile's usual detail: below it the whole picture is blurred
# Shares of the tiles that usually show something.
FLAT_SHARE, DIRTY_SHARE, LEAST_TELLING = 0.6, 0.34, 4
# Correlation of the edges: in place, at the best shift, and how much the shift gains.
UNLIKE, ALIKE, GAINED = 0.4, 0.5, 0.12
# Cells that are tried in each direction; and alike enough in place not to try at all.
MOVED_BY, IN_PLACE = 4, 0.75


@dataclass(frozen=True, slots=True)
class Tile:
    """A sixteenth of the picture.

    `detail`: light_meter.edge_contrast, 0 where there is too little contrast to tell.
    """

    contrast: float
    detail: float


@dataclass(frozen=True, slots=True)
class Look:
    """One picture. `edges`: EDGES_ACROSS × EDGES_DOWN cells, row by row, mean 0, length 1."""

    light: Light
    tiles: tuple[Tile, ...]
    edges: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """An alarm that begins or ends. `figure`: what was measured, in the alarm's own unit."""

    alarm: Alarm
    raised: bool
    figure: float

    def event(self) -> CameraEvent:
        """For the log and the journal."""
        said = (
            f"alarm: the camera is {self.alarm}: {FIX[self.alarm]}"
            if self.raised
            else f"the camera is {self.alarm} no more"
        )
        return CameraEvent(
            "alarm",
            said,
            {
                "alarm": self.alarm,
                "state": "raised" if self.raised else "cleared",
                "figure": round(self.figure, 3),
            },
        )


@dataclass(slots=True)
class _Reference:
    """What this camera usually sees, learned from good looks.

    In memory only: after a restart the first looks count as right.
    """

    looks: int = 0
    tiles: list[Tile] = field(default_factory=list)
    edges: list[float] = field(default_factory=list)

    def learn(self, look: Look) -> None:
        self.looks += 1
        share = max(1 / self.looks, LEARNS)
        if len(self.tiles) != len(look.tiles):  # the first, or another picture size
            self.tiles, self.edges, self.looks = list(look.tiles), list(look.edges), 1
            return
        self.tiles = [
            _mixed(old, new, share) for old, new in zip(self.tiles, look.tiles, strict=True)
        ]
        self.edges = [
            old + (new - old) * share for old, new in zip(self.edges, look.edges, strict=True)
        ]


class AlarmKeeper:
    """Give it a look every minute.

    Day and night have references of their own: an infrared lamp shows another scene.
    """

    def __init__(self) -> None:
        self._references = dict[tuple[str, bool], _Reference]()
        self._standing = set[Alarm]()
        self._count = dict.fromkeys(Alarm, 0)

    def look(self, look: Look, profile: str) -> Sequence[Change]:
        """What begins or ends with this look.

        An alarm that cannot be judged now (in the dark, behind a cover) stays as it is.
        """
        reference = self._references.setdefault((profile, look.light.mean < DARK), _Reference())
        judged = dict(judge(look, reference if reference.looks >= FIRST_LOOKS else None))
        if not any(bad for bad, _figure in judged.values()) and not self._standing:
            reference.learn(look)
        return [
            change
            for alarm, (bad, figure) in judged.items()
            if (change := self._counted(alarm, figure, bad=bad))
        ]

    def _counted(self, alarm: Alarm, figure: float, *, bad: bool) -> Change | None:
        """Counts looks that contradict what stands; IN_A_ROW of them change it."""
        stands = alarm in self._standing
        self._count[alarm] = self._count[alarm] + 1 if bad is not stands else 0
        if self._count[alarm] < IN_A_ROW:
            return None
        self._count[alarm] = 0
        self._standing ^= {alarm}
        return Change(alarm, bad, figure)


def judge(look: Look, reference: _Reference | None) -> Iterator[tuple[Alarm, tuple[bool, float]]]:
    """Each alarm that can be judged from this look: is it so, and the figure.

    The graver hides the finer: behind a cover nobody tells dirt.
    """
    dark = look.light.mean < DARK and (
        look.light.contrast < BLANK or max(tile.detail for tile in look.tiles) == 0
    )
    yield Alarm.DARK, (dark, look.light.mean)
    if dark:
        return
    flat = _flat_share(look, reference)
    blocked = look.light.contrast < BLANK or flat >= FLAT_SHARE
    yield Alarm.BLOCKED, (blocked, flat)
    if blocked:
        return
    sharp = max(tile.detail for tile in look.tiles)
    usual = max(tile.detail for tile in reference.tiles) if reference else 0.0
    blurred = sharp < max(SCENE_BLURRED, SOFTENED * usual)
    yield Alarm.BLURRED, (blurred, sharp)
    if blurred or reference is None:
        return
    moved, alike = _moved(look.edges, reference.edges)
    yield Alarm.MOVED, (moved, alike)
    if not moved:
        lost = _lost_share(look, reference)
        yield Alarm.DIRTY, (lost >= DIRTY_SHARE, lost)


def _telling(look: Look, reference: _Reference) -> list[tuple[Tile, Tile]]:
    """Now and usually, of the tiles that usually show something."""
    return [
        (now, usual)
        for now, usual in zip(look.tiles, reference.tiles, strict=False)
        if usual.detail > 0
    ]


def _flat_share(look: Look, reference: _Reference | None) -> float:
    pairs = _telling(look, reference) if reference else []
    return (
        sum(now.contrast < BLANK for now, _usual in pairs) / len(pairs)
        if len(pairs) >= LEAST_TELLING
        else 0.0
    )


def _lost_share(look: Look, reference: _Reference) -> float:
    pairs = _telling(look, reference)
    return (
        sum(now.detail < LOST * usual.detail for now, usual in pairs) / len(pairs)
        if len(pairs) >= LEAST_TELLING
        else 0.0
    )


def _moved(now: Sequence[float], usual: Sequence[float]) -> tuple[bool, float]:
    """Does the scene lie elsewhere in the picture, or is it another?

    And how alike both are in place, −1 to 1.
    """
    in_place = alike(now, usual, 0, 0)
    if in_place >= IN_PLACE:
        return False, in_place
    best = max(
        alike(now, usual, across, down)
        for across in range(-MOVED_BY, MOVED_BY + 1)
        for down in range(-MOVED_BY, MOVED_BY + 1)
    )
    return in_place < UNLIKE or (best >= ALIKE and best - in_place >= GAINED), in_place


def alike(now: Sequence[float], usual: Sequence[float], across: int, down: int) -> float:
    """Correlation of two maps of edges, one shifted by whole cells, over the cells that they
    share.
    """
    rows = range(max(0, down), min(EDGES_DOWN, EDGES_DOWN + down))
    columns = slice(max(0, across), min(EDGES_ACROSS, EDGES_ACROSS + across))
    product = norm_now = norm_usual = 0.0
    for row in rows:
        a = now[row * EDGES_ACROSS : (row + 1) * EDGES_ACROSS][columns]
        start = (row - down) * EDGES_ACROSS
        b = usual[start : start + EDGES_ACROSS][columns.start - across : columns.stop - across]
        product += sum(x * y for x, y in zip(a, b, strict=True))
        norm_now += sum(x * x for x in a)
        norm_usual += sum(y * y for y in b)
    return product / (norm_now * norm_usual) ** 0.5 if norm_now > 0 and norm_usual > 0 else 0.0


def _mixed(old: Tile, new: Tile, share: float) -> Tile:
    return Tile(
        old.contrast + (new.contrast - old.contrast) * share,
        old.detail + (new.detail - old.detail) * share,
    )
