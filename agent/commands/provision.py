"""`platewarden provision`: makes a camera's keys and its enrolment, or forty cameras' at once;
takes a camera out of service (docs/ref/enrolment.md).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.errors import UsageError

if TYPE_CHECKING:
    from agent.core.wire.enrolment import Enrolment
    from agent.settings import Settings

app = typer.Typer(add_completion=False)

Config = Annotated[Path, typer.Option("--config", help="The camera's settings file.")]
Anchor = Annotated[
    Path | None,
    typer.Option(
        "--anchor",
        metavar="FILE",
        help="The city's root.json (version 1), to be put into paths.trust.",
    ),
]
Credential = Annotated[
    bool,
    typer.Option(
        "--credential",
        help="Encrypt private keys to this machine with systemd-creds instead of writing them as "
        "files.",
    ),
]
Replace = Annotated[
    str | None,
    typer.Option(
        "--replace",
        metavar="ID",
        help="This device takes the place of an enrolled camera; must be the settings' camera_id.",
    ),
]
Certificate = Annotated[
    Path | None,
    typer.Option(
        "--certificate",
        metavar="FILE",
        help="Install the certificate that the broker's CA made of tls.csr.",
    ),
]
Batch = Annotated[
    Path | None,
    typer.Option(
        "--batch",
        metavar="FILE",
        help="Make every camera of a roster.csv, each in a folder of its own; needs --out.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="The batch's folder; must not exist, or be empty."),
]
Decommission = Annotated[
    bool,
    typer.Option(
        "--decommission",
        help="Destroy this camera's keys and all that waits, after a last leaf in its logs.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before --decommission.")]
TestPlate = Annotated[
    Path | None,
    typer.Option(
        "--test-plate",
        metavar="FILE",
        help="Write a PDF with the rehearsal's plate, true to scale.",
    ),
]
Paper = Annotated[str, typer.Option("--paper", metavar="a4|letter", help="Of the test plate.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def provision(
    config: Config = Path("/etc/platewarden/platewarden.toml"),
    anchor: Anchor = None,
    credential: Credential = False,
    replace: Replace = None,
    certificate: Certificate = None,
    batch: Batch = None,
    out: Out = None,
    decommission: Decommission = False,
    yes: Yes = False,
    test_plate: TestPlate = None,
    paper: Paper = "a4",
    as_json: Json = False,
) -> None:
    """Make a camera's keys, its certificate request and its enrolment; or a batch of cameras; or
    take one out of service.
    """
    _one_of(
        batch=batch,
        certificate=certificate,
        decommission=decommission,
        replace=replace,
        test_plate=test_plate,
    )
    if (batch is None) != (out is None):
        raise UsageError(
            "--batch and --out come together", fix="give a roster.csv and the folder to make"
        )
    if test_plate is not None:
        from agent.provision.plate_sheet import write_test_plate

        told: dict[str, object] = write_test_plate(test_plate, paper)
    elif batch is not None and out is not None:
        told = _batch(batch, out, anchor, credential=credential)
    elif decommission:
        from agent.provision.decommission import end_camera

        told = end_camera(_settings(config), asked=not yes)
    elif certificate is not None:
        from agent.provision.certificate import install_certificate

        told = install_certificate(_settings(config).device, certificate)
    else:
        told = _single(
            _settings(config), anchor, credential=credential, replace=replace, picture=not as_json
        )
    typer.echo(
        json.dumps(told)
        if as_json
        else "\n".join(f"{name:<12} {_shown(value)}" for name, value in told.items())
    )


def _one_of(**given: object) -> None:
    """Each of these is a task of its own."""
    names = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} are different tasks", fix="give one of them")


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _settings(config: Path) -> Settings:
    from agent import settings

    return settings.load(config)


def _single(
    settings: Settings, anchor: Path | None, *, credential: bool, replace: str | None, picture: bool
) -> dict[str, object]:
    """Keys for the camera that these settings name."""
    from agent.core.wire.enrolment import require_camera_id
    from agent.disk.folder import require_free, write_folder
    from agent.host.clock import SystemClock
    from agent.provision import device_files as files
    from agent.provision.anchor import read_anchor, with_anchor
    from agent.provision.credentials import encryptor
    from agent.sealing.camera_keys import TLS_KEY_WAITING, make_kit

    camera = require_camera_id(settings.camera_id, "camera_id")
    if replace is not None and replace != camera:
        raise UsageError(
            f"--replace {replace[:40]!a}, but the settings' camera_id is {camera!r}",
            fix="correct one of the two",
        )
    require_free(settings.device)
    root = read_anchor(anchor) if anchor is not None else None
    encrypt = encryptor() if credential else None
    kit = make_kit(camera, SystemClock().now().utc, replaces=replace is not None)
    written = files.device_files(kit, encrypt, frozenset({TLS_KEY_WAITING}))
    with with_anchor(settings.anchor, root):
        write_folder(settings.device, written)
    if picture:
        _show_qr(kit.enrolment)
    kept = "systemd credentials" if credential else "files, mode 0600"
    return {
        **_told(kit.enrolment, settings.device / "enrolment.json"),
        "keys": f"{settings.device} ({kept})",
    }


def _told(enrolment: Enrolment, path: Path) -> dict[str, object]:
    from agent.core.wire.enrolment import fingerprint, spoken

    return {
        "camera": enrolment.device,
        "enrolment": str(path),
        "fingerprint": spoken(fingerprint(enrolment)),
        "sha256": fingerprint(enrolment),
    }


def _show_qr(enrolment: Enrolment) -> None:
    """To a person only: a pipe gets the lines below it."""
    if sys.stdout.isatty():
        from agent.provision.device_files import qr_terminal

        typer.echo(qr_terminal(enrolment))


def _batch(roster: Path, out: Path, anchor: Path | None, *, credential: bool) -> dict[str, object]:
    """All of it or nothing."""
    from agent.core.policy.roster_csv import MAX_BYTES, parse_roster_csv
    from agent.disk.folder import require_free, write_folder
    from agent.disk.input_file import read_input
    from agent.host.clock import SystemClock
    from agent.provision import device_files as files
    from agent.provision.anchor import read_anchor
    from agent.sealing.camera_keys import make_kit

    if credential:
        raise UsageError(
            "a credential is bound to the machine that makes it, and a batch is made elsewhere",
            where="--credential",
            fix="leave it out",
        )
    rows = parse_roster_csv(read_input(roster, MAX_BYTES, missing="name a roster.csv"), str(roster))
    require_free(out)
    root = read_anchor(anchor) if anchor is not None else None
    made = SystemClock().now().utc
    kits = {row.id: make_kit(row.id, made) for row in rows}
    write_folder(out, files.batch_files(kits, rows, root), 0o700)
    return {
        "cameras": len(kits),
        "folder": str(out),
        "enrolments": str(out / files.ENROLMENTS),
        "fingerprints": str(out / files.ENROLMENTS / files.SHEET),
        "next": f"platewarden bundle sign --enrol {out / files.ENROLMENTS} …",
    }
