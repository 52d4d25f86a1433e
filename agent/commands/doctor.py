"""`platewarden doctor`: what an installed camera lacks, a line each, with the fix beside it. Reads
only; each part in a process of its own (P2).
"""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from agent.commands.camera_options import Config, Json
from agent.commands.camera_output import CONFIG_FILE
from agent.doc_paths import located
from agent.values import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.camera.diagnosis_findings import Finding
    from agent.doctor.parts import Report

app = typer.Typer(add_completion=False)


@app.command()
def doctor(
    config: Config = CONFIG_FILE,
    source: Annotated[
        str,
        typer.Option(
            "--source",
            help="What to look through: picamera, usb:N, an image, a folder of images or a video.",
        ),
    ] = "picamera",
    as_json: Json = False,
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
    """Look at camera, keys, bundles, clock, broker, disk, heat and walls. Each gets a line, with
    the fix beside it.
    """
    from agent.core.camera.diagnosis_findings import exit_code
    from agent.doctor.examination import examine, run_part, settings_or_defaults
    from agent.doctor.parts import Part

    settings, fault = settings_or_defaults(config)
    usable = fault.health == "ok"
    if part:
        if part not in list(Part):
            raise typer.BadParameter(f"one of {', '.join(Part)}", param_hint="--part")
        print_report(
            run_part(Part(part), settings, source, digest or None, allow_unsigned=allow_unsigned)
        )
        return
    if not as_json:
        camera = settings.camera_id if usable else "this camera"
        typer.echo(f"looking at {camera}, which may take a minute …", err=True)
    found = [fault, *examine(config, source, allow_unsigned=allow_unsigned, usable=usable)]
    shown = [replace(finding, fix=located(finding.fix)) for finding in found]
    print_findings(settings.camera_id, shown, as_json=as_json)
    raise typer.Exit(exit_code(found))


def print_report(report: "Report") -> None:
    """What one part found, for the process that started it."""
    from agent.core.camera.diagnosis_findings import as_table

    findings = [as_table(finding) for finding in report.findings]
    print(json.dumps({"findings": findings, "closed": report.closed, "digest": report.digest}))


def print_findings(camera: str, findings: "Sequence[Finding]", *, as_json: bool) -> None:
    """For people, or as one JSON object."""
    from agent.core.camera.diagnosis_findings import as_table, exit_code

    if not as_json:
        from agent.commands.doctor_page import show

        show(findings)
        return
    table = {
        "camera": camera,
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "exit_code": exit_code(findings),
        "findings": [as_table(finding) for finding in findings],
    }
    print(json.dumps(table))
