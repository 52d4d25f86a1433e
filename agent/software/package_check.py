"""Whether a package is the one that was signed: its bytes, what it says of itself, and that it
brings the units that this machine has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.reasons import Reason
from agent.core.software.software_version import package_version
from agent.disk.deb_file import control_of, texts_below
from agent.disk.input_file import digest_of_file
from agent.errors import BundleRefusedError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from agent.core.software.choice import Machine
    from agent.core.software.installed import Installed
    from agent.core.software.signed_release import PackageFile

NAME, UNITS = "platewarden", "usr/lib/systemd/system"
_MAX_UNIT_BYTES = 256 * 1024


def check_package(
    file: Path, package: PackageFile, offered: Installed, machine: Machine, system: Path
) -> None:
    """`system`: the root of the file system whose units count.

    Raises BundleRefusedError: software-altered, software-units.
    """
    try:
        _require_signed(file, package)
        control = control_of(file)
        _require_same(file, control.get("Package", ""), NAME)
        _require_same(file, control.get("Architecture", ""), machine.architecture)
        _require_same(file, _version(control.get("Version", "")), str(offered.version))
        units = texts_below(file, UNITS, _MAX_UNIT_BYTES)
    except ConfigError as error:
        raise _altered(file, error.what) from None
    ours = {
        path.name: path.read_bytes()
        for path in sorted((system / UNITS).glob(f"{NAME}*"))
        if path.is_file()
    }
    brought = {name: text for name, text in units.items() if name.startswith(NAME)}
    # A package without any unit brings code alone. One with units brings the walls, and the walls
    # are whoever installs the machine's to change: a trial could not take them back.
    changed = sorted(name for name in brought if brought[name] != ours.get(name))
    if changed:
        raise BundleRefusedError(
            Reason.SOFTWARE_UNITS,
            f"brings another {changed[0]} than this machine has",
            where=file,
            fix="install this version by hand: sudo apt install ./platewarden_….deb",
        )


def _require_signed(file: Path, package: PackageFile) -> None:
    found = digest_of_file(file, package.size, missing="fetch it again")
    if found != (package.sha256, package.size):
        raise _altered(file, "is not what was signed")


def _require_same(file: Path, found: str, wanted: str) -> None:
    if found != wanted:
        raise _altered(file, f"says {found[:40]!a} where {wanted} was signed")


def _version(text: str) -> str:
    try:
        return str(package_version(text))
    except ValueError:
        return text


def _altered(file: Path, what: str) -> BundleRefusedError:
    return BundleRefusedError(
        Reason.SOFTWARE_ALTERED, what, where=file, fix="fetch it again; or the city releases anew"
    )
