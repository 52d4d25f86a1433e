"""What a signer was shown of a city's folder, and whether it is still so when the answer comes.

A question may stay open for hours, and the daily job must not wait for it. So nothing is locked
while a person reads, and what was read is compared before anything is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.layout import POLICY, ROOT, TARGETS
from agent.city import drafts
from agent.errors import UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.bundles.repository.published import CityRepository, Pending, Published
    from agent.city.drafts import Enrolled, Texts

_SHOWN = (ROOT, TARGETS, POLICY)  # what the difference is made of, whatever is signed


@dataclass(frozen=True, slots=True)
class Seen:
    """`published`, `pending`: what was there when the difference was shown; `drafts`: the rosters
    then, where cameras are enrolled.
    """

    city: CityRepository
    published: Published | None
    pending: Mapping[str, Pending]
    drafts: Texts | None

    def again(self, items: Mapping[str, Pending], enrolled: Enrolled | None) -> dict[str, Pending]:
        """What is pending now of the very versions in `items`, signatures of others included.

        Raises UsageError where anything that was shown has changed.
        """
        published, pending = self.city.published(), self.city.pending()
        roles = dict.fromkeys((*_SHOWN, *items))
        if _published(self.published, roles) != _published(published, roles):
            raise _changed("something else was published")
        found = {}
        for role in roles:
            before, now = _bytes(self.pending.get(role)), _bytes(pending.get(role))
            ours = _bytes(items.get(role))
            if now is not None and now == ours:
                found[role] = pending[role]
            elif before != now:
                raise _changed(f"somebody began another version of role {role}, or withdrew it")
        if enrolled is not None and self.drafts != drafts.draft_texts(self.city.folder):
            raise _changed("somebody enrolled cameras")
        return found


def _published(published: Published | None, roles: Iterable[str]) -> list[bytes | None]:
    found = [published.role(role) if published else None for role in roles]
    return [metadata.to_bytes() if metadata else None for metadata in found]


def _bytes(pending: Pending | None) -> bytes | None:
    return pending.metadata.signed_bytes if pending else None


def _changed(what: str) -> UsageError:
    return UsageError(
        f"while you were asked, {what}: this is no longer what you were shown",
        fix="nothing was signed; run it again and look at the difference anew",
    )
