"""What an environment file says of its camera under `options`: closed, so that a misspelt key is
told instead of ignored.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

ROOT = Path(__file__).parents[2]


class RigError(Exception):
    """The environment file asks for what cannot be; the message names the key."""


@dataclass(frozen=True, slots=True)
class Options:
    """`place`: `simulated` or `pi`.

    `folder`: a scratch folder on the target, emptied by the tests; empty on a simulated rig: a
    temporary one. `python`, `pythonpath`: what runs Platewarden there. `config`: the installed
    camera's settings; empty: the rig's own installation. `source`: `picamera`, `usb:N`, or empty
    for the played street. `screen`: `played`, `virtual:FOLDER`, `framebuffer:DEVICE`, or
    `printed:CHART.json`. `rig_address`, `interface`: this machine's on the rig's Ethernet; empty on
    a simulated rig: a namespace with a cable is made. `sensor`: as the history names it. `judged`:
    hold rates and heat against floors (a shared machine only records them).
    """

    place: str
    folder: str = ""
    python: str = sys.executable
    pythonpath: str = str(ROOT)
    config: str = ""
    source: str = ""
    screen: str = "played"
    rig_address: str = ""
    interface: str = ""
    sensor: str = "none: played pictures"
    judged: bool = False
    min_fps: float = 0.0

    @property
    def simulated(self) -> bool:
        return self.place == "simulated"

    @property
    def live(self) -> bool:
        """Is there a sensor whose frames have a time of their own?"""
        return self.source == "picamera" or self.source.startswith("usb:")


def parse(table: Mapping[str, object]) -> Options:
    """Raises RigError naming every fault."""
    known = {field.name: type(getattr(Options("pi"), field.name)) for field in fields(Options)}
    faults = [f"{key}: unknown" for key in table if key not in known]
    faults += [
        f"{key}: must be {known[key].__name__}"
        for key, value in table.items()
        if key in known and not isinstance(value, known[key])
    ]
    if table.get("place") not in {"simulated", "pi"}:
        faults.append("place: must be simulated or pi")
    elif table["place"] == "pi":
        faults += [
            f"{key}: is missing"
            for key in ("folder", "python", "pythonpath", "sensor")
            if not table.get(key)
        ]
        if table.get("folder") and not str(table["folder"]).startswith("/"):
            faults.append("folder: must be an absolute path on the camera")
    if faults:
        raise RigError(f"options of the environment file: {'; '.join(faults)}")
    return Options(**table)
