"""`platewarden provision`: makes a camera's keys and its enrolment, or forty cameras' at once;
takes a camera out of service (docs/ref/enrolment.md).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.commands.camera_options import Json  # noqa: TC001 (typer asks for it)
from agent.commands.camera_output import CONFIG_FILE
from agent.errors import PlatewardenError, UsageError

if TYPE_CHECKING:
    from agent.provision.new_camera import NewCamera
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
        help="This device takes the place of an enrolled camera. ID must be the settings' "
        "camera_id.",
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
        help="Make every camera of a roster.csv, each in a folder of its own. Needs --out.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="The batch's folder. It must not exist, or it must be empty.",
    ),
]
Domain = Annotated[
    str,
    typer.Option(
        "--domain",
        help="With --batch: a domain of the city's, by which the cameras' logs are named.",
    ),
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
PoleLabel = Annotated[
    Path | None,
    typer.Option(
        "--pole-label",
        metavar="FILE",
        help="Write the label for the pole, an SVG with a QR code. Needs --at.",
    ),
]
At = Annotated[
    str,
    typer.Option(
        "--at",
        metavar="URL",
        help="The folder on the city's web server with the pages of `policy pole`.",
    ),
]
Paper = Annotated[
    str,
    typer.Option(
        "--paper",
        metavar="a4|letter",
        help="The paper of the test plate.",
    ),
]


@app.command()
def provision(
    config: Config = CONFIG_FILE,
    anchor: Anchor = None,
    credential: Credential = False,
    replace: Replace = None,
    certificate: Certificate = None,
    batch: Batch = None,
    out: Out = None,
    domain: Domain = "",
    decommission: Decommission = False,
    yes: Yes = False,
    test_plate: TestPlate = None,
    paper: Paper = "a4",
    pole_label: PoleLabel = None,
    at: At = "",
    as_json: Json = False,
) -> None:
    """Make a camera's keys, its certificate request and its enrolment. Or make a batch of cameras,
    or take one out of service.
    """
    require_one_task(
        batch=batch,
        certificate=certificate,
        decommission=decommission,
        replace=replace,
        test_plate=test_plate,
        pole_label=pole_label,
    )
    if batch is not None or out is not None:
        told = made_batch(batch, out, anchor, domain, credential=credential)
    elif test_plate is not None:
        from agent.provision.plate_sheet import write_test_plate

        told = write_test_plate(test_plate, paper)
    elif pole_label is not None:
        told = made_label(load(config), pole_label, at, as_json=as_json)
    elif decommission:
        from agent.provision.decommission import end_camera

        told = end_camera(load(config), (lambda _camera, _reads: None) if yes else require_assent)
    elif certificate is not None:
        from agent.provision.certificate import install_certificate

        told = install_certificate(load(config).device, certificate)
    else:
        from agent.provision.new_camera import make_camera

        made = make_camera(load(config), anchor, credential=credential, replace=replace)
        if not as_json:
            show_qr(made)
        told = made.table()
    typer.echo(
        json.dumps(told)
        if as_json
        else "\n".join(f"{name:<12} {_shown(value)}" for name, value in told.items())
    )


def require_one_task(**given: object) -> None:
    """Each of these is a task of its own. Raises UsageError."""
    names = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} are different tasks", fix="give one of them")


def made_batch(
    roster: Path | None, out: Path | None, anchor: Path | None, domain: str, *, credential: bool
) -> dict[str, object]:
    """The batch, once its options go together. Raises UsageError, ConfigError, StorageError."""
    from agent.provision.batch import make_batch

    if roster is None or out is None:
        raise UsageError(
            "--batch and --out come together", fix="give a roster.csv and the folder to make"
        )
    if credential:
        raise UsageError(
            "a credential is bound to the machine that makes it, and a batch is made elsewhere",
            where="--credential",
            fix="leave it out",
        )
    return make_batch(roster, out, anchor, domain)


def made_label(settings: Settings, path: Path, at: str, *, as_json: bool) -> dict[str, object]:
    """The pole's label, shown on a terminal too. Raises UsageError, ConfigError, StorageError."""
    from agent.provision import pole_label

    label = pole_label.label_of(settings, at)
    told = pole_label.write_label(label, path)
    if sys.stdout.isatty() and not as_json:
        typer.echo(pole_label.terminal(label))
    return told


def load(config: Path) -> Settings:
    """The camera's settings. Raises ConfigError."""
    from agent import settings

    return settings.load(config)


def require_assent(camera: str, reads: int) -> None:
    """Ask before keys are destroyed. Raises UsageError where nobody is there to answer, else
    PlatewardenError without assent.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            "asks first, and nobody is there to answer",
            where="--decommission",
            fix="give --yes",
        )
    typer.echo(
        f"This destroys the keys of {camera} and {reads} reads that wait. It cannot be undone."
    )
    if typer.prompt("Type the camera's id to go on", default="", show_default=False) != camera:
        raise PlatewardenError("nothing was done", where="--decommission")


def show_qr(made: NewCamera) -> None:
    """To a person only: a pipe gets the lines below it."""
    if sys.stdout.isatty():
        from agent.provision.device_files import qr_terminal

        typer.echo(qr_terminal(made.enrolment))


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
