"""What a camera makes of a repository: its own verification, run on the city's machine after each
publish.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tuf.api.exceptions import RepositoryError

from agent.bundles.generation_store import BundleStore
from agent.bundles.layout import HOTLIST, METADATA_FOLDER, ROOT, TARGETS_FOLDER
from agent.core.reasons import Reason
from agent.core.time.instant import Instant
from agent.errors import BundleRefusedError, RefusedError
from agent.settings import Limits
from agent.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from agent.bundles.repository.published import Published


@dataclass(frozen=True, slots=True)
class Verdict:
    """`refusal`: why a camera takes nothing of it; None: it takes it."""

    refusal: RefusedError | None

    def line(self) -> str:
        """For people."""
        if self.refusal is None:
            return "A camera takes this: it was verified here as a camera does."
        return (
            f"A camera refuses this ({self.refusal.reason}): {self.refusal.where}: "
            f"{self.refusal.what} ({self.refusal.fix})"
        )

    def table(self) -> dict[str, object]:
        """As plain values."""
        if self.refusal is None:
            return {"takes_it": True}
        return {"takes_it": False, "reason": self.refusal.reason, "what": self.refusal.what}


def verdict(published: Published, repository: Path, now: datetime, *, rig: bool) -> Verdict:
    """A new camera's verdict on `repository`, the city's own or a copy of it, where this is
    `published`.

    The hot list is not copied, only held against its hash: it may be large. Raises StorageError
    where this machine's disk fails.

    Limit: this camera has seen nothing before. That an older copy is not published is for
    bundles.repository.copies.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="platewarden-camera-") as folder:
            BundleStore(
                Path(folder) / "bundles",
                repository / METADATA_FOLDER / f"1.{ROOT}.json",
                Limits(),
                rig=rig,
                leave_out=frozenset({HOTLIST}),
            ).take_in(repository, Instant(now))
        _require_list(published, repository, now)
    except RefusedError as refusal:
        return Verdict(refusal)
    return Verdict(None)


def _require_list(published: Published, repository: Path, now: datetime) -> None:
    """The hot list's files are what was signed. Raises BundleRefusedError."""
    metadata = published.role(HOTLIST)
    if metadata is None or metadata.signed.is_expired(now):
        return
    for path, described in metadata.signed.targets.items():
        file = repository / TARGETS_FOLDER / described.get_prefixed_paths()[0]
        try:
            with file.open("rb") as data:
                described.verify_length_and_hashes(data)
        except (OSError, RepositoryError):
            raise BundleRefusedError(
                Reason.BUNDLE_INCOMPLETE,
                f"{path} is missing, or not what was signed",
                where=file,
                fix="publish the list again: platewarden hotlist publish",
            ) from None
