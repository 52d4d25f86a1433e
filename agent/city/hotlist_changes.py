"""When a changed list is sent as changes: beside the list that cameras have already, sealed to the
same key, while that is worth it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyrage

from agent import boundary
from agent.bundles.hotlist_sealed import decrypted
from agent.bundles.layout import HOTLIST_PATH, city_file
from agent.city.hotlist_kept import hashes
from agent.core.hotlist.changes import changes_between
from agent.errors import ConfigError, RefusedError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tuf.api.metadata import Metadata, Targets

    from agent.bundles.repository.published import CityRepository
    from agent.city.hotlist_kept import Cameras, Kept

MOST_OF_WHOLE = 4  # larger changes than a quarter of the list are sent as the list


@dataclass(frozen=True, slots=True)
class Before:
    """What cameras have. `role`: what is published, if anything; `kept`: what was encrypted
    last.
    """

    city: CityRepository
    role: Metadata[Targets] | None
    kept: Kept
    now: datetime

    @property
    def hashes(self) -> Mapping[str, str]:
        """Of what is published."""
        return hashes(self.role.signed) if self.role else {}

    @property
    def version(self) -> int:
        """Of what is published; 0: nothing is."""
        return self.role.signed.version if self.role else 0

    def changes(self, cameras: Cameras, result: bytes) -> bytes | None:
        """What makes this list of theirs, plain; None: the whole is sent."""
        kept, role = self.kept, self.role
        if not (cameras.take_changes and kept.list_key and kept.cameras == cameras.digest({})):
            return None
        if role is None or kept.files != self.hashes or not kept.young(self.now):
            return None
        try:
            found = changes_between(self._base(role), result)
        except (ConfigError, RefusedError):  # a damaged copy here is no reason to send nothing
            return None
        return found if found and len(found) * MOST_OF_WHOLE <= len(result) else None

    @boundary.document("published list", error=ConfigError)
    def _base(self, role: Metadata[Targets]) -> bytes:
        key = pyrage.x25519.Identity.from_str(self.kept.list_key)
        sealed = self.city.target(role, HOTLIST_PATH)
        return decrypted(sealed, key, city_file(HOTLIST_PATH))
