"""P6, retention is enforced by keys: from its deadline on, no copy of a sealed read opens, wherever
it lies.

Broken by hand once: with `destroy_due` unlinking without overwriting, the hard link shows the key;
with `<` for `<=`, the key outlives its deadline.
"""

import shutil
from datetime import timedelta

import pytest

from agent.core.time.instant import Instant
from agent.core.wire.sealed_read import SealedRead
from agent.errors import EnvelopeRefusedError, RefusedError
from agent.receiver.intake import Intake
from agent.receiver.workplace import Workplace
from tests.support.receiving import Enrolled
from tests.support.sealed import CAPTURED

NOW = Instant(CAPTURED)
DAYS = 3


@pytest.fixture
def enrolled(tmp_path):
    return Enrolled(tmp_path / "recipient", now=NOW)


@pytest.fixture
def read(enrolled) -> SealedRead:
    """A read that the recipient has stored."""
    sealed = enrolled.seal(retention_days=DAYS)
    store = enrolled.place.store()
    intake = Intake(
        enrolled.place.recipient, enrolled.place.opener(), store, enrolled.place.signer()
    )
    assert intake.take(sealed.wire, NOW).outcome == "stored"
    store.close()
    return sealed


def key_of(enrolled, read):
    return enrolled.folder / "epochs" / f"{read.tags.epoch}.key"


def test_the_deadline_keeps_the_policys_retention(read):
    assert read.tags.deadline <= CAPTURED + timedelta(days=DAYS)


def test_until_the_deadline_it_opens_and_from_then_on_nothing_does(enrolled, read):
    enrolled.place.tidy(Instant(read.tags.deadline - timedelta(milliseconds=1)))
    assert enrolled.place.opener().open(read.wire)
    enrolled.place.tidy(Instant(read.tags.deadline))
    with pytest.raises(EnvelopeRefusedError) as refused:
        enrolled.place.opener().open(read.wire)
    assert refused.value.reason == "key-destroyed"
    assert not list((enrolled.folder / "store").glob("*.sealed"))


def test_the_key_is_overwritten_not_only_unlinked(enrolled, read, tmp_path):
    key = key_of(enrolled, read)
    other_name, size = tmp_path / "another-name-for-the-same-blocks", key.stat().st_size
    other_name.hardlink_to(key)
    enrolled.place.tidy(Instant(read.tags.deadline))
    assert not key.exists()
    assert other_name.read_bytes() == bytes(size)


def test_a_backup_without_the_epoch_keys_opens_nothing_even_today(enrolled, read, tmp_path):
    backup = tmp_path / "backup"
    shutil.copytree(enrolled.folder, backup, ignore=shutil.ignore_patterns("epochs"))
    (backup / "epochs").mkdir(mode=0o700)
    with pytest.raises(EnvelopeRefusedError):
        Workplace(backup).opener().open(read.wire)


def test_no_file_of_the_recipient_but_the_key_holds_the_key(enrolled, read):
    """Else destroying one file would not destroy the key."""
    raw = enrolled.place.keys.key(read.tags.epoch).private_bytes_raw()
    from agent.core.text.encoding import b64url

    forms = (raw, raw.hex().encode(), b64url(raw).encode())
    holders = [
        path
        for path in enrolled.folder.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in forms)
    ]
    assert holders == [key_of(enrolled, read)]


def test_nobody_can_seal_to_a_destroyed_key_any_more(enrolled, read):
    enrolled.place.tidy(Instant(read.tags.deadline))
    assert read.tags.epoch not in enrolled.key_list().keys
    with pytest.raises(RefusedError) as refused:
        enrolled.seal(retention_days=DAYS)  # captured before, so that it would want that epoch
    assert refused.value.reason == "no-epoch-key"


def test_a_key_is_never_made_twice(enrolled, read):
    """A new key under an old day's name would make the receiver accept again what the old one's
    destruction ended.
    """
    enrolled.place.tidy(Instant(read.tags.deadline))
    enrolled.place.renew_keys(Instant(read.tags.deadline))
    assert not key_of(enrolled, read).exists()
