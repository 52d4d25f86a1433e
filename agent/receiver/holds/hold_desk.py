"""What the receiver does with holds: takes one in, lets its holder open what is held, lists them;
and has them kept and ended before any epoch key is destroyed.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.errors import ConfigError, EnvelopeRefusedError, RefusedError, UsageError
from agent.receiver.holds import resealed_read
from agent.receiver.holds.hold_keeper import HoldKeeper, Settled, candidates, open_holds
from agent.receiver.holds.hold_keys import HoldKeys, holder_identity, is_holder
from agent.receiver.holds.hold_log import PROCESS, hold_log
from agent.receiver.holds.hold_parts import HoldParts
from agent.receiver.logs.own_log import LogPlace
from agent.receiver.opener import holds_plate
from agent.receiver.store.holds.held_reads import HeldRead, KeptHold
from agent.values import dataclass
from agent.verifying.hold_check import SignedHold, claimed_hold, require_current, verify_hold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from agent.core.time.instant import Instant
    from agent.core.wire.holds.hold import Hold
    from agent.receiver.holds.hold_log import HoldLog
    from agent.receiver.opener import OpenedRead
    from agent.receiver.store.read_store import ReadStore


@dataclass(frozen=True, slots=True)
class ListedHold:
    """`reads`: what is held under it, and what could not be."""

    kept: KeptHold
    hold: "Hold"
    reads: "Sequence[HeldRead]"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be opened: all that is held under a hold, or that one read. `by`: who opens it."""

    hold: str
    read_id: str | None
    holder_key: Path
    by: str


class HoldDesk:
    """One receiver's. Every method raises StorageError, LogRefusedError, and StoreAwayError where
    the store may be back by itself.
    """

    def __init__(self, parts: HoldParts) -> None:
        self._parts, self._keys = parts, HoldKeys(parts.epochs)
        self._keeper = HoldKeeper(parts, self._keys)

    @property
    def any_here(self) -> bool:
        """Has this receiver the key of a hold?"""
        return bool(self._keys.ids())

    def settle(self, store: "ReadStore", now: "Instant") -> Settled:
        """Finish what was begun, seal anew what came since, end what has expired. Nothing, where
        there is no hold.
        """
        if not open_holds(store) and not self.any_here:
            return Settled()
        with self._log(now) as log:
            return self._keeper.settle(store, log, now)

    def apply(self, store: "ReadStore", untrusted_record: bytes, now: "Instant") -> ListedHold:
        """Take a signed hold in, and seal its reads anew. What cannot be obeyed is refused, and
        nothing is written.

        Raises RefusedError, ConfigError.
        """
        self._require_maker()
        signed = verify_hold(untrusted_record, self._parts.rules())
        hold = signed.hold
        require_current(hold, self._parts.recipient, reached=_over(hold.expires_at, now))
        if hold.device not in self._parts.enrolled():
            raise EnvelopeRefusedError(
                Reason.DEVICE_NOT_ENROLLED,
                f"camera {hold.device} is not in the roster",
                where="hold",
                fix="correct the camera, or get the city's newest roster.jws",
            )
        if not is_holder(hold.holder):
            raise EnvelopeRefusedError(
                Reason.MALFORMED, "`holder` is no usable recipient of age", where="hold"
            )
        if _known(store, signed.id) is None:
            self._require_reads(store, signed, now)
        with self._log(now) as log:
            known = _known(store, signed.id)
            if known is not None and known.ended_at is not None:
                raise _ended(signed.id, known.ended_at)
            own_half = known.own_half if known else self._keys.make(signed.id)
            store.holds.add(
                KeptHold(
                    *(signed.id, signed.record, own_half, hold.expires_at, self._parts.name),
                    at=now.utc,
                )
            )
            self._keeper.settle(store, log, now)
        (listed,) = (one for one in self.listed(store) if one.kept.id == signed.id)
        return listed

    def opened(
        self, store: "ReadStore", asked: Asked, now: "Instant"
    ) -> "Iterator[OpenedRead | RefusedError]":
        """What is held; in place of a read that does not open, why. Each opening is a leaf before
        anything is shown.

        Raises RefusedError, UsageError.
        """
        kept = _known(store, asked.hold)
        if kept is None:
            raise UsageError(
                "no such hold was applied here",
                where=f"hold {asked.hold[:64]!a}",
                fix=f"`platewarden receiver hold list {self._parts.folder}` shows them",
            )
        if kept.ended_at is not None or _over(kept.expires_at, now):
            raise _ended(kept.id, kept.ended_at or kept.expires_at)
        own = self._keys.identity(kept.id)
        if own is None:
            raise UsageError(
                "this receiver has no key of this hold",
                where=f"hold {kept.id}",
                fix="open it at the receiver where it was applied",
            )
        holder = holder_identity(asked.holder_key, claimed_hold(kept.record).holder)
        for read in self._wanted(store, asked):
            if read.refused:
                what = "could not be sealed anew before its key was destroyed"
                yield EnvelopeRefusedError(read.refused, what, where=f"read {read.read_id}")
                continue
            with self._log(now) as log:
                log.opened(read, asked.by)
            try:
                yield resealed_read.opened(store.holds.sealed(read), read, own, holder)
            except RefusedError as error:
                yield error

    def listed(self, store: "ReadStore") -> "Iterator[ListedHold]":
        """All holds that were ever applied."""
        for kept in store.holds.holds():
            yield ListedHold(kept, claimed_hold(kept.record), store.holds.reads(kept.id))

    def _wanted(self, store: "ReadStore", asked: Asked) -> "Sequence[HeldRead]":
        found = [
            one for one in store.holds.reads(asked.hold) if asked.read_id in {None, one.read_id}
        ]
        if not found:
            raise UsageError(
                "no such read is held under it",
                where=f"hold {asked.hold}",
                fix=f"`platewarden receiver hold list {self._parts.folder}` shows what is",
            )
        return found

    def _require_reads(self, store: "ReadStore", signed: SignedHold, now: "Instant") -> None:
        """A hold of nothing is told at once, and not on the day when somebody asks for its reads.
        A case number that is the plate would stand in the log.
        """
        opener, hold, covered = self._parts.opener(), signed.hold, 0
        for row in candidates(store, hold):
            wire = store.wire(row)
            try:
                tags = opener.verify(wire)
                if not hold.covers(tags.device, tags.read_id, tags.captured_at):
                    continue  # nobody ordered that it be opened
                opened = opener.open_verified(tags, wire)
            except EnvelopeRefusedError:
                continue
            if _over(tags.deadline, now):
                continue
            covered += 1
            if holds_plate(hold.reference, opened):
                raise EnvelopeRefusedError(
                    Reason.MALFORMED,
                    "the reference holds a plate that it asks for",
                    where="hold",
                    fix="sign it anew with a case number and no plate: it stands in the log",
                )
        if not covered:
            raise EnvelopeRefusedError(
                Reason.HOLD_NOTHING_HERE,
                f"no read of camera {hold.device} in that window is here: none came, or its key "
                "was destroyed at its deadline",
                where="hold",
                fix="if the camera still has to deliver it, apply the hold again when it has come",
            )

    def _require_maker(self) -> None:
        if not self._parts.makes_keys:
            raise ConfigError(
                "this receiver makes no keys, so it applies no hold",
                where=self._parts.folder,
                fix="apply it at the receiver that makes them: the others keep its reads too",
            )

    def _log(self, now: "Instant") -> "AbstractContextManager[HoldLog]":
        place = LogPlace(self._parts.folder, PROCESS, self._parts.name)
        return hold_log(place, lambda: now)


def _known(store: "ReadStore", hold: str) -> KeptHold | None:
    return next((one for one in store.holds.holds() if one.id == hold), None)


def _over(end: "datetime", now: "Instant") -> bool:
    """By either time: a refusal can be undone, so a clock that merely says so is enough for it."""
    return now.reached(end) or now.utc >= end


def _ended(hold: str, at: "datetime") -> EnvelopeRefusedError:
    return EnvelopeRefusedError(
        Reason.HOLD_EXPIRED,
        f"ended at {rfc3339(at)}, and what was held under it is destroyed",
        where=f"hold {hold}",
        fix="a new hold can keep only what is still here",
    )
