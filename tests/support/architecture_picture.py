"""Draws docs/img/architecture.svg, the picture of ARCHITECTURE.md: `python -m
tests.support.architecture_picture`.

One column, so that a phone can show it. An SVG is shown by every forge, and without a network.
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

PICTURE = Path(__file__).parents[2] / "docs/img/architecture.svg"
RENEW = ".venv/bin/python -m tests.support.architecture_picture"
WIDTH, LINE, SIZE, GAP = 600, 26, 18, 74
LEFT, RIGHT = 150, 370  # arrows down, arrows up
INK, GREY, FRAME = "#1b2430", "#48566a", "#8a94a3"
CLEAR, SEALED, CITY = "#fbe3c0", "#dfe9f5", "#e0efe4"  # what may be seen there
BOLD = ' font-weight="bold"'
SAYS = (
    "A city signs bundles. "
    "On the camera, update fetches them, and watch, deliver and walls each verify them. "
    "watch sees plates and has no network; it seals reads into the outbox. "
    "deliver has the network and sees no plate; it publishes them to the broker. "
    "The receiver opens them and answers with a signed receipt, which travels back the same way."
)


@dataclass(frozen=True, slots=True)
class Box:
    """A party or a process: what it does, and on the last line which keys it holds."""

    colour: str
    title: str
    lines: tuple[str, ...]
    keys: str
    x: int = 40
    width: int = WIDTH - 80

    @property
    def height(self) -> int:
        return 22 + LINE * (len(self.lines) + 2)


CITY_BOX = Box(
    CITY,
    "City",
    (
        "decides: charter, policy, rosters, key lists, hot lists",
        "signs them as bundles that expire",
    ),
    "Keys: root and policy by 2 of 3; online keys by 1",
    20,
    WIDTH - 40,
)
UPDATE = Box(
    SEALED,
    "update",
    ("fetches bundles, over", "HTTPS or by a stick;", "trusted with nothing"),
    "No key",
    40,
    255,
)
WALLS = Box(
    SEALED,
    "walls",
    ("root, no network, runs", "and ends; writes the", "kernel's rules"),
    "No key",
    305,
    255,
)
WATCH = Box(
    CLEAR,
    "watch: sees plates, has no network",
    (
        "frame → detect → read → track → vote",
        "→ match → decide → seal",
        "what no rule releases ends here, as a number",
    ),
    "Keys: seal.key, hotlist.key, watch-log.key",
)
DELIVER = Box(
    SEALED,
    "deliver: has the network, sees no plate",
    ("checks today's policy again → publishes",),
    "Keys: tls.key, deliver-log.key; none opens",
)
BROKER = Box(SEALED, "Broker", ("carries sealed reads, sees their tags",), "No key", 20, WIDTH - 40)
RECEIVER = Box(
    CLEAR,
    "Receiver: the department's own machine",
    ("verify → open → store sealed → sign a receipt",),
    "Keys: signing.key; one a day, then destroyed",
    20,
    WIDTH - 40,
)
# From top to bottom: boxes side by side, and the arrows to the next row (down, up).
ROWS = (
    ((CITY_BOX,), ("signed bundles",)),
    ((UPDATE, WALLS), ("bundles-in/: each verifies it alone",)),
    ((WATCH,), ("outbox/: sealed reads", "receipts/")),
    ((DELIVER,), ("MQTT 5, pinned TLS", "signed receipts")),
    ((BROKER,), ("sealed reads", "signed receipts")),
    ((RECEIVER,), ()),
)


def text(x: int, y: int, words: str, style: str = "") -> str:
    return f'<text x="{x}" y="{y}"{style}>{escape(words, quote=False)}</text>'


def box(one: Box, top: int) -> str:
    frame = f'<rect x="{one.x}" y="{top}" width="{one.width}" height="{one.height}" rx="6" '
    said = [
        frame + f'fill="{one.colour}" stroke="{FRAME}"/>',
        text(one.x + 14, top + 28, one.title, BOLD),
        *(text(one.x + 14, top + 28 + LINE * at, line) for at, line in enumerate(one.lines, 1)),
        text(one.x + 14, top + one.height - 19, one.keys, f' fill="{GREY}" font-style="italic"'),
    ]
    return "\n".join(said)


def arrow(x: int, start: int, end: int, words: str, words_at: int) -> str:
    """A vertical arrow; what travels stands to its right."""
    tip = -9 if end > start else 9
    line = f'<path d="M{x} {start} V{end} m-6 {tip} l6 {-tip} l6 {tip}" '
    line += f'fill="none" stroke="{INK}" stroke-width="2"/>\n'
    return line + text(x + 12, words_at, words)


def made() -> str:
    top, parts, tops = 50, [], []
    for boxes, arrows in ROWS:
        tops.append(top)
        parts += [box(one, top) for one in boxes]
        bottom = top + boxes[0].height
        # the camera's frame and its title stand between the city and the first process
        top = bottom + GAP + (GAP if CITY_BOX in boxes else 18 if DELIVER in boxes else 0)
        # where deliver's arrows leave the frame, the words stand below it
        at = bottom + (34 if CITY_BOX in boxes else (top - bottom) // 2 + 6)
        at += 12 if DELIVER in boxes else 0
        for x, start, end, words in zip(
            (LEFT, RIGHT), (bottom, top - 2), (top - 2, bottom + 2), arrows, strict=False
        ):
            parts.append(arrow(x, start, end, words, at))
    height = top - GAP + 20
    camera = tops[1] - 66
    frame = (
        f'<rect x="20" y="{camera}" width="{WIDTH - 40}" height="{tops[4] - 66 - camera}" rx="8" '
        f'fill="none" stroke="{GREY}" stroke-width="2" stroke-dasharray="7 5"/>'
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'font-family="sans-serif" font-size="{SIZE}" fill="{INK}" role="img" '
        f'aria-label="{escape(SAYS)}">'
    )
    title = text(LEFT + 12, camera + 34, "Camera: one user a process", BOLD)
    sheet = f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    legend = text(20, 32, "Orange: reads in the clear. Elsewhere sealed, or none.")
    return "\n".join([head, sheet, legend, frame, title, *parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(made(), encoding="utf-8")
