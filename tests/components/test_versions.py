"""Two versions of the sealed read beside each other, both ways round: a camera, its outbox and a
recipient, of which one is newer.

Version 2 is one that only the tests know.
"""

import hashlib
import json
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest

from agent.core.text.encoding import from_b64url
from agent.core.time.instant import Instant
from agent.core.wire.versions import TagForm, Versions
from agent.delivery import Delivery, Route
from agent.errors import RefusedError
from agent.receiver import receiver_status
from agent.receiver.intake import Intake
from agent.receiver.opener import parse_content
from agent.receiver.workplace import Workplace
from agent.settlement import Settler
from agent.storage.mailbox import OutboxReader, ReceiptBox
from agent.storage.outbox import Outbox
from agent.verifying.envelope_check import EnvelopeVerifier
from agent.verifying.receipt_check import ReceiptVerifier
from tests.fakes.audit import FakeAuditLog
from tests.fakes.clock import FakeClock
from tests.fakes.network import FakeAttempts, FakePublisher
from tests.fakes.storage import FakeReceiptBox
from tests.support.audit_logs import open_log, tamper
from tests.support.delivery_world import policy, rule
from tests.support.receiving import Enrolled
from tests.support.sealed import CAPTURED, DEVICE, PLATE, RECIPIENT
from tests.support.second_version import NEW, OLD

NOW = Instant(CAPTURED)
LATER = Versions({2: NEW.forms[2], 3: TagForm(dict, lambda _tags: None)})  # knows 1 no more
POLICY = policy(RECIPIENT, releases=(rule(RECIPIENT, rule="stolen-and-amber"),))


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


class Camera:
    """The side of watch: an outbox with its log, and what settles it.

    It is made with the software that knows version 2. `versions`: of the software that is started
    then, and settles.
    """

    def __init__(self, folder, enrolled):
        self.enrolled, self.log = enrolled, open_log(folder / "watch")
        self.outbox = Outbox(folder / "outbox", self.log, 100, 65_536, NEW)
        self.receipts = ReceiptBox(folder / "receipts", 4_096)
        self.folder = folder

    def verifier(self, versions):
        key = self.enrolled.device_key.public_key().public_bytes_raw()
        return EnvelopeVerifier({DEVICE: key}, versions=versions)

    def start(self, versions):
        self.outbox = Outbox(self.folder / "outbox", self.log, 100, 65_536, versions)
        return self.outbox.recover()

    def settle(self, versions):
        self.start(versions)
        self.settler().settle(NOW)

    def settler(self):
        receipt_verifier = ReceiptVerifier({RECIPIENT: self.enrolled.signing_key})
        return Settler(POLICY, self.outbox, self.receipts, receipt_verifier, self.log)

    def leaves(self, kind):
        rows = self.log.query(
            "SELECT details FROM leaf WHERE details ->> '$.kind' = ? ORDER BY n", (kind,)
        )
        return [json.loads(details) for (details,) in rows]


@pytest.fixture
def scene(tmp_path):
    """`recipient(versions)`, then `camera`; everything is closed at the end."""
    opened = []

    def recipient(versions):
        enrolled = Enrolled(tmp_path / "recipient", now=NOW, versions=versions)
        opened.append(Camera(tmp_path / "camera", enrolled))
        return enrolled, opened[0]

    yield SimpleNamespace(recipient=recipient)
    for camera in opened:
        camera.log.close()


def take(enrolled, versions, wire):
    """What the recipient's software of these versions does with one message."""
    place = Workplace(enrolled.folder, versions)
    store = place.store()
    try:
        return Intake(RECIPIENT, place.opener(), store, place.signer()).take(wire, NOW)
    finally:
        store.close()


def receipt_of(enrolled, taken):
    return ReceiptVerifier({RECIPIENT: enrolled.signing_key}).verify(taken.receipt)


class TestBothWaysRound:
    @pytest.mark.parametrize(
        ("camera", "receiver", "sealed_in"), [(NEW, OLD, 1), (OLD, NEW, 1), (NEW, NEW, 2)]
    )
    def test_sealed_in_the_highest_that_both_know_and_opened(
        self, scene, camera, receiver, sealed_in
    ):
        enrolled, _ = scene.recipient(receiver)
        assert enrolled.key_list().versions == receiver.known
        read = enrolled.seal(versions=camera)
        assert read.tags.version == sealed_in
        taken = take(enrolled, receiver, read.wire)
        assert (taken.outcome, taken.tags) == ("stored", read.tags)
        opened = Workplace(enrolled.folder, receiver).opener().open(read.wire)
        assert opened.plate.text.value == PLATE

    def test_what_came_before_the_update_still_opens_after_it(self, scene):
        enrolled, _ = scene.recipient(OLD)
        read = enrolled.seal()
        take(enrolled, OLD, read.wire)
        assert take(enrolled, NEW, read.wire).new is False
        assert Workplace(enrolled.folder, NEW).opener().open(read.wire).tags == read.tags

    def test_a_list_of_version_1_alone_is_written_as_ever(self, scene):
        enrolled, _ = scene.recipient(OLD)
        payload = (enrolled.folder / "key-list.jws").read_text().split(".")[1]
        assert b"versions" not in from_b64url(payload)

    def test_the_content_says_the_version_of_its_tags(self, scene):
        """Else a camera gone wrong could put one version's content into another's envelope."""
        enrolled, _ = scene.recipient(NEW)
        read = enrolled.seal(versions=NEW)
        opener = Workplace(enrolled.folder, NEW).opener()
        content = opener._decrypt(read.tags, read.wire)
        assert b'"v":2' in content
        with pytest.raises(RefusedError) as refused:
            parse_content(replace(read.tags, version=1), content)
        assert refused.value.reason == "malformed"


class TestNoCommonVersion:
    @pytest.mark.parametrize(("camera", "receiver"), [(LATER, OLD), (OLD, LATER)])
    def test_nothing_is_sealed_and_the_reason_says_so(self, scene, camera, receiver):
        enrolled, _ = scene.recipient(receiver)
        with pytest.raises(RefusedError, match=r"keys/exampleville-pd\.jws.*update") as refused:
            enrolled.seal(versions=camera)
        assert refused.value.reason == "no-common-version"
        assert PLATE not in str(refused.value)


@pytest.fixture
def gone_back(scene):
    """A recipient that listed version 2 and went back to older software; a read in version 2."""
    enrolled, camera = scene.recipient(NEW)
    read = enrolled.seal(versions=NEW)
    camera.outbox.put(read)
    return SimpleNamespace(enrolled=enrolled, camera=camera, read=read)


class TestAReceiverThatIsOlderThanItsList:
    def test_the_read_is_rejected_by_a_signed_receipt_and_leaves_the_outbox(self, gone_back):
        enrolled, camera, read = gone_back.enrolled, gone_back.camera, gone_back.read
        camera.settle(NEW)
        assert camera.outbox.pending() == [read.tags.read_id]
        taken = take(enrolled, OLD, read.wire)
        receipt = receipt_of(enrolled, taken)
        digest = hashlib.sha256(read.wire).hexdigest()
        assert (receipt.outcome, receipt.read_id, receipt.wire_sha256, receipt.device) == (
            "rejected:unsupported-version",
            read.tags.read_id,
            digest,
            DEVICE,
        )
        camera.receipts.put(read.tags.read_id, taken.receipt)
        camera.settle(NEW)
        assert camera.outbox.pending() == []
        (leaf,) = camera.leaves("receipt")
        assert (leaf["outcome"], leaf["read"], leaf["sequence"], leaf["sha256"]) == (
            "rejected:unsupported-version",
            read.tags.read_id,
            1,
            digest,
        )

    def test_it_is_counted_and_not_stored(self, gone_back):
        enrolled, read = gone_back.enrolled, gone_back.read
        again = [take(enrolled, OLD, read.wire) for _ in range(2)]
        assert [taken.outcome for taken in again] == ["rejected:unsupported-version"] * 2
        take(enrolled, OLD, enrolled.seal().wire)
        table = receiver_status.status(Workplace(enrolled.folder, OLD), NOW)
        assert (table["reads"], table["rejected"], table["dropped"]) == (
            1,
            {"unsupported-version": 1},
            {},
        )
        # its number stands in a tag that this version cannot read
        assert table["devices"] == [
            {"device": DEVICE, "highest": 2, "missing": [[1, 1]], "twice": []}
        ]

    def test_a_read_for_somebody_else_is_told_as_ever(self, gone_back):
        enrolled = gone_back.enrolled
        place = Workplace(enrolled.folder, OLD)
        store = place.store()
        other = Intake("other-pd", place.opener(), store, place.signer())
        taken = other.take(gone_back.read.wire, NOW)
        store.close()
        assert taken.outcome == "rejected:not-for-this-recipient"


class TestWhatNoEnrolledCameraSigned:
    def test_a_camera_that_is_not_enrolled_is_told_nothing(self, gone_back):
        enrolled = gone_back.enrolled
        taken = take(enrolled, OLD, enrolled.seal(device="cam-unknown", versions=NEW).wire)
        assert (taken.outcome, taken.receipt, taken.tags) == (
            "dropped:device-not-enrolled",
            None,
            None,
        )

    def test_a_bad_signature_is_told_nothing(self, gone_back, tmp_path):
        enrolled = gone_back.enrolled
        stranger = Enrolled(tmp_path / "stranger", now=NOW, versions=NEW)
        forged = stranger.seal(key_list=enrolled.key_list(), versions=NEW)
        taken = take(enrolled, OLD, forged.wire)
        assert (taken.outcome, taken.receipt) == ("dropped:signature-invalid", None)

    def test_one_changed_byte_is_told_nothing(self, gone_back):
        wire = gone_back.read.wire
        lines = wire.split(b"\n")
        for position in range(0, len(lines[0]), 97):
            changed = bytearray(wire)
            changed[position] ^= 1
            taken = take(gone_back.enrolled, OLD, bytes(changed))
            assert taken.outcome in {"dropped:signature-invalid", "dropped:malformed"}
            assert taken.receipt is None


class TestACameraThatWentBack:
    """Its outbox holds reads of a version that its own software knows no more."""

    def test_they_are_withdrawn_with_a_leaf(self, gone_back):
        camera, read = gone_back.camera, gone_back.read
        camera.settle(OLD)
        assert camera.outbox.pending() == []
        assert not list((camera.folder / "outbox").glob("*.sealed"))
        (leaf,) = camera.leaves("withdrawal")
        assert (leaf["reason"], leaf["read"], leaf["recipient"], leaf["version"]) == (
            "unsupported-version",
            read.tags.read_id,
            RECIPIENT,
            2,
        )
        assert not camera.leaves("refusal")

    def test_a_receipt_that_is_there_already_counts(self, gone_back):
        camera, read = gone_back.camera, gone_back.read
        taken = take(gone_back.enrolled, NEW, read.wire)
        camera.receipts.put(read.tags.read_id, taken.receipt)
        camera.settle(OLD)
        (leaf,) = camera.leaves("receipt")
        assert (leaf["outcome"], leaf["read"]) == ("stored", read.tags.read_id)
        assert not camera.leaves("withdrawal")

    def test_a_receipt_beyond_the_part_that_one_round_asks_for_counts_too(
        self, gone_back, monkeypatch
    ):
        monkeypatch.setattr("agent.storage.mailbox.MAX_ASKED", 0)
        self.test_a_receipt_that_is_there_already_counts(gone_back)

    def test_they_are_known_from_their_bytes_where_the_ledger_kept_no_tags(self, gone_back):
        camera, read = gone_back.camera, gone_back.read
        tamper(camera.folder / "watch", "UPDATE outbox_read SET tags = NULL")
        camera.settle(OLD)
        (leaf,) = camera.leaves("withdrawal")
        assert (leaf["read"], leaf["recipient"], leaf["version"]) == (
            read.tags.read_id,
            RECIPIENT,
            2,
        )

    @pytest.mark.parametrize("own", [True, False], ids=["another read of ours", "a stranger's"])
    def test_other_bytes_under_its_name_are_withdrawn_by_nobody(self, gone_back, tmp_path, own):
        """`deliver` could put them there. The ledger knows better: what it released is lost."""
        camera, read = gone_back.camera, gone_back.read
        sealer = gone_back.enrolled if own else Enrolled(tmp_path / "x", now=NOW, versions=NEW)
        path = camera.folder / "outbox" / f"{read.tags.read_id}.sealed"
        path.write_bytes(sealer.seal(versions=NEW).wire)
        assert camera.start(OLD) == [read.tags.read_id]
        camera.settler().settle(NOW)
        assert [leaf["read"] for leaf in camera.leaves("lost")] == [read.tags.read_id]
        assert not camera.leaves("withdrawal")

    def test_a_file_of_another_version_that_was_planted_withdraws_nothing(self, gone_back):
        """Under the name of a read that this software knows, and under a name of its own."""
        camera, newer = gone_back.camera, gone_back.read
        camera.settle(OLD)
        mine = gone_back.enrolled.seal()
        camera.outbox.put(mine)
        for read_id in (mine.tags.read_id, newer.tags.read_id):
            (camera.folder / "outbox" / f"{read_id}.sealed").write_bytes(newer.wire)
        camera.settler().settle(NOW)
        assert camera.outbox.pending() == [mine.tags.read_id]
        assert len(camera.leaves("withdrawal")) == 1

    def test_deliver_publishes_none_of_them(self, gone_back):
        camera, log, publisher = gone_back.camera, FakeAuditLog(), FakePublisher((RECIPIENT,))
        delivery = Delivery(
            DEVICE,
            OutboxReader(camera.folder / "outbox", 65_536),
            camera.verifier(OLD),
            FakeReceiptBox(log),
            FakeAttempts(),
            log,
            FakeClock(CAPTURED),
            lambda: 0.0,
        )
        route = Route(POLICY, ReceiptVerifier({}), publisher)
        for _ in range(3):
            delivery.pass_once(route, lambda: None, lambda: False)
        assert publisher.published == []
        assert [leaf["reason"] for leaf in log.details("refusal")] == ["unsupported-version"]


def test_under_the_software_that_sealed_it_the_same_read_stays(gone_back):
    gone_back.camera.settle(NEW)
    assert gone_back.camera.outbox.pending() == [gone_back.read.tags.read_id]
    assert not gone_back.camera.leaves("withdrawal")
    assert not gone_back.camera.leaves("refusal")
