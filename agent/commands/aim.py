"""`platewarden aim`: an installer's mode. Shows the camera to one phone, or surveys it by the hour;
in watch's place, never beside it.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from agent.commands import aim_options as given
from agent.commands.camera_output import CONFIG_FILE
from agent.errors import UsageError

if TYPE_CHECKING:
    from agent.settings import Settings

app = typer.Typer(add_completion=False)

LOOPBACK = "127.0.0.1"


@app.command()
def aim(
    config: given.Config = CONFIG_FILE,
    source: given.Source = "picamera",
    minutes: given.Minutes = 20,
    survey: given.SurveyFor = "",
    as_json: given.Json = False,
    chart: given.Chart = None,
    listen: given.Listen = "",
    hotspot: given.OpenHotspot = False,
    hotspot_only: given.HotspotOnly = False,
    interface: given.Interface = "wlan0",
    label: given.LabelFile = None,
) -> None:
    """Aim the camera with a phone, or survey it by the hour. Every plate but the test plate is
    painted over.
    """
    settings, kept = find_settings(config, source, needed=hotspot_only or label is not None)
    given.require_one_task(survey=survey, hotspot_only=hotspot_only, label=label)
    if (as_json or chart) and not survey:
        raise UsageError(
            "only a survey has figures", where="--json, --chart", fix="add --survey 24h"
        )
    if label is not None:
        make_label(settings, label)
    elif survey:
        seconds = given.seconds_of(survey)
        run_survey(settings, source, seconds, kept=kept, as_json=as_json, chart=chart)
    elif hotspot_only:
        from agent.aim.hotspot import Hotspot
        from agent.aim.label import lasting_label
        from agent.sides.hotspot import hold

        known = lasting_label(settings.device)
        hold(Hotspot(interface, known.ssid, known.password), minutes * 60)
    else:
        radio = interface if hotspot else ""
        show(settings, source, minutes * 60, listen, kept=kept, interface=radio)


def find_settings(config: Path, source: str, *, needed: bool) -> "tuple[Settings, bool]":
    """The settings, and whether they came from a file. A camera on a pole has one: without it there
    would be no log. Raises ConfigError.
    """
    from agent import settings

    if not config.exists() and source != "picamera" and config == CONFIG_FILE and not needed:
        typer.echo("platewarden: no settings file: nothing is logged or saved", err=True)
        return settings.Settings(camera_id="try"), False
    return settings.load(config), True


def show(
    settings: "Settings", source: str, seconds: float, listen: str, *, kept: bool, interface: str
) -> None:
    """Serve the page until it is over, and say why it ended; a wrong end is an exit code."""
    from agent.aim.hotspot import HOTSPOT_ADDRESS, Hotspot
    from agent.aim.label import label_for
    from agent.core.camera.aim_gate import Ending
    from agent.sides import aim as aim_side

    known, lasting = label_for(settings.device, settings.camera_id, kept=kept)
    host, port = given.where(listen, HOTSPOT_ADDRESS if interface else LOOPBACK)
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


def make_label(settings: "Settings", path: Path) -> None:
    """Write the label, and say what it holds."""
    from agent.aim.hotspot import HOTSPOT_ADDRESS
    from agent.aim.label import write_label

    url = f"http://{HOTSPOT_ADDRESS}:{given.PORT}/"
    write_label(settings.device, settings.camera_id, path, url)
    typer.echo(
        f"platewarden: {path} holds the hotspot's password and the PIN. Print it, put it inside "
        "the housing, then delete the file.",
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
    if not as_json:
        print_table(found.rows)
        return
    band = [found.band.least, found.band.green_from, found.band.green_to]
    table = {"camera": settings.camera_id, "band_px": band, "hours": list(found.rows)}
    typer.echo(json.dumps(table))
