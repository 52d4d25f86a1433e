"""Private keys as systemd credentials: encrypted to this machine (its TPM, or a key of its own) by
systemd-creds.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from agent.errors import PlatewardenError

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_S = 60


def encryptor() -> Callable[[str, bytes], bytes]:
    """What makes a credential of a private file's bytes.

    Raises PlatewardenError where systemd-creds is not installed.
    """
    program = shutil.which("systemd-creds")
    if program is None:
        raise PlatewardenError(
            "systemd-creds is not installed",
            where="--credential",
            fix="leave --credential out: keys become files of mode 0600",
        )

    def encrypt(name: str, data: bytes) -> bytes:
        """Only through pipes: the key never lies on the disk."""
        try:
            done = subprocess.run(
                [program, "encrypt", f"--name={name}", "-", "-"],
                input=data,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            raise PlatewardenError(
                "systemd-creds did not answer", where="--credential", fix="leave --credential out"
            ) from None
        if done.returncode or not done.stdout or data in done.stdout:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            told = f": {said[-1][:120]!a}" if said else ""
            raise PlatewardenError(
                f"systemd-creds failed{told}",
                where="--credential",
                fix="run it as root on the camera itself, or leave --credential out",
            )
        return done.stdout

    return encrypt
