"""Where a process's policy comes from: bundles that it verified itself, or, on a rig, an unsigned
folder.

Says when something changed or lapsed (P5), and until when its reads can be sealed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.city_folder import CityFolder
from agent.bundles.follower import Follower
from agent.bundles.generation import Lapse, Stops
from agent.bundles.generation_store import BundleStore
from agent.core.log.leaf import LeafKind
from agent.core.policy.key_reach import reaches
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.errors import BundleRefusedError, PlatewardenError, RefusedError
from agent.values import dataclass
from agent.verifying.key_list_check import verify_key_list

if TYPE_CHECKING:
    from datetime import date

    from agent.bundles.generation import Generation
    from agent.core.policy.key_reach import Reach
    from agent.core.policy.policy import Policy
    from agent.host.clock import TrustedClock
    from agent.ports import AuditLog
    from agent.settings import Settings

BUNDLES = "bundles"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in force now.

    `lapses`: roles that have expired or were never published; `closed`: why nothing may be released
    or published, or None.
    """

    generation: Generation
    lapses: tuple[Lapse, ...]

    @property
    def city(self) -> CityFolder:
        return CityFolder(self.generation.city)

    @property
    def closed(self) -> Reason | None:
        return (
            Reason.BUNDLE_LAPSED
            if any(lapse.stops is Stops.EVERYTHING for lapse in self.lapses)
            else None
        )

    def require_open(self) -> None:
        """Raises BundleRefusedError where nothing may be released or published."""
        for lapse in self.lapses:
            if lapse.stops is Stops.EVERYTHING:
                raise BundleRefusedError(
                    Reason.BUNDLE_LAPSED,
                    sentence(lapse),
                    where=self.generation.city_id,
                    fix="bring newer bundles: `platewarden update`",
                )

    def lapsed(self, role: str) -> bool:
        """Whether one role is out of force."""
        return any(lapse.role == role for lapse in self.lapses)


class SignedCity:
    """The verified bundles of one process (`watch`, `deliver`), and its trusted clock, which learns
    from them how late it is at least.
    """

    def __init__(
        self,
        settings: Settings,
        process: str,
        clock: TrustedClock,
        log: AuditLog,
        leave_out: frozenset[str] = frozenset(),
    ) -> None:
        self._clock, self._log, self._inbox = clock, log, settings.bundles
        self._store = BundleStore(
            settings.state / process / BUNDLES,
            settings.anchor,
            settings.limits,
            rig=settings.rig,
            leave_out=leave_out,
            camera=settings.camera_id,
        )
        self._follower = Follower(self._store, settings.bundles, self._refused)
        self.refusal = ""  # why the newest bundles were not taken in
        self._standing: Standing | None = None
        self._told: tuple[Lapse, ...] = ()
        self._take(self._current())

    @property
    def standing(self) -> Standing | None:
        """What is in force; None until the first bundles have come."""
        return self._standing

    def look(self) -> bool:
        """Look into the inbox, now and then; True when something changed: other bundles, or a role
        that lapsed.

        Raises StorageError (log).
        """
        before = self._standing
        fresh = self._follower.look(self._clock.now(), self._clock.monotonic_s())
        if fresh is not None:
            self._take(fresh)
            self.refusal = ""
            self._log.append(LeafKind.BUNDLES, told(fresh))
        elif before is not None:
            self._take(before.generation)
        lapses = self._standing.lapses if self._standing is not None else ()
        if lapses != self._told and lapses:
            self._log.append(
                LeafKind.REFUSAL,
                {"reason": Reason.BUNDLE_LAPSED, "what": "; ".join(map(sentence, lapses))},
            )
        self._told = lapses
        changed = self._clock.take_change()
        if changed is not None:
            self._log.append(
                LeafKind.CLOCK, {"clock": changed.trust, "what": self._clock.explain()}
            )
        return self._standing != before

    def _take(self, generation: Generation | None) -> None:
        if generation is None:
            return
        self._clock.signed_time(generation.issued, generation.expiry["timestamp"])
        now = self._clock.now()
        self._standing = Standing(
            generation, generation.lapsed(max(now.utc, now.at_least or now.utc))
        )

    def _current(self) -> Generation | None:
        try:
            return self._store.current()
        except RefusedError as error:
            # A card that lost bits: nothing is obeyed, and a person must act.
            self._refused(error.reason, error.what)
            raise

    def _refused(self, reason: str, what: str) -> None:
        self.refusal = f"refused [{reason}]: {what}"
        self._log.append(LeafKind.REFUSAL, {"reason": reason, "what": f"bundles: {what}"})


def told(generation: Generation) -> dict[str, object]:
    """A generation, for a leaf: whose, how new, and who signed what."""
    return {
        "city": generation.city_id,
        "issued": rfc3339(generation.issued),
        "versions": dict(generation.versions),
        "signed_by": {role: list(names) for role, names in generation.facts.signed_by.items()},
    }


def in_force(policy: Policy, *, signed: bool) -> dict[str, object]:
    """A policy, for a leaf."""
    return {
        "policy": policy.name,
        "policy_version": policy.version,
        "policy_digest": policy.digest,
        "signed": signed,
    }


def sentence(lapse: Lapse) -> str:
    """One lapse, for people."""
    return (
        f"{lapse.role} expired on {lapse.since:%Y-%m-%d %H:%M} UTC"
        if lapse.since
        else f"{lapse.role} was never published"
    )


def no_bundles(settings: Settings) -> BundleRefusedError:
    """The refusal of a process that has verified nothing yet."""
    return BundleRefusedError(
        Reason.BUNDLE_INCOMPLETE,
        "no bundles have come yet",
        where=settings.bundles,
        fix="run `platewarden update`, or copy a stick",
    )


@dataclass(frozen=True, slots=True)
class Reached:
    """One recipient. `reach`: by rule; empty without usable keys, and `fault` says why."""

    recipient: str
    reach: tuple[Reach, ...]
    fault: str = ""


def key_reach(city: CityFolder, policy: Policy, today: date) -> tuple[Reached, ...]:
    """Of every recipient to whom some rule releases. A list that cannot be used is told."""
    names = sorted({rule.recipient for rule in policy.releases})
    return tuple(_reached(city, policy, name, today) for name in names)


def _reached(city: CityFolder, policy: Policy, name: str, today: date) -> Reached:
    try:
        keys = verify_key_list(city.key_list(name), name, policy.recipients[name].signing_key)
    except PlatewardenError as error:
        return Reached(name, (), f"nothing is sealed to {name}: {error.what}")
    found = reaches(keys, policy, today)
    return Reached(name, found, "" if found else f"nothing is sealed to {name}: it has no keys")
