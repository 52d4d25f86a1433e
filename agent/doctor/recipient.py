"""What a recipient's folder lacks: keys, the city's files, the key list's reach, store, holds,
ringers, disk, certificate, broker and its access list. It changes nothing.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta

from cryptography import x509

from agent.core.camera.diagnosis_findings import Finding, fail, failed, ok, skip, warn
from agent.core.text.pem import certificates
from agent.core.time.instant import Instant
from agent.core.wire.epochs import deadline_of
from agent.disk.input_file import read_input
from agent.doctor.recipient_access import access_list
from agent.errors import NetworkError, PlatewardenError
from agent.receiver.connection import Connection
from agent.receiver.holds.holds_told import holds_told
from agent.receiver.receiver_settings import MAX_BYTES
from agent.receiver.store.ring_queue import RingerState
from agent.receiver.workplace import KEY_LIST, Workplace
from agent.verifying.key_list_check import verify_key_list

SOON_DAYS, LEAST_FREE_BYTES = 30, 1 << 30
OLD_ROSTER_DAYS = 90
_CLOCK = "set this machine's time (NTP)"
LATE_S = 60  # a read that waits longer than that for its ring has nobody who rings
_RING = "start `platewarden receiver ring`, or its unit; with --try it sends a TEST to each"
_RUN = "start `platewarden receiver run`, or its units"
_WHICH_HELD = "`platewarden receiver hold list` says which, and why"
_RENEW = (
    "`platewarden receiver keys` renews it; give it to the city, which signs it for the cameras"
)
_COPY = "copy epochs/ and key-list.jws from the receiver that makes the keys"


def look(place: Workplace, now: Instant) -> Iterator[Finding]:
    """One line each, as soon as it is known. One that fails keeps no other one back."""
    for name, looked in (
        ("signing key", _signing_key),
        ("city", _city),
        ("roster", _roster),
        ("key list", _key_list),
        ("keys due", _keys_due),
        ("store", _store),
        ("holds", _holds),
        ("ringers", _ringers),
        ("disk", _disk),
        ("certificate", _certificate),
        ("broker", _broker),
        ("access list", _access_list),
    ):
        yield _one(name, looked, place, now)


def _one(
    name: str, looked: Callable[[Workplace, Instant], Finding], place: Workplace, now: Instant
) -> Finding:
    try:
        return looked(place, now)
    except PlatewardenError as error:
        return failed(name, error)


def _signing_key(place: Workplace, _now: Instant) -> Finding:
    place.signer()
    return ok("signing key", "is there, and readable by this user alone")


def _city(place: Workplace, _now: Instant) -> Finding:
    cameras = len(place.enrolled())
    if not cameras:
        return fail("city", "the city's roster names no camera", "ask the city for roster.jws")
    return ok("city", f"the roster is the city's own, and names {cameras} cameras")


def _roster(place: Workplace, now: Instant) -> Finding:
    """Its age: an older one is accepted, and knows nothing of cameras that came or went since."""
    issued = place.roster_issued_at()
    days = (now.utc - issued).days
    words = f"the city signed it on {issued:%Y-%m-%d}, {days} days ago"
    if days < 0:
        return warn("roster", f"the city signed it on {issued:%Y-%m-%d}, in days to come", _CLOCK)
    if days > OLD_ROSTER_DAYS:
        return warn("roster", words, "ask the city whether roster.jws is its newest")
    return ok("roster", words)


def _key_list(place: Workplace, now: Instant) -> Finding:
    """How far the newest key list reaches; what the city published may be older."""
    epochs = place.keys.epochs()
    path = place.folder / KEY_LIST
    if not epochs or not path.exists():
        return fail("key list", f"there is no {KEY_LIST}, or no key", _RENEW)
    left = (epochs[-1] - now.utc.date()).days
    words = f"its keys reach to {epochs[-1].isoformat()}, {left} days on"
    if left < 0:
        return fail("key list", words, _RENEW)
    if not place.settings.makes_keys and (wrong := _wrong_copies(place, now)):
        what = f"{len(wrong)} keys are missing or others, the first {wrong[0]}"
        return fail("key list", what, _COPY)
    if left < SOON_DAYS:
        return warn("key list", words, _RENEW)
    return ok("key list", f"{words}; a read needs a key that outlives its retention")


def _wrong_copies(place: Workplace, now: Instant) -> list[date]:
    """Keys of the list that are not here, or not the same: their reads are left to the receiver
    that makes the keys.
    """
    listed = verify_key_list(
        read_input(place.folder / KEY_LIST, MAX_BYTES, missing=_COPY),
        place.recipient,
        place.signer().public_key,
    )
    own = place.keys.public_keys(place.recipient, now.utc).keys
    return [
        epoch
        for epoch, public in listed.keys.items()
        if deadline_of(epoch) > now.utc and own.get(epoch) != public
    ]


def _keys_due(place: Workplace, now: Instant) -> Finding:
    due = [epoch for epoch in place.keys.epochs() if deadline_of(epoch) <= now.utc]
    if due:
        return fail(
            "keys due", f"{len(due)} keys should be destroyed, the first since {due[0]}", _RUN
        )
    return ok("keys due", "no key is past its day")


def _store(place: Workplace, now: Instant) -> Finding:
    with closing(place.store()) as store:
        (count, first), doubts = store.held(), store.doubts()
    if first is not None and first <= now.utc:
        return fail("store", f"a read should be gone since {first:%Y-%m-%d %H:%M} UTC", _RUN)
    if doubts:
        return fail("store", "; ".join(doubts), "a read that was receipted may be lost: set it on")
    where = ", shared in PostgreSQL" if place.settings.store else ""
    return ok("store", f"holds {count} sealed reads{where}, none past its deadline")


def _holds(place: Workplace, now: Instant) -> Finding:
    """How many reads are held beyond their deadline, and until when."""
    with closing(place.store()) as store:
        told = holds_told(store)
    if not told:
        return ok("holds", "no read is held beyond its deadline")
    reads, refused = sum(one.reads for one in told), sum(one.refused for one in told)
    first, last = (f"{one.expires_at:%Y-%m-%d %H:%M} UTC" for one in (told[0], told[-1]))
    until = f"until {last}" if first == last else f"the first until {first}, the last until {last}"
    words = f"{reads} reads are held under {len(told)} holds, {until}"
    if due := [one for one in told if one.overdue(now)]:
        return fail("holds", f"{words}; {len(due)} should have ended", _RUN)
    if refused:
        return warn("holds", f"{words}; {refused} reads could not be held", _WHICH_HELD)
    return ok("holds", words)


def _ringers(place: Workplace, now: Instant) -> Finding:
    """Those of receiver.toml that nobody hears, or that nobody rings; and what waits for others."""
    named = place.settings.ring.names
    with closing(place.store()) as store:
        states = {one.ringer: one for one in store.rings.states()}
    known = [states[name] for name in named if name in states]
    if dead := [one for one in known if one.failures]:
        words = [f"{one.ringer}: {one.words} ({one.waiting} wait)" for one in dead]
        return fail("ringers", f"nobody hears {'; '.join(words)}", _RING)
    if late := [one for one in known if one.waiting and _rung_long_ago(one, now)]:
        words = [f"{one.waiting} for {one.ringer}" for one in late]
        return warn("ringers", f"reads wait to be rung, {', '.join(words)}", _RING)
    if left := sorted(name for name, one in states.items() if one.waiting and name not in named):
        what = f"reads wait for {', '.join(left)}, which receiver.toml no longer names"
        return warn("ringers", what, "name it again, or let them go at their deadline")
    if not named:
        return skip("ringers", "receiver.toml names none", "people must look at the inbox then")
    return ok("ringers", f"nothing waits for {', '.join(named)}")


def _rung_long_ago(state: RingerState, now: Instant) -> bool:
    return state.rung_at is None or now.utc - state.rung_at > timedelta(seconds=LATE_S)


def _disk(place: Workplace, _now: Instant) -> Finding:
    free = shutil.disk_usage(place.folder).free
    words = f"{free / (1 << 30):.1f} GB are free"
    if free < LEAST_FREE_BYTES:
        return warn("disk", words, "make room: a full disk stores no read, and gives no receipt")
    return ok("disk", words)


def _certificate(place: Workplace, now: Instant) -> Finding:
    broker = place.broker()
    if broker.client_certificate is None:
        return skip("certificate", "none is named in receiver.toml", "only if the broker asks none")
    path = place.folder / broker.client_certificate
    data = read_input(path, MAX_BYTES, missing="put the broker's certificate there")
    try:
        ends = x509.load_der_x509_certificate(certificates(data)[0]).not_valid_after_utc
    except (ValueError, IndexError):
        return fail(
            "certificate", f"{path} is no certificate in PEM", "ask whoever runs the broker"
        )
    return _ending(ends, now.utc)


def _ending(ends: datetime, now: datetime) -> Finding:
    left = ends - now
    words = f"valid until {ends.astimezone(UTC):%Y-%m-%d}, {left.days} days on"
    fix = "send tls.csr to whoever runs the broker"
    if left <= timedelta():
        return fail("certificate", words, fix)
    return warn("certificate", words, fix) if left.days < SOON_DAYS else ok("certificate", words)


def _broker(place: Workplace, _now: Instant) -> Finding:
    """Under the receiver's own name, so only while none runs: it would be thrown off."""
    broker = place.broker()
    with ExitStack() as lock:
        try:
            lock.enter_context(place.locked())
        except PlatewardenError:
            return skip("broker", "a receiver runs in this folder: `receiver run` says how it is")
        connection = Connection(place.folder, broker, place.recipient, place.settings.client_name)
        try:
            connection.open()
            where = connection.where
        except NetworkError as error:
            return failed("broker", error, "check the broker and the network")
        finally:
            connection.close()
    return ok("broker", f"{where} let this receiver in and subscribe; what waits there, waits on")


def _access_list(place: Workplace, _now: Instant) -> Finding:
    return access_list(place)
