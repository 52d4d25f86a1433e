"""Makes the keys of the camera that a settings file names, its enrolment and its certificate
request; all of it lies in paths.device then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.wire.enrolment import fingerprint, require_camera_id, spoken
from agent.disk.folder import require_free, write_folder
from agent.errors import UsageError
from agent.host.clock import SystemClock
from agent.provision.anchor import read_anchor, with_anchor
from agent.provision.credentials import encryptor
from agent.provision.device_files import device_files
from agent.sealing.camera_keys import TLS_KEY_WAITING, make_kit
from agent.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from agent.core.wire.enrolment import Enrolment
    from agent.settings import Settings


@dataclass(frozen=True, slots=True)
class NewCamera:
    """A camera that has just got its keys.

    `folder`: where they lie; `credential`: encrypted to this machine.
    """

    enrolment: Enrolment
    folder: Path
    credential: bool

    def table(self) -> dict[str, object]:
        """As plain values, without a key."""
        kept = "systemd credentials" if self.credential else "files, mode 0600"
        return {
            "camera": self.enrolment.device,
            "enrolment": str(self.folder / "enrolment.json"),
            "fingerprint": spoken(fingerprint(self.enrolment)),
            "sha256": fingerprint(self.enrolment),
            "keys": f"{self.folder} ({kept})",
        }


def make_camera(
    settings: Settings, anchor: Path | None, *, credential: bool, replace: str | None
) -> NewCamera:
    """Everything or nothing is written.

    `replace`: the enrolled camera whose place it takes. Raises UsageError, ConfigError,
    StorageError.
    """
    camera = require_camera_id(settings.camera_id, "camera_id")
    if replace is not None and replace != camera:
        raise UsageError(
            f"--replace {replace[:40]!a}, but the settings' camera_id is {camera!r}",
            fix="correct one of the two",
        )
    require_free(settings.device)
    root = read_anchor(anchor) if anchor is not None else None
    encrypt = encryptor() if credential else None
    now, domain = SystemClock().now().utc, settings.city_domain or ""
    kit = make_kit(camera, now, replaces=replace is not None, domain=domain)
    written = device_files(kit, encrypt, frozenset({TLS_KEY_WAITING}))
    with with_anchor(settings.anchor, root):
        write_folder(settings.device, written)
    return NewCamera(kit.enrolment, settings.device, credential)
