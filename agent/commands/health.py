"""`platewarden health`: this camera's health in coarse numbers, without plates and without counts
of them. Reads files only.
"""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.camera_options import Config, Json
from agent.commands.camera_output import CONFIG_FILE

app = typer.Typer(add_completion=False)


@app.command()
def health(
    config: Config = CONFIG_FILE,
    as_json: Json = False,
    textfile: Annotated[
        Path | None,
        typer.Option(
            "--textfile",
            help="Write Prometheus' text there, whole, for node_exporter's textfile collector.",
        ),
    ] = None,
) -> None:
    """Tell this camera's health in coarse numbers: for Prometheus, without plates."""
    from agent import settings
    from agent.disk.atomic_file import write_atomic
    from agent.doctor.health_numbers import as_json as json_of
    from agent.doctor.health_numbers import as_prometheus
    from agent.doctor.vitals import vitals

    found = vitals(settings.load(config))
    if textfile is not None:
        write_atomic(textfile, as_prometheus(found).encode(), 0o644)
    if as_json:
        print(json_of(found))
    elif textfile is None:
        print(as_prometheus(found), end="")
