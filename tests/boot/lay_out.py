"""Lays the camera's package over a tree as debian/rules does: the libraries once, for the cache;
our own files for each run.

lay_out.py libraries TREE WHEELS        fetches the wheels of requirements.lock for Debian 13's
                                        Python into WHEELS, checks their hashes, unpacks them
"""

import contextlib
import io
import runpy
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUITE, MACHINE = "trixie", "x86_64"


def libraries(tree: Path, wheels: Path) -> None:
    """What the camera's package holds of other people's code."""
    build, stage = (
        runpy.run_path(str(ROOT / "debian" / name)) for name in ("build.py", "stage.py")
    )
    build["fetch"](MACHINE, build["SUITES"][SUITE][1], wheels)
    build["check"](wheels)
    stage["lay_out_wheels"](wheels, {"camera": tree}, build["SUITES"][SUITE][1])


def ours(tree: Path) -> None:
    """Our code, models, command, units, users and folders, where the package has them; enabled as
    docs/guide/installer.md says.
    """
    stage = runpy.run_path(str(ROOT / "debian/stage.py"))
    with (
        tempfile.TemporaryDirectory() as others,
        contextlib.redirect_stdout(io.StringIO()),
    ):
        others_sides = {side: Path(others) / side for side in stage["SIDES"]}
        stage["lay_out_ours"]({**others_sides, "camera": tree})
    command = tree / "usr/bin/platewarden"
    shutil.copyfile(ROOT / "debian/platewarden.launcher", command)
    command.chmod(0o755)
    units = tree / "usr/lib/systemd/system"
    for kind in ("service", "socket", "path", "timer"):
        for unit in (ROOT / "systemd").glob(f"*.{kind}"):
            shutil.copyfile(unit, units / unit.name)
    for folder in ("sysusers.d", "tmpfiles.d"):
        shutil.copyfile(
            ROOT / "systemd" / folder / "platewarden.conf",
            tree / "usr/lib" / folder / "platewarden.conf",
        )


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] != "libraries":
        sys.exit(__doc__)
    libraries(Path(sys.argv[2]), Path(sys.argv[3]))
