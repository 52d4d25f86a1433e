"""Keeps the shapes that an installer draws during an aim: zones and masks, written whole, then told
in the log.
"""

from agent.core.camera.view import View, format_view
from agent.core.log.leaf import LeafKind
from agent.disk.atomic_file import write_atomic
from agent.ports import AuditLog
from agent.settings import Settings
from agent.values import dataclass


@dataclass(frozen=True, slots=True)
class ViewKeeper:
    """`log`: watch's own; None where nothing is kept."""

    settings: Settings
    log: AuditLog | None

    def save(self, view: View) -> None:
        """Write the shapes whole, then say so in the log. Raises StorageError."""
        if self.log is None:
            return
        write_atomic(self.settings.view, format_view(view), 0o600)
        self.log.append(
            LeafKind.AIM,
            {
                "what": "view",
                "zones": len(view.zones),
                "masks": len(view.masks),
                "sha256": view.digest(),
            },
        )
