"""The options of `aim`, and how a duration and an address are typed."""

import re
from pathlib import Path
from typing import Annotated

import typer

from agent.errors import UsageError

PORT = 8480
LONGEST_SURVEY_S = 7 * 24 * 3600
_DURATION = re.compile(r"([0-9]{1,4})([mh])")
_MOST_PORT = 65535

Config = Annotated[
    Path,
    typer.Option(
        "--config",
        help="Settings file. Without one, --source is needed, and nothing is logged or saved.",
    ),
]
Source = Annotated[
    str,
    typer.Option(
        "--source",
        help="picamera, usb:N, an image, a folder of images or a video. Files begin again at "
        "their end.",
    ),
]
Minutes = Annotated[
    int, typer.Option("--minutes", min=1, max=20, help="It ends by itself after so long.")
]
SurveyFor = Annotated[
    str,
    typer.Option(
        "--survey",
        metavar="24h",
        help="Show nothing. Make hourly figures for so long (30m, 24h), without any network.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="The survey's figures as one JSON object.")]
Chart = Annotated[
    Path | None,
    typer.Option("--chart", metavar="FILE", help="Also write the survey as a page (HTML)."),
]
Listen = Annotated[
    str,
    typer.Option(
        "--listen",
        metavar="ADDRESS:PORT",
        help="Where the page is served: loopback or a private address only.",
    ),
]
OpenHotspot = Annotated[
    bool,
    typer.Option(
        "--hotspot", help="Open the camera's own hotspot for it (NetworkManager; needs root)."
    ),
]
HotspotOnly = Annotated[
    bool,
    typer.Option(
        "--hotspot-only",
        help="Open the hotspot and nothing else: for platewarden-hotspot.service.",
    ),
]
Interface = Annotated[str, typer.Option("--interface", help="The radio of the hotspot.")]
LabelFile = Annotated[
    Path | None,
    typer.Option(
        "--label",
        metavar="FILE",
        help="Make a lasting password for the hotspot and a lasting PIN, and write their label "
        "(SVG).",
    ),
]


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
    if not colon or not port.isascii() or not port.isdigit() or int(port) > _MOST_PORT:
        raise UsageError(
            f"{listen[:40]!a} is not ADDRESS:PORT", where="--listen", fix="as 127.0.0.1:8480"
        )
    return host, int(port)


def require_one_task(*, survey: str, hotspot_only: bool, label: Path | None) -> None:
    """Each of these is a task of its own. Raises UsageError."""
    if sum((bool(survey), hotspot_only, label is not None)) > 1:
        raise UsageError(
            "only one of these can be done at a time",
            where="--survey, --hotspot-only, --label",
            fix="leave all but one out",
        )
