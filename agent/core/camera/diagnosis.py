"""Judges a camera's picture and its machine for `doctor`.

Pure: measured values in, findings out; every limit stands here with its reason.
"""

from collections.abc import Sequence

from agent.core.camera.aim_figures import Light, Verdict, band_for, local_share, sharp_verdict
from agent.core.camera.aim_survey import Sample
from agent.core.camera.diagnosis_findings import Finding, fail, ok, skip, warn

# Grey levels between a picture's dark and bright tenth: a lens cap, a wasp's nest, a dead sensor.
BLANK = 8.0
# Shares of contrast that the sharpest sixteenth's edges pass. 25 road photographs: 0.22 and more;
# blurred (Gaussian) by 2 px 0.18, 3 px 0.14, 5 px 0.10 (medians).
SCENE_SOFT, SCENE_BLURRED = 0.20, 0.12
WARM_C, HOT_C = 70.0, 80.0  # at 80 °C a Raspberry Pi slows itself down
LEAST_FREE = 64 << 20  # bytes: below it logs and databases may not be written at all
# File systems whose contents are gone at the next power cut, or that cannot be written.
NEVER_KEPT = frozenset({"tmpfs", "ramfs", "overlay", "squashfs"})
NO_RIGHTS = frozenset({"vfat", "exfat", "msdos"})
UNSAFE_OPTIONS = frozenset({"nobarrier", "barrier=0", "data=writeback"})
_NOW = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "at its temperature limit"}
_SINCE = 16


def picture(light: Light) -> Finding:
    """The whole picture: covered, dark, glaring, or fine."""
    told = (
        f"mean grey {light.mean:.0f} of 255, {light.contrast:.0f} levels of contrast, "
        f"{light.clipped:.0%} clipped"
    )
    if light.contrast < BLANK:
        return fail(
            "exposure",
            f"the picture is one flat grey ({told})",
            "take the lens cap off, clean the glass, look whether something covers it",
        )
    match light.verdict():
        case Verdict.HIGH:
            return warn(
                "exposure",
                f"too bright: {told}",
                "shorten the shutter, or turn the camera away from sun and lamps",
            )
        case Verdict.LOW:
            return warn(
                "exposure",
                f"dark: {told}",
                "at night plates need infrared light; by day open the iris; `aim` shows it live",
            )
        case Verdict.BAD:
            return warn(
                "exposure",
                f"hardly any contrast: {told}",
                "fog, dirt on the glass or stray light: clean it, shade it",
            )
        case _:
            return ok("exposure", told)


def focus(scene: float) -> Finding:
    """The picture's sharpest sixteenth, 0–1: how much of its contrast is passed within two pixels.

    A plate in view tells more.
    """
    told = (
        f"the sharpest part of the picture passes {scene:.0%} of its contrast within 2 px (sharp: "
        f"{SCENE_SOFT:.0%} and more)"
    )
    step = "turn the lens until `aim` shows the best focus; wipe the glass"
    if scene < SCENE_BLURRED:
        return fail("focus", f"blurred: {told}", step)
    return ok("focus", told) if scene >= SCENE_SOFT else warn("focus", f"soft: {told}", step)


def plate(frame_width_px: int, seen: Sequence[tuple[Sample, bool]]) -> list[Finding]:
    """The widest plate in view against what the models need; `bool`: it is the test plate.

    Numbers only.
    """
    if not seen:
        step = (
            "hold the printed test plate where cars will be read "
            "(`provision --test-plate`) and run this again"
        )
        return [skip("plate width", "no plate is in view, so the width was not measured", step)]
    sample, test = max(seen, key=lambda one: one[0].width_px)
    band, names = band_for(frame_width_px), {"us": "US", "eu": "EU", "br": "BR"}
    which = "the test plate" if test else "the widest plate in view"
    told = (
        f"{which} is {sample.width_px:.0f} px wide; "
        f"the models need {band.green_from:.0f} to {band.green_to:.0f}"
    )
    if test:
        local = (
            f"{name} {sample.width_px * local_share(kind):.0f}" for kind, name in names.items()
        )
        told += f"; in its place {', '.join(local)} px"
    match band.verdict(sample.width_px):
        case Verdict.BAD:
            found = fail(
                "plate width",
                told,
                "a longer lens, or nearer to the cars; "
                "below the least width nothing may be expected",
            )
        case Verdict.LOW:
            found = warn("plate width", told, "zoom in or move nearer")
        case Verdict.HIGH:
            found = warn(
                "plate width", told, "nothing is gained by so much: a wider view sees more road"
            )
        case _:
            found = ok("plate width", told)
    return [found, _plate_focus(sample), _plate_light(sample.light)]


def _plate_focus(sample: Sample) -> Finding:
    told = f"detail {sample.detail:.0f}"
    match sharp_verdict(sample.detail):
        case Verdict.GOOD:
            return ok("plate focus", told)
        case Verdict.LOW:
            return warn(
                "plate focus",
                f"soft: {told}",
                "focus at the plate's distance with `aim`; a shorter shutter if it moved",
            )
        case _:
            return fail(
                "plate focus",
                f"blurred: {told}",
                "focus at the plate's distance with `aim`; a shorter shutter if it moved",
            )


def _plate_light(light: Light) -> Finding:
    told = f"mean grey {light.mean:.0f}, contrast {light.contrast:.0f}, {light.clipped:.0%} clipped"
    match light.verdict():
        case Verdict.HIGH:
            return warn(
                "plate light",
                f"glare: {told}",
                "turn or dim the infrared light; shorten the shutter",
            )
        case Verdict.GOOD:
            return ok("plate light", told)
        case _:
            return warn(
                "plate light",
                f"{'dark' if light.verdict() is Verdict.LOW else 'flat'}: {told}",
                "more light on the plate, less around it",
            )


def space(free_bytes: int, most_waiting_bytes: int) -> Finding:
    """Room for what may wait for delivery. `most_waiting_bytes`: a full outbox."""
    told = f"{free_bytes / 1e6:,.0f} MB free"
    if free_bytes < LEAST_FREE:
        return fail(
            "disk",
            told,
            "free some: "
            "below 64 MB logs cannot be written, and without its log nothing is released",
        )
    if free_bytes < most_waiting_bytes + LEAST_FREE:
        return warn(
            "disk",
            f"{told}; a full outbox takes {most_waiting_bytes / 1e6:,.0f} MB",
            "free some, or lower limits.max_outbox_reads",
        )
    return ok("disk", told)


def mount(kind: str, options: frozenset[str]) -> Finding:
    """The file system that holds paths.state: does it survive a power cut, does it know owners and
    modes.
    """
    fix = "put paths.state on an ext4 partition of its own (docs/guide/installer.md)"
    if "ro" in options:
        return fail(
            "mount",
            f"the state's file system ({kind}) is read-only",
            "an error on the card does this too: see `dmesg`; replace the card",
        )
    if kind in NEVER_KEPT:
        return fail("mount", f"the state lies on {kind}: it does not survive a power cut", fix)
    if kind in NO_RIGHTS:
        return fail("mount", f"the state lies on {kind}, which knows no owners and modes", fix)
    if unsafe := sorted(options & UNSAFE_OPTIONS):
        return warn(
            "mount",
            f"{kind} with {', '.join(unsafe)}: a power cut may lose what was synced",
            "take that option out of /etc/fstab",
        )
    if "strictatime" in options:
        return warn(
            "mount",
            f"{kind} with strictatime: every read writes to the card and wears it",
            "say noatime in /etc/fstab",
        )
    told = next((name for name in ("noatime", "relatime") if name in options), "default options")
    return ok("mount", f"{kind}, {told}")


def heat(celsius: float | None) -> Finding:
    """The processor's temperature; None where nothing tells it."""
    if celsius is None:
        return skip("temperature", "this machine has no thermal sensor that the kernel tells of")
    told = f"{celsius:.0f} °C"
    step = "shade, a heat sink, or a vent; a Pi slows down from 80 °C"
    if celsius >= HOT_C:
        return fail("temperature", told, step)
    return warn("temperature", told, step) if celsius >= WARM_C else ok("temperature", told)


def power(bits: int | None, *, is_pi: bool) -> Finding:
    """Raspberry Pi's get_throttled. Now is a failure; since the last start is a warning."""
    step = (
        "a supply of 5.1 V and 3 A (Pi 5: 5 A) and a short, thick cable; "
        "for heat: shade and a heat sink"
    )
    if bits is None:
        if is_pi:
            return warn(
                "throttling",
                "the firmware could not be asked",
                "sudo apt install raspi-utils, and run this as root",
            )
        return skip("throttling", "not a Raspberry Pi: nothing tells of under-voltage here")
    now = [name for bit, name in _NOW.items() if bits >> bit & 1]
    since = [name for bit, name in _NOW.items() if bits >> (bit + _SINCE) & 1]
    if now:
        return fail("throttling", f"just now: {', '.join(now)}", step)
    return (
        warn("throttling", f"since the last start: {', '.join(since)}", step)
        if since
        else ok("throttling", "none since the last start")
    )


def swap(areas: Sequence[str], *, memory_controller: bool) -> Finding:
    """May plates reach a disk by way of memory? `areas`: swap areas; zram stays in memory."""
    on_disk = [area for area in areas if "/zram" not in area]
    if not on_disk:
        return ok("swap", "none on a disk")
    if memory_controller:
        return ok(
            "swap", f"{', '.join(on_disk)}; watch's unit forbids itself to use it (MemorySwapMax=0)"
        )
    return warn(
        "swap",
        f"{', '.join(on_disk)}; without the memory controller MemorySwapMax=0 does nothing, "
        "and only the lock that watch and aim put on their own memory keeps plates off it",
        "sudo swapoff -a, and disable dphys-swapfile (or rpi-swap) for good",
    )


# `present`: a measured value, not a switch.
def memory_controller(present: bool | None) -> Finding:  # noqa: FBT001
    """The kernel's memory cgroup; None where there is no unified hierarchy to ask."""
    if present is None:
        return warn(
            "memory cgroup",
            "no unified cgroup hierarchy: IPAddressDeny and MemorySwapMax may do nothing",
            "boot with systemd.unified_cgroup_hierarchy=1",
        )
    if present:
        return ok("memory cgroup", "on")
    return warn(
        "memory cgroup",
        "off, as Raspberry Pi OS has it: MemorySwapMax does nothing",
        "add cgroup_enable=memory to /boot/firmware/cmdline.txt and restart",
    )


def core_pattern(pattern: str) -> Finding:
    """What the kernel does with a dead process's memory.

    The units say LimitCORE=0; a pipe that is not systemd's need not heed it.
    """
    if pattern.startswith("|") and "systemd-coredump" not in pattern:
        program = pattern[1:].partition(" ")[0][:80]
        return warn(
            "core dumps",
            f"the kernel hands them to {program}, which may ignore the units' LimitCORE=0",
            "sudo sysctl kernel.core_pattern=core, for good in /etc/sysctl.d",
        )
    return ok("core dumps", "no program takes them past the units' LimitCORE=0")
