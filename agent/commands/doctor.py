"""`platewarden doctor`: what an installed camera lacks, a line each, with the fix beside it. Reads
only; each part in a process of its own (P2).
"""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.doc_paths import located

if TYPE_CHECKING:
    from agent.core.camera.diagnosis_findings import Finding
    from agent.doctor.parts import Part, Report
    from agent.settings import Settings

app = typer.Typer(add_completion=False)
DEFAULT = Path("/etc/platewarden/platewarden.toml")
DEBIANS = Path("/usr/share/doc/platewarden/examples/platewarden.toml")
"""The example that the Debian package brings: it has the packages' folders."""
NAMELESS = "not-set"
WITHIN_S = 90.0


@app.command()
def doctor(
    config: Annotated[Path, typer.Option("--config", help="Settings file.")] = DEFAULT,
    source: Annotated[
        str,
        typer.Option(
            "--source",
            help="What to look through: picamera, usb:N, an image, a folder of images or a video.",
        ),
    ] = "picamera",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    allow_unsigned: Annotated[
        bool,
        typer.Option(
            "--allow-unsigned",
            help="Dial the brokers of an unsigned policy. For tests and rigs only.",
        ),
    ] = False,
    part: Annotated[str, typer.Option("--part", hidden=True)] = "",
    digest: Annotated[str, typer.Option("--digest", hidden=True)] = "",
) -> None:
    """Look at camera, keys, bundles, clock, broker, disk, heat and walls: a line each, with the fix
    beside it.
    """
    from agent.core.camera.diagnosis_findings import as_table, exit_code
    from agent.doctor.parts import Part

    settings, fault = loaded(config)
    if part:
        if part not in list(Part):
            raise typer.BadParameter(f"one of {', '.join(Part)}", param_hint="--part")
        report = run_part(
            Part(part), settings, source, digest or None, allow_unsigned=allow_unsigned
        )
        print(
            json.dumps(
                {
                    "findings": [as_table(finding) for finding in report.findings],
                    "closed": report.closed,
                    "digest": report.digest,
                }
            )
        )
        return
    if not as_json:
        typer.echo(
            f"looking at {settings.camera_id if fault.health == 'ok' else 'this camera'}, which "
            "may take a minute …",
            err=True,
        )
    findings = [
        replace(finding, fix=located(finding.fix))
        for finding in (
            fault,
            *examine(config, source, allow_unsigned=allow_unsigned, usable=fault.health == "ok"),
        )
    ]
    if as_json:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        print(
            json.dumps(
                {
                    "camera": settings.camera_id,
                    "at": at,
                    "exit_code": exit_code(findings),
                    "findings": [as_table(finding) for finding in findings],
                }
            )
        )
    else:
        from agent.commands.doctor_page import show

        show(findings)
    raise typer.Exit(exit_code(findings))


def loaded(config: Path) -> "tuple[Settings, Finding]":
    """The settings, or the defaults and what is wrong: a camera's lens can be looked at without
    them.
    """
    from agent import settings
    from agent.core.camera.diagnosis_findings import Finding, Health, ok
    from agent.errors import ConfigError

    try:
        found = settings.load(config)
    except ConfigError as error:
        missing = not config.exists()
        example = DEBIANS if DEBIANS.exists() else "config/platewarden.example.toml"
        fix = f"copy the example, {example}, and set camera_id" if missing else error.fix
        what = f"{config} is missing" if missing else f"{error.where}: {error.what}"
        return settings.Settings(camera_id=NAMELESS, root=config.parent), Finding(
            "settings", Health.FAIL, what, fix, 1 if missing else error.exit_code
        )
    return found, ok(
        "settings", f"{config}: camera {found.camera_id}{', a rig' if found.rig else ''}"
    )


def examine(config: Path, source: str, *, allow_unsigned: bool, usable: bool) -> "list[Finding]":
    """Trust first, since a policy may close the sensor; then the rest at once. `usable`: the
    settings could be read.
    """
    from agent.core.camera.diagnosis_findings import skip
    from agent.doctor.parts import Part, gather, start

    ends_s = time.monotonic() + WITHIN_S
    common = [
        "--config",
        str(config),
        "--source",
        source,
        *(["--allow-unsigned"] if allow_unsigned else []),
    ]
    trust = gather(Part.TRUST, start(Part.TRUST, common), ends_s) if usable else None
    wanted = [Part.EYES, Part.BROKER, Part.MACHINE] if usable else [Part.EYES, Part.MACHINE]
    closed = trust.closed if trust else None
    if closed:
        wanted.remove(Part.EYES)
    digest = ["--digest", trust.digest] if trust and trust.digest else []
    children = {
        part: start(part, [*common, *(digest if part is Part.MACHINE else [])]) for part in wanted
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


def run_part(
    part: "Part", settings: "Settings", source: str, digest: str | None, *, allow_unsigned: bool
) -> "Report":
    """One part, in this process. Imported only now: who sees must not load what dials."""
    from agent.doctor.parts import Part, Report

    if part is Part.EYES:
        from agent.doctor import eyes

        return Report(tuple(eyes.look(settings, source)))
    if part is Part.BROKER:
        from agent.doctor import broker_dial

        return Report(tuple(broker_dial.look(settings, allow_unsigned=allow_unsigned)))
    if part is Part.TRUST:
        from agent.doctor import trust

        found = trust.look(settings, allow_unsigned=allow_unsigned)
        return Report(tuple(found.findings), found.closed, found.digest)
    from agent.doctor import machine, services

    return Report((*machine.look(settings), *services.look(digest)))
