"""Builds and runs `walls`: once, as root, without a network.

Verifies the bundles for itself and writes the kernel's rules for the other processes (P4).
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from agent.bundles.city_folder import CityFolder
from agent.bundles.generation import Stops
from agent.bundles.generation_store import BundleStore
from agent.bundles.layout import HOTLIST, METADATA_FOLDER, TIMESTAMP
from agent.core.policy import wall_rules
from agent.core.policy.camera_roster import require_broker
from agent.core.policy.policy import require_in_force
from agent.core.reasons import Reason
from agent.disk.atomic_file import private_folder, write_atomic
from agent.errors import BundleRefusedError, PlatewardenError, RefusedError, StorageError
from agent.host.clock import TrustedClock
from agent.sides.signed_city import BUNDLES, no_bundles, sentence
from agent.values import dataclass

if TYPE_CHECKING:
    from agent.bundles.generation import Generation
    from agent.core.time.instant import Instant
    from agent.settings import Settings

NFT_FILE, DROP_IN_FILE, AROUND_FILE = "platewarden.nft", "20-walls.conf", "around-deliver"
RUN = Path("/run/platewarden-walls")
DROP_INS = Path("/run/systemd/system")
TIMEOUT_S = 30.0
MOST_LOOKS = 5


@dataclass(frozen=True, slots=True)
class Walls:
    """What was written.

    `gates`: who may reach what; `made_from`: in words; `refused`: why newer bundles were not taken,
    or why nothing is open.
    """

    gates: wall_rules.Gates
    made_from: str
    refused: PlatewardenError | None
    files: tuple[Path, ...]


def run(settings: Settings, out: Path | None = None) -> Walls:
    """Take in what is new and write the walls; while nothing verified is in force, walls without a
    gate.

    Bundles that come meanwhile are looked at before the end: systemd's PathChanged= forgets a
    change while its service runs (findings/systemd-path-forgets.sh), and the next look would be the
    hourly one. After MOST_LOOKS that one has to do.

    `out`: write there and apply nothing (tests, a look).

    Raises StorageError where the rules cannot be written or the kernel does not take them: what was
    in force before stays.
    """
    for _ in range(MOST_LOOKS):
        before = _newest(settings)
        walls = _once(settings, out)
        if _newest(settings) == before:
            break
    return walls


def _newest(settings: Settings) -> tuple[int, ...]:
    """What tells one arrival of bundles from the next; empty when there are none."""
    try:
        found = (settings.bundles / METADATA_FOLDER / f"{TIMESTAMP}.json").stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _once(settings: Settings, out: Path | None) -> Walls:
    state = settings.state / "walls"
    private_folder(state)
    clock = TrustedClock(state)
    store = BundleStore(
        state / BUNDLES,
        settings.anchor,
        settings.limits,
        rig=settings.rig,
        leave_out=frozenset({HOTLIST}),
    )
    refused: PlatewardenError | None = None
    generation: Generation | None = None
    try:
        generation = store.current()
        if generation is not None:
            clock.signed_time(generation.issued, generation.expiry["timestamp"])
        generation = store.take_in(settings.bundles, clock.now()) or generation
    except RefusedError as error:
        refused = error
    gates, made_from = wall_rules.Gates(), "no verified policy"
    try:
        gates, made_from, closed = _gates(settings, generation, clock.now())
        refused = refused or closed
    except RefusedError as error:
        refused = refused or error
    files = _write(gates, made_from, out)
    if out is None:
        _apply(files[0], gates)
    return Walls(gates, made_from, refused, files)


def _gates(
    settings: Settings, generation: Generation | None, now: Instant
) -> tuple[wall_rules.Gates, str, RefusedError | None]:
    """What the policy in force opens.

    Raises RefusedError where none was verified. What `update` may reach stays open when bundles
    lapse: it is how newer ones come.
    """
    if generation is None:
        raise no_bundles(settings)
    policy, _ = CityFolder(generation.city).obeyed()
    gates = wall_rules.gates(policy, settings.camera_id)
    made_from = f"{policy.name}, version {policy.version}, sha256 {policy.digest}"
    try:
        for lapse in generation.lapsed(max(now.utc, now.at_least or now.utc)):
            if lapse.stops is Stops.EVERYTHING:
                raise BundleRefusedError(
                    Reason.BUNDLE_LAPSED,
                    sentence(lapse),
                    where=generation.city_id,
                    fix="bring newer bundles",
                )
        require_in_force(policy, now)
        require_broker(policy, settings.camera_id)
    except RefusedError as error:
        return wall_rules.Gates(sources=gates.sources), f"{made_from}; closed: {error.what}", error
    return gates, made_from, None


def _write(gates: wall_rules.Gates, made_from: str, out: Path | None) -> tuple[Path, ...]:
    rules = (out or RUN) / NFT_FILE
    private_folder(rules.parent, 0o755)
    write_atomic(rules, wall_rules.nftables(gates, made_from).encode(), 0o644)
    files = [rules]
    for unit, listed in ((wall_rules.DELIVER, gates.brokers), (wall_rules.UPDATE, gates.sources)):
        folder = (out or DROP_INS) / f"{unit}.service.d"
        private_folder(folder, 0o755)
        write_atomic(folder / DROP_IN_FILE, wall_rules.drop_in(listed, made_from).encode(), 0o644)
        files.append(folder / DROP_IN_FILE)
    return tuple(files)


def _apply(rules: Path, gates: wall_rules.Gates) -> None:
    """First nftables, which knows the ports.

    Either refuses what it does not understand, and keeps what it had.

    Around a process that runs already systemd puts a changed drop-in only when some other unit
    happens to start (seen with 257), so deliver is started anew: it loses nothing by that (P8).
    update is started for each fetch.
    """
    _run(["nft", "-f", str(rules)], rules)
    _run(["systemctl", "daemon-reload"], rules)
    around = rules.with_name(AROUND_FILE)
    now = "\n".join(wall_rules.allowed(gates.brokers)).encode()
    if not around.exists() or around.read_bytes() != now:
        # Without waiting, because its start waits for our end.
        _run(["systemctl", "try-restart", "--no-block", f"{wall_rules.DELIVER}.service"], rules)
        write_atomic(around, now, 0o644)


def _run(command: list[str], rules: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StorageError(
            f"{command[0]} could not run: {error}",
            where=rules,
            fix="install nftables; run as root under systemd",
        ) from None
    if done.returncode:
        raise StorageError(
            f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[:200]}",
            where=rules,
            fix="run as root; see the file",
        )
