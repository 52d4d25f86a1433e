"""All attempts under some walls, on the rounds' camera: what they were told, what went out, and
what of it must not be.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.rounds.network import ADDRESSES, BROKER, CAMERA, Cables
from tests.faults.rounds.roles import ATTEMPTS
from tests.faults.walls.attempts import (
    BY_C,
    BY_CHILD,
    BY_FAMILY,
    BY_PYTHON,
    GUARD,
    Attempt,
    attempts,
)
from tests.faults.walls.confinement import NFTABLES, WALLS, rules

# Of a connection that nobody answered in time, the capture tells whether a packet went out.
NO = {"EPERM", "EACCES", "ECONNREFUSED", "EINPROGRESS", "the child failed"}
PORT, WITHIN_S, LATER_S = 8883, 90.0, 0.3


@dataclass(frozen=True, slots=True)
class Seen:
    """`answers`: by attempt. `strays`: packets to addresses that the policy does not name."""

    answers: dict[str, str]
    strays: Counter[tuple[str, str]]


def exercise(net: Cables, folder: Path, walls: Iterable[str] = WALLS) -> Seen:
    """Put these walls up on the camera and try every way out."""
    camera, walls, broker = net.machines[CAMERA], tuple(walls), ADDRESSES[BROKER]
    table = folder / "walls.nft"
    table.write_text(rules(broker, PORT))
    before = Counter(net.capture.unlisted)
    if NFTABLES in walls:
        camera.command("nft", "-f", str(table))
    output, answers = folder / "attempts.out", folder / "attempts.json"
    answers.unlink(missing_ok=True)
    try:
        told = [broker, str(PORT), str(answers), *walls]
        pid = camera.start(ATTEMPTS, told, folder, output)
        end_s = time.monotonic() + WITHIN_S
        while (code := camera.ended(pid)) is None:
            assert time.monotonic() < end_s, "the attempts do not end"
            time.sleep(0.05)
        assert code == 0, output.read_text()
        time.sleep(LATER_S)  # what the kernel still holds goes out, or not
    finally:
        if NFTABLES in walls:
            camera.command("nft", "delete", "table", "inet", "platewarden")
    strays = Counter(net.capture.unlisted)
    strays.subtract(before)
    return Seen(json.loads(answers.read_text()), +strays)


def complaints(seen: Seen) -> list[str]:
    """What must not be: a packet to a stranger, or an attempt that its own wall did not stop."""
    found = [f"{n} packets to {place} from the {who}" for (who, place), n in seen.strays.items()]
    return found + wrong(seen.answers, attempts(ADDRESSES[BROKER], PORT))


def wrong(answers: dict[str, str], tried: list[Attempt]) -> list[str]:
    """The attempts that their own wall did not stop."""
    found = []
    for attempt in tried:
        answer = answers.get(attempt.name, "was not made")
        good = {
            BY_PYTHON: answer == GUARD,
            BY_CHILD: answer == GUARD,
            BY_C: answer in NO,
            BY_FAMILY: answer == "EAFNOSUPPORT",
        }[attempt.way]
        if not good:
            found.append(f"{attempt.way}, {attempt.name}: {answer}")
    return found
