"""A whole look at a camera by `doctor`: settings first, then trust, since a policy may close the
sensor; then the other parts at once, each in a process of its own (P2).
"""

import time
from pathlib import Path

from agent import settings
from agent.core.camera.diagnosis_findings import Finding, Health, ok, skip
from agent.doctor.parts import Part, Report, gather, start
from agent.errors import ConfigError
from agent.settings import Settings

NAMELESS = "not-set"
WITHIN_S = 90.0
DEBIANS = Path("/usr/share/doc/platewarden/examples/platewarden.toml")
"""The example that the Debian package brings: it has the packages' folders."""


def settings_or_defaults(config: Path) -> tuple[Settings, Finding]:
    """The settings, or the defaults and what is wrong: a camera's lens can be looked at without
    them.
    """
    try:
        found = settings.load(config)
    except ConfigError as error:
        defaults = Settings(camera_id=NAMELESS, root=config.parent)
        if not config.exists():
            example = DEBIANS if DEBIANS.exists() else "config/platewarden.example.toml"
            fix = f"copy the example, {example}, and set camera_id"
            return defaults, Finding("settings", Health.FAIL, f"{config} is missing", fix, 1)
        told = error.what.replace("\n", "; ")  # a finding is one line
        what = f"{error.where}: {told}" if error.where else told
        return defaults, Finding("settings", Health.FAIL, what, error.fix, error.exit_code)
    told = f"{config}: camera {found.camera_id}{', a rig' if found.rig else ''}"
    return found, ok("settings", told)


def examine(config: Path, source: str, *, allow_unsigned: bool, usable: bool) -> list[Finding]:
    """Every part's findings. `usable`: the settings could be read."""
    ends_s = time.monotonic() + WITHIN_S
    unsigned = ["--allow-unsigned"] if allow_unsigned else []
    common = ["--config", str(config), "--source", source, *unsigned]
    trust = gather(Part.TRUST, start(Part.TRUST, common), ends_s) if usable else None
    closed = trust.closed if trust else None
    digest = ["--digest", trust.digest] if trust and trust.digest else []
    children = {
        part: start(part, [*common, *(digest if part is Part.MACHINE else [])])
        for part in _wanted(usable=usable, closed=bool(closed))
    }
    reports = {part: gather(part, child, ends_s) for part, child in children.items()}
    findings: list[Finding] = (
        [skip("camera", f"its sensor stays closed: {closed}")]
        if closed
        else list(reports[Part.EYES].findings)
    )
    findings += (
        trust.findings
        if trust
        else [skip("keys, policy, broker", "not looked at without settings")]
    )
    return findings + [
        finding
        for part in (Part.BROKER, Part.MACHINE)
        if part in reports
        for finding in reports[part].findings
    ]


def _wanted(*, usable: bool, closed: bool) -> list[Part]:
    """What is looked at besides trust."""
    eyes = [] if closed else [Part.EYES]
    return [*eyes, *([Part.BROKER] if usable else []), Part.MACHINE]


def run_part(
    part: Part, given: Settings, source: str, digest: str | None, *, allow_unsigned: bool
) -> Report:
    """One part, in this process. Imported only now: who sees must not load what dials."""
    if part is Part.EYES:
        from agent.doctor import eyes

        return Report(tuple(eyes.look(given, source)))
    if part is Part.BROKER:
        from agent.doctor import broker_dial

        return Report(tuple(broker_dial.look(given, allow_unsigned=allow_unsigned)))
    if part is Part.TRUST:
        from agent.doctor import trust

        found = trust.look(given, allow_unsigned=allow_unsigned)
        return Report(tuple(found.findings), found.closed, found.digest)
    from agent.doctor import machine, services

    return Report((*machine.look(given), *services.look(digest)))
