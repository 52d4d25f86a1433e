"""`platewarden aim`: an installer's mode. Shows the camera to one phone, or surveys it by the hour;
in watch's place, never beside it.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.errors import UsageError

if TYPE_CHECKING:
    from agent.aim.label import Label
    from agent.settings import Settings

app = typer.Typer(add_completion=False)

DEFAULT_CONFIG = Path("/etc/platewarden/platewarden.toml")
# NetworkManager's own choice for a shared connection
HOTSPOT_ADDRESS, LOOPBACK, PORT = "10.42.0.1", "127.0.0.1", 8480
_DURATION = re.compile(r"([0-9]{1,4})([mh])")
LONGEST_SURVEY_S = 7 * 24 * 3600


@app.command()
def aim(
    config: Annotated[
        Path,
        typer.Option(
            "--config",
            help="Settings file. Without one, only with --source: then nothing is logged or saved.",
        ),
    ] = DEFAULT_CONFIG,
    source: Annotated[
        str,
        typer.Option(
            "--source",
            help="picamera, usb:N, an image, a folder of images or a video, which begin again at "
            "their end.",
        ),
    ] = "picamera",
    minutes: Annotated[
        int, typer.Option("--minutes", min=1, max=20, help="It ends by itself after so long.")
    ] = 20,
    survey: Annotated[
        str,
        typer.Option(
            "--survey",
            metavar="24h",
            help="Instead: hourly figures for so long (30m, 24h), without any network.",
        ),
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="The survey's figures as one JSON object.")
    ] = False,
    chart: Annotated[
        Path | None,
        typer.Option("--chart", metavar="FILE", help="Also write the survey as a page (HTML)."),
    ] = None,
    listen: Annotated[
        str,
        typer.Option(
            "--listen",
            metavar="ADDRESS:PORT",
            help="Where the page is served: loopback or a private address only.",
        ),
    ] = "",
    hotspot: Annotated[
        bool,
        typer.Option(
            "--hotspot", help="Open the camera's own hotspot for it (NetworkManager; needs root)."
        ),
    ] = False,
    hotspot_only: Annotated[
        bool,
        typer.Option(
            "--hotspot-only",
            help="Open the hotspot and nothing else: for platewarden-hotspot.service.",
        ),
    ] = False,
    interface: Annotated[
        str, typer.Option("--interface", help="The radio of the hotspot.")
    ] = "wlan0",
    label: Annotated[
        Path | None,
        typer.Option(
            "--label",
            metavar="FILE",
            help="Make the hotspot's password and the PIN to last, and write their label (SVG).",
        ),
    ] = None,
) -> None:
    """Aim the camera with a phone, every plate painted over but the test plate; or survey it by the
    hour.
    """
    settings, kept = find_settings(config, source, needed=hotspot_only or label is not None)
    if sum((bool(survey), hotspot_only, label is not None)) > 1:
        raise UsageError(
            "do one at a time",
            where="--survey, --hotspot-only, --label",
            fix="leave all but one out",
        )
    if (as_json or chart) and not survey:
        raise UsageError(
            "only a survey has figures", where="--json, --chart", fix="add --survey 24h"
        )
    if label is not None:
        write_label(settings, label)
    elif survey:
        run_survey(settings, source, seconds_of(survey), kept=kept, as_json=as_json, chart=chart)
    elif hotspot_only:
        from agent.aim.hotspot import Hotspot
        from agent.sides.hotspot import hold

        known, _lasting = the_label(settings, kept=kept, needed=True)
        hold(Hotspot(interface, known.ssid, known.password), minutes * 60)
    else:
        show(
            settings,
            source,
            minutes * 60,
            listen,
            kept=kept,
            interface=interface if hotspot else "",
        )


def find_settings(config: Path, source: str, *, needed: bool) -> "tuple[Settings, bool]":
    """The settings, and whether they came from a file. A camera on a pole has one: without it there
    would be no log. Raises ConfigError.
    """
    from agent import settings

    if not config.exists() and source != "picamera" and config == DEFAULT_CONFIG and not needed:
        typer.echo("platewarden: no settings file: nothing is logged or saved", err=True)
        return settings.Settings(camera_id="try"), False
    return settings.load(config), True


def show(
    settings: "Settings", source: str, seconds: float, listen: str, *, kept: bool, interface: str
) -> None:
    """Serve the page until it is over, and say why it ended; a wrong end is an exit code."""
    from agent.aim.hotspot import Hotspot
    from agent.core.camera.aim_gate import Ending
    from agent.sides import aim as aim_side

    known, lasting = the_label(settings, kept=kept, needed=False)
    host, port = where(listen, HOTSPOT_ADDRESS if interface else LOOPBACK)
    spot = Hotspot(interface, known.ssid, known.password) if interface else None
    aim = aim_side.Aim(settings, source, known.pin, host, port, seconds, kept, spot)

    def tell(url: str) -> None:
        network = f"; network {known.ssid}, password {known.password}" if spot else ""
        # What lasts stands on the label only: stderr may be the journal.
        secrets = "; PIN and network as on the label" if lasting else f", PIN {known.pin}{network}"
        typer.echo(f"platewarden: aim is at {url} for {seconds / 60:g} minutes{secrets}", err=True)

    ending = aim_side.serve(aim, tell)
    typer.echo(f"platewarden: aim is over: {ending}", err=True)
    if ending is Ending.WRONG_PIN:
        raise typer.Exit(3)


def the_label(settings: "Settings", *, kept: bool, needed: bool) -> "tuple[Label, bool]":
    """The label in force and True, or secrets for this one time and False. Raises ConfigError where
    it is needed and there is none.
    """
    from agent.aim.label import FILE_NAME, load_label, new_label
    from agent.errors import ConfigError

    known = load_label(settings.device) if kept else None
    if known is None and needed:
        raise ConfigError(
            "no label was made",
            where=settings.device / FILE_NAME,
            fix="platewarden aim --label label.svg",
        )
    return known or new_label(settings.camera_id), known is not None


def write_label(settings: "Settings", path: Path) -> None:
    """Make the secrets where there are none yet, and draw their label."""
    from agent.aim.label import draw, keep_label, load_label, new_label
    from agent.disk.atomic_file import write_new

    known = load_label(settings.device)
    if known is None:
        known = new_label(settings.camera_id)
        keep_label(settings.device, known)
    write_new(path, draw(known, f"http://{HOTSPOT_ADDRESS}:{PORT}/"))
    typer.echo(
        f"platewarden: {path} holds the hotspot's password and the PIN: print it, put it inside "
        "the housing, delete it",
        err=True,
    )


def run_survey(
    settings: "Settings",
    source: str,
    seconds: float,
    *,
    kept: bool,
    as_json: bool,
    chart: Path | None,
) -> None:
    """Survey, then print, and write the chart where one is wanted."""
    from agent.aim import survey_chart as drawing
    from agent.commands.aim_output import print_table
    from agent.disk.atomic_file import write_atomic
    from agent.sides import aim as aim_side

    if chart is not None and not chart.absolute().parent.is_dir():  # said now, not after a day
        raise UsageError(
            "no such folder",
            where=chart.absolute().parent,
            fix="make it first, or correct the path",
        )
    found = aim_side.survey(settings, source, seconds, kept=kept)
    if chart is not None:
        write_atomic(chart, drawing.page(settings.camera_id, found.rows, found.band), 0o644)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "camera": settings.camera_id,
                    "band_px": [found.band.least, found.band.green_from, found.band.green_to],
                    "hours": list(found.rows),
                }
            )
        )
    else:
        print_table(found.rows)


def seconds_of(text: str) -> float:
    """`30m` or `24h`, at most a week. Raises UsageError."""
    match = _DURATION.fullmatch(text)
    seconds = int(match[1]) * (60 if match[2] == "m" else 3600) if match else 0
    if not 0 < seconds <= LONGEST_SURVEY_S:
        raise UsageError(
            f"{text[:20]!a} is no duration",
            where="--survey",
            fix="give minutes or hours up to a week, as 30m or 24h",
        )
    return seconds


def where(listen: str, default: str) -> tuple[str, int]:
    """Address and port. Raises UsageError."""
    host, colon, port = listen.partition(":")
    if not listen:
        return default, PORT
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(
            f"{listen[:40]!a} is not ADDRESS:PORT", where="--listen", fix="as 127.0.0.1:8480"
        )
    return host, int(port)
