"""The demo's street before the virtual camera: three cars with fictitious plates, one of them on
the hot list.
"""

import shutil
from pathlib import Path

from agent.demo import scene

STREET = Path("/street")
PIPELINE = Path("/usr/share/libcamera/pipeline/virtual/virtual.yaml")
# Three cars in view. Few, because the pipeline plays 25 pictures a second, whatever it is told, and
# a busy machine reads four.
SHOWN = slice(24, 28)

_CAMERA = """\
%YAML 1.1
---
"Virtual0":
  supported_formats:
    - width: {width}
      height: {height}
      frame_rates: [30, 100]
    - width: 640
      height: 360
      frame_rates: [30, 100]
  frames:
    path: "{street}/"
  location: "CameraLocationFront"
  model: "Platewarden virtual camera"
"""


def show_street() -> None:
    """From now on a process that opens the camera sees the street. The cars are drawn once."""
    if not list(STREET.glob("*.jpg")):
        for number, path in enumerate(scene.render(Path("/tmp/street"))[SHOWN]):
            shutil.move(path, STREET / f"{number}.jpg")  # the pipeline counts without leading zeros
    write_camera(STREET)


def write_camera(pictures: Path) -> None:
    PIPELINE.write_text(
        _CAMERA.format(width=scene.WIDTH_PX, height=scene.HEIGHT_PX, street=pictures)
    )
