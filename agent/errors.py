"""The whole tree of errors, split by who must act; each class carries the process's exit code.

0 done · 1 failed · 2 usage · 3 refused by policy or trust (docs/ref/exit-codes.md).
A message says where (file, line or field), what (the value, never a plate), and the next step.
A document is named by its path in the repository; what is printed is its path on this machine.
"""

from collections.abc import Sequence
from pathlib import Path

from agent.doc_paths import located


class PlatewardenError(Exception):
    """Something failed here, now: the operator of this machine must act (exit 1)."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | Path = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, str(where), fix
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        step = f" ({self.fix})" if self.fix else ""
        return f"{place}{located(self.what + step)}"


class SourceError(PlatewardenError):
    """A frame source cannot deliver: a missing, truncated or absurd image, a video cut short, a
    dead camera.
    """


class CameraHungError(SourceError):
    """A command of the camera's library hangs.

    Python's orderly exit would hang in it as well, so the process must end without one.
    """


class ModelError(PlatewardenError):
    """A model file is missing, altered or not the one that the manifest names."""


class StorageError(PlatewardenError):
    """A mailbox, database or key file cannot be read or written (full disk, permissions,
    damage).
    """


class StoreAwayError(StorageError):
    """A database on another machine does not answer now; trying again later may help."""


class NetworkError(PlatewardenError):
    """A permitted broker cannot be reached now; trying again later may help."""


class UsageError(PlatewardenError):
    """The command line cannot be obeyed as typed (exit 2)."""

    exit_code = 2


class ConfigError(UsageError):
    """Settings, policy, charter or hot list are malformed: whoever wrote the file must act (exit
    2).
    """


class ManyFaultsError(ConfigError):
    """Several faults of one file, a line each: `lines`, each with its place and next step."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(lines))


class RefusedError(PlatewardenError):
    """Platewarden refuses: policy or trust forbids it (exit 3).

    `reason` is a code from `core.reasons`.
    """

    exit_code = 3

    def __init__(self, reason: str, what: str, *, where: str | Path = "", fix: str = "") -> None:
        self.reason = reason
        super().__init__(what, where=where, fix=fix)

    def __str__(self) -> str:
        return f"refused [{self.reason}]: {super().__str__()}"


class PolicyRefusedError(RefusedError):
    """A policy breaks the charter, has lapsed, or names nobody who may receive."""


class DestinationRefusedError(RefusedError):
    """A destination is not the one that the policy lists: address, CA, pin or host name."""


class EnvelopeRefusedError(RefusedError):
    """A sealed read, receipt, key list or roster is altered, unsigned, unenrolled or malformed."""


class BundleRefusedError(RefusedError):
    """A signed bundle is forged, altered, too old, another city's or malformed: the camera keeps
    what it has verified before.
    """


class LogRefusedError(RefusedError):
    """An audit log does not agree with its own signed checkpoints."""
