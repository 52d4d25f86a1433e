"""The demo's hold: two people order that the one read is kept. After its epoch key is gone only the
holder opens it, until the hold ends; all of it on a copy of the recipient's folder.
"""

import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.audit.log_verify import verify
from agent.audit.trusted_keys import keys_of
from agent.audit.verdict import Verdict
from agent.city.hold_signature import signed_by
from agent.core.text.rfc3339 import rfc3339
from agent.core.time.instant import Instant
from agent.core.wire.holds import hold as hold_format
from agent.core.wire.holds import hold_rules as rules_format
from agent.core.wire.holds.hold import Hold, format_hold
from agent.core.wire.holds.hold_rules import HoldRules, format_rules
from agent.core.wire.tags import Tags
from agent.demo.installation import Installation
from agent.disk.atomic_file import write_new
from agent.errors import EnvelopeRefusedError
from agent.receiver.holds.hold_desk import Asked
from agent.receiver.holds.hold_keys import make_holder_key
from agent.receiver.opener import OpenedRead
from agent.receiver.store.read_store import ReadStore
from agent.receiver.workplace import Workplace
from agent.values import dataclass

CITY, WHO = "City of Exampleville", "the demo's holder"
_DAYS, _MINUTES = 60, 10


@dataclass(frozen=True, slots=True)
class HeldRead:
    """What was seen. `opened`: by the holder, after its key's end; `closed`: to everybody else;
    `gone`: after the hold's end; `leaves`: of the hold log, which is `whole`.
    """

    hold: str
    deadline: str
    opened: int
    closed: bool
    gone: bool
    leaves: int
    whole: bool


def hold_the_read(installation: Installation) -> HeldRead:
    """Raises StorageError, RefusedError."""
    copy = installation.work / "attempt-hold"
    shutil.copytree(installation.recipient, copy)
    key = installation.work / "holder.key"
    holder, place = make_holder_key(key), Workplace(copy)
    with closing(place.store()) as store:
        tags = _tags(place, store)
        now = Instant(tags.captured_at + timedelta(seconds=1))
        record = _order(installation, place, tags, holder, now)
        kept = place.holds.apply(store, record, now).kept
    due, end = Instant(tags.deadline), Instant(kept.expires_at)
    place.tidy(due)
    with closing(place.store()) as store:
        asked = Asked(kept.id, tags.read_id, key, WHO)
        opened = [
            one for one in place.holds.opened(store, asked, due) if isinstance(one, OpenedRead)
        ]
    place.tidy(end)
    with closing(place.store()) as store:
        gone = not place.holds.any_here and not store.holds.reads(kept.id)
    folder = copy / "hold-log"
    report = verify(folder, keys_of([folder / "public.json"], None))
    leaves = report.head.size if report.head else 0
    whole = report.verdict is Verdict.WHOLE
    closed = _closed(installation.recipient, place, tags)
    return HeldRead(kept.id, rfc3339(tags.deadline), len(opened), closed, gone, leaves, whole)


def _order(
    installation: Installation, place: Workplace, tags: Tags, holder: str, now: Instant
) -> bytes:
    """The rules into the folder, and a hold of ten minutes that two people have signed."""
    people = {name: Ed25519PrivateKey.generate() for name in ("a judge", "a clerk")}
    signers = {one.public_key().public_bytes_raw(): name for name, one in people.items()}
    rules = format_rules(HoldRules(CITY, signers, len(people), _MINUTES, _DAYS), now.utc)
    city = installation.city.root_key
    write_new(
        place.folder / place.settings.hold_rules, signed_by(rules, rules_format.TYP, [city]), 0o644
    )
    asked = Hold(
        city=CITY,
        recipient=place.recipient,
        reference="demo 1",
        device=tags.device,
        since=now.utc - timedelta(minutes=_MINUTES),
        until=now.utc,
        holder=holder,
        issued_at=now.utc,
        expires_at=now.utc + timedelta(days=_DAYS),
        read_id=tags.read_id,
    )
    return signed_by(format_hold(asked), hold_format.TYP, list(people.values()))


def _tags(place: Workplace, store: ReadStore) -> Tags:
    (row, *_) = store.reads()
    return place.verifier().verify(store.wire(row))


def _closed(folder: Path, place: Workplace, tags: Tags) -> bool:
    """The epoch's key is gone from the copy, and the read's own bytes open no more."""
    with closing(Workplace(folder).store()) as store:
        (row,) = store.reads(tags.read_id)
        wire = store.wire(row)
    try:
        place.opener().open(wire)
    except EnvelopeRefusedError:
        return True
    return False
