"""Seals the reads of every hold anew before their epoch keys die, and ends a hold on its day.

A step that was cut off is finished by the next pass. Order: the hold's own key, its row, its leaf;
each read's row, its leaf; at the end the key, the rows, the leaf.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.core.reasons import reason_of
from agent.core.wire.holds.hold import Hold
from agent.errors import RefusedError, StorageError, StoreAwayError
from agent.receiver.holds.hold_keys import HoldKeys
from agent.receiver.holds.hold_log import HoldLog
from agent.receiver.holds.hold_parts import HoldParts
from agent.receiver.holds.resealed_read import Kept, sealed_twice
from agent.receiver.opener import opened_by
from agent.receiver.store.holds.held_reads import HeldRead, KeptHold
from agent.values import dataclass, field
from agent.verifying.hold_check import SignedHold, claimed_hold, verify_hold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.core.time.instant import Instant
    from agent.receiver.opener import Opener
    from agent.receiver.store.read_store import Name, ReadStore, StoredRead

CLOCKS_APART = timedelta(days=1)  # a read arrives after it is captured, but for two clocks


@dataclass(slots=True)
class Settled:
    """What one pass did: lines for the operator. `spared`: reads that are due and that another
    receiver must seal anew before they go.
    """

    lines: list[str] = field(default_factory=list)
    spared: "set[Name]" = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Pass:
    """One pass over the store, inside the turn of the log."""

    store: "ReadStore"
    log: HoldLog
    now: "Instant"
    done: Settled


class HoldKeeper:
    """One receiver's. Every method raises StorageError; StoreAwayError where the store may be back
    by itself.
    """

    def __init__(self, parts: HoldParts, keys: HoldKeys) -> None:
        self._parts, self._keys = parts, keys
        self._passed: set[tuple[str, Name]] = set()  # hold and read: looked at, and not covered

    def settle(self, store: "ReadStore", log: HoldLog, now: "Instant") -> Settled:
        """One pass, while the log is ours."""
        one = _Pass(store, log, now, Settled())
        for kept in open_holds(store):
            if kept.ended_at is None and not now.reached(kept.expires_at):
                self._keep_all(one, kept)
            else:
                self._end(one, kept)
        lasting = {kept.id for kept in store.holds.holds() if kept.ended_at is None}
        for stray in set(self._keys.ids()) - lasting:  # a crash's, or one that another ended
            self._keys.destroy(stray)
        return one.done

    def _keep_all(self, one: _Pass, kept: KeptHold) -> None:
        # Mitigates against: a row that nobody signed, in a store that several share.
        try:
            signed = verify_hold(kept.record, self._parts.rules())
        except (RefusedError, StorageError) as error:
            one.done.lines.append(f"hold {kept.id} keeps no further reads: {error}")
            self._spare(one, kept)
            return
        if kept.by == self._parts.name:
            one.log.begun(kept, signed)
        held = one.store.holds.reads(kept.id)
        self._tell(one, held)
        seal = _Sealing(self._parts, signed, kept)
        known = {read.name for read in held}
        for row in candidates(one.store, signed.hold):
            if row.name not in known and (kept.id, row.name) not in self._passed:
                self._keep(one, seal, row)

    def _spare(self, one: _Pass, kept: KeptHold) -> None:
        """What this receiver cannot judge is left to the one that makes the keys, and deletes it:
        without a key it is noise.
        """
        if not self._parts.makes_keys:
            with suppress(RefusedError):
                for row in candidates(one.store, claimed_hold(kept.record)):
                    if one.now.reached(row.deadline):
                        one.done.spared.add(row.name)

    def _keep(self, one: _Pass, seal: "_Sealing", row: "StoredRead") -> None:
        """One read that may be covered: hold it, or say why not."""
        reason, due = "", one.now.reached(row.deadline)
        try:
            sealed = seal.anew(one.store.wire(row))
        except StoreAwayError:
            raise
        except (RefusedError, StorageError) as error:
            if not due:  # tried again, until its last day
                one.done.lines.append(f"read {row.read_id} is to be held, and is not yet: {error}")
                return
            if not self._parts.makes_keys:  # this one has copies of keys, and lacks that
                one.done.spared.add(row.name)
                return
            reason, sealed = reason_of(error), b""
        if sealed is None:
            self._passed.add((seal.kept.id, row.name))
            return
        read = HeldRead(
            *(seal.kept.id, *row.name, row.wire_sha256, one.now.utc, self._parts.name), reason
        )
        if one.store.holds.keep(read, sealed):
            self._tell(one, [read])
            said = f"cannot be held [{reason}]" if reason else f"is held under {read.hold}"
            one.done.lines.append(f"read {row.read_id}, camera {row.device}, {said}")

    def _end(self, one: _Pass, kept: KeptHold) -> None:
        """The key first: without it, the rest is noise."""
        self._tell(one, one.store.holds.reads(kept.id))
        self._keys.destroy(kept.id)
        one.store.holds.end(kept.id, one.now.utc, self._parts.name)
        one.log.ended(kept.id)
        one.store.holds.told(kept.id)
        one.done.lines.append(f"hold {kept.id} has ended; what was held under it is destroyed")

    def _tell(self, one: _Pass, reads: Iterable[HeldRead]) -> None:
        for read in reads:
            if read.by == self._parts.name:
                one.log.held(read)


class _Sealing:
    """Seals one hold's reads. `opener` and `enrolled` are read once, at the first read."""

    def __init__(self, parts: HoldParts, signed: SignedHold, kept: KeptHold) -> None:
        self.kept = kept
        self._parts, self._signed = parts, signed
        self._opener: Opener | None = None
        self._enrolled: Mapping[str, bytes] = {}

    def anew(self, wire: bytes) -> bytes | None:
        """The read, sealed to the holder and to the hold; None: the hold does not cover it.

        Raises RefusedError, StorageError.
        """
        if self._opener is None:
            self._opener, self._enrolled = self._parts.opener(), self._parts.enrolled()
        tags, hold = self._opener.verify(wire), self._signed.hold
        if not hold.covers(tags.device, tags.read_id, tags.captured_at):
            return None
        content_key = self._opener.content_key(tags, wire)
        opened_by(content_key, tags, wire)  # what would not open for its holder is not held
        kept = Kept(wire, content_key, self._enrolled[tags.device])
        return sealed_twice(kept, hold.holder, self.kept.own_half)


def open_holds(store: "ReadStore") -> "Sequence[KeptHold]":
    """Those for which something is left to do: they last, or their end is not yet told."""
    return [kept for kept in store.holds.holds() if not kept.told]


def candidates(store: "ReadStore", hold: Hold) -> "Iterator[StoredRead]":
    """Rows that the hold may cover: what was captured in its window cannot have come long before,
    nor been due before.
    """
    for row in store.reads(hold.read_id):
        came = row.received_at >= hold.since - CLOCKS_APART
        if row.device == hold.device and came and row.deadline > hold.since:
            yield row
