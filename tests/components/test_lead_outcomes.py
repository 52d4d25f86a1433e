"""What became of leads: a recipient's word comes to the camera's log once, and too many false ones
stop a rule.
"""

import hashlib
import json
import os
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.log.leaf import LeafKind
from agent.core.policy.policy import Release
from agent.core.reasons import Reason
from agent.core.wire.receipt import (
    OUTCOME_TYP,
    Disposition,
    LeadOutcome,
    claims_outcome,
    format_outcome,
    parse_outcome,
)
from agent.errors import EnvelopeRefusedError, StorageError, UsageError
from agent.ledger import Refusals
from agent.outcomes.lead_outcomes import LeadOutcomes
from agent.outcomes.reported_outcomes import ReportedOutcomes
from agent.receiver import lead_reports, service
from agent.receiver.lead_reports import LeadReports, report
from agent.receiver.signing_key import RecipientSigner
from agent.storage.leads import released_leads
from agent.storage.leads.outcome_box import OutcomeBox
from agent.storage.leads.released_leads import ReleasedLeads, stopped_rules
from agent.storage.mailbox import ReceiptBox
from agent.storage.outbox import Outbox
from agent.verifying.receipt_check import ReceiptVerifier
from tests.fakes.audit import FakeAuditLog
from tests.fakes.clock import FakeClock
from tests.fakes.sealing import FakeSealer
from tests.fakes.storage import FakeReceiptBox
from tests.support.audit_logs import open_log
from tests.support.judging import NOON, instant, match, policy, rule, sighting
from tests.support.receiving import Enrolled
from tests.support.sealed import DEVICE, sign_compact

pytestmark = pytest.mark.usefixtures("quick_disk")

ROOT = Path(__file__).parents[2]
CAMERA, PD = "cam-1", "town-pd"
KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
DAY = timedelta(days=1)
SIGNER = RecipientSigner(KEY)
VERIFIER = ReceiptVerifier({PD: KEY.public_key().public_bytes_raw()})


def release(version=7, rule_name="stolen"):
    return Release(
        rule_name,
        PD,
        "stolen-vehicle-recovery",
        21,
        frozenset({"plate"}),
        match(),
        "Town policy",
        version,
        "ab" * 32,
    )


class Camera:
    """Watch's and deliver's halves over one folder and one log."""

    def __init__(self, folder, log, most=2, version=7):
        self.folder, self.log, self.sealer = folder, log, FakeSealer(CAMERA)
        self.outbox = Outbox(folder / "outbox", log, 100, 65_536)
        self.box = OutcomeBox(folder / "receipts", 4_096)
        self.obey(most, version)

    def obey(self, most, version=7):
        """A policy, or a restart."""
        rules = (rule(max_false_leads=most), rule(rule="other"))
        obeyed = policy(*rules, version=version)
        self.version = version
        self.outcomes = LeadOutcomes(
            obeyed, CAMERA, ReleasedLeads(self.log), self.box, VERIFIER, self.log
        )

    def release(self, rule_name="stolen", at=NOON):
        sealed = self.sealer.seal(
            sighting("PWD0001", captured=instant((at - NOON).total_seconds())),
            release(self.version, rule_name),
            self.outbox.next_sequence(PD),
        )
        self.outbox.put(sealed)
        return sealed.tags.read_id

    def told(self, read, disposition=Disposition.WRONG_PLATE, signer=SIGNER, **changes):
        """The recipient's word lies in the mailbox; one round later."""
        honest = LeadOutcome(read, CAMERA, PD, disposition, NOON)
        self.box.keep(read, signer.outcome(replace(honest, **changes)))
        self.settle()

    def settle(self, at=NOON):
        self.box._folder.look_again()
        self.outcomes.settle(instant((at - NOON).total_seconds()))

    def leaves(self, kind):
        rows = self.log.query("SELECT details FROM leaf ORDER BY n")
        found = [json.loads(details) for (details,) in rows]
        return [one for one in found if one["kind"] == kind]


@pytest.fixture
def camera(tmp_path):
    with open_log(tmp_path / "watch") as log:
        yield Camera(tmp_path, log)


def test_an_outcome_is_a_leaf_without_a_plate(camera):
    read = camera.release()
    camera.told(read, Disposition.RIGHT_CAR)
    (leaf,) = camera.leaves("outcome")
    assert {name: leaf[name] for name in ("read", "recipient", "rule", "category", "outcome")} == {
        "read": read,
        "recipient": PD,
        "rule": "stolen",
        "category": "stolen-vehicle",
        "outcome": "right-car",
    }
    assert "PWD0001" not in str(camera.leaves("outcome"))


def test_the_first_outcome_of_a_read_stands(camera):
    read = camera.release()
    camera.told(read, Disposition.RIGHT_CAR)
    assert not camera.box.keep(read, b"another")
    (camera.folder / "receipts" / f"{read}.outcome").unlink()
    camera.told(read, Disposition.WRONG_PLATE)
    assert [leaf["outcome"] for leaf in camera.leaves("outcome")] == ["right-car"]


@pytest.mark.parametrize(
    ("changes", "signer", "reason"),
    [
        ({"device": "cam-2"}, SIGNER, Reason.RECEIPT_MISMATCH),
        ({"read_id": "e" * 32}, SIGNER, Reason.RECEIPT_MISMATCH),
        ({"recipient": "nobody"}, SIGNER, Reason.RECIPIENT_NOT_IN_POLICY),
        ({}, RecipientSigner(OTHER), Reason.SIGNATURE_INVALID),
    ],
)
def test_what_is_no_outcome_of_this_read_is_refused_once_and_costs_no_other(
    camera, changes, signer, reason
):
    read, other = camera.release(), camera.release()
    camera.told(read, signer=signer, **changes)
    camera.settle()
    camera.told(other, Disposition.NO_ACTION)
    assert [leaf["outcome"] for leaf in camera.leaves("outcome")] == ["no-action"]
    (refusal,) = camera.leaves("refusal")
    assert (refusal["reason"], refusal["read"], refusal["where"]) == (reason, read, "outcomes")


def test_one_file_that_changes_each_round_uses_up_no_leaves(camera):
    """Else what comes after it left no trace, as with receipts."""
    read = camera.release()
    path = camera.folder / "receipts" / f"{read}.outcome"
    path.parent.mkdir(exist_ok=True)
    for number in range(3):
        path.unlink(missing_ok=True)
        path.write_bytes(b"odd %d" % number)
        camera.settle()
    (refusal,) = camera.leaves("refusal")
    assert refusal["read"] == read


def test_an_outcome_of_a_read_that_was_never_released_is_told_to_nobody(camera):
    camera.told("e" * 32)
    assert camera.leaves("outcome") == camera.leaves("refusal") == []


def test_a_link_in_place_of_an_outcome(camera):
    read = camera.release()
    (camera.folder / "receipts").mkdir(exist_ok=True)
    (camera.folder / "receipts" / f"{read}.outcome").symlink_to("/etc/hostname")
    camera.settle()
    camera.settle()
    assert [leaf["reason"] for leaf in camera.leaves("refusal")] == ["malformed"]
    assert len(OutcomeBox(camera.folder / "receipts", 4_096).strangers()) == 1


def test_an_outcome_beside_receipts_is_no_strange_file(camera):
    read = camera.release()
    camera.told(read)
    (camera.folder / "receipts" / f"{'f' * 32}.receipt").write_bytes(b"x")
    (camera.folder / "receipts" / "notes.outcome").write_bytes(b"x")
    receipts = ReceiptBox(camera.folder / "receipts", 4_096)
    assert receipts.strangers() == camera.box.strangers() == ("notes.outcome",)


class TestStopping:
    def test_so_many_false_leads_stop_the_rule_and_the_log_says_so(self, camera):
        camera.told(camera.release())
        assert camera.outcomes.stopped == frozenset()
        camera.told(camera.release(), Disposition.OUT_OF_DATE)
        assert camera.outcomes.stopped == {"stolen"}
        (refusal,) = camera.leaves("refusal")
        assert (refusal["reason"], refusal["rule"], refusal["false_leads"]) == (
            "false-leads",
            "stolen",
            2,
        )
        camera.told(camera.release())
        assert len(camera.leaves("refusal")) == 1

    @pytest.mark.parametrize("disposition", [Disposition.RIGHT_CAR, Disposition.NO_ACTION])
    def test_what_was_no_error_stops_nothing(self, camera, disposition):
        for _ in range(4):
            camera.told(camera.release(), disposition)
        assert camera.outcomes.stopped == frozenset()

    def test_another_rule_and_a_rule_without_a_limit_go_on(self, camera):
        for _ in range(4):
            camera.told(camera.release("other"))
        assert camera.outcomes.stopped == frozenset()

    def test_it_stays_stopped_after_a_restart_and_until_another_version(self, camera):
        for _ in range(2):
            camera.told(camera.release())
        database = camera.folder / "watch/log.sqlite"
        assert list(stopped_rules(database, 7)) == ["stolen"]
        camera.obey(2)
        assert camera.outcomes.stopped == {"stolen"}
        camera.obey(2, version=8)
        camera.settle()
        assert camera.outcomes.stopped == frozenset()
        assert list(stopped_rules(database, 8)) == []
        camera.told(camera.release())
        assert camera.outcomes.stopped == frozenset()  # those under version 7 do not count
        camera.told(camera.release())
        assert camera.outcomes.stopped == {"stolen"}

    def test_a_rule_that_a_crash_left_running_stops_at_the_next_start(self, camera):
        camera.obey(None)
        for _ in range(2):
            camera.told(camera.release())
        camera.obey(2)
        assert camera.outcomes.stopped == frozenset()
        camera.settle()
        assert camera.outcomes.stopped == {"stolen"}

    def test_leads_older_than_thirty_days_do_not_count(self, camera):
        camera.told(camera.release(at=NOON - 31 * DAY))
        camera.told(camera.release(at=NOON - 29 * DAY))
        assert camera.outcomes.stopped == frozenset()
        camera.told(camera.release())
        assert camera.outcomes.stopped == {"stolen"}

    def test_of_a_log_of_earlier_software_nothing_is_stopped(self, tmp_path):
        with open_log(tmp_path / "watch") as log:
            log.append("start", {})
        assert list(stopped_rules(tmp_path / "watch/log.sqlite", 7)) == []


def test_only_so_many_leads_are_remembered(camera, monkeypatch):
    monkeypatch.setattr(released_leads, "MOST", 3)
    reads = [camera.release() for _ in range(5)]
    assert list(ReleasedLeads(camera.log).unreported()) == reads[2:]


def test_only_so_many_outcomes_lie_there(tmp_path):
    box = OutcomeBox(tmp_path, 10, most=3)
    names = [f"{number:032x}" for number in range(5)]
    for age, name in enumerate(names):
        assert box.keep(name, b"x")
        os.utime(tmp_path / f"{name}.outcome", (age, age))
    assert sorted(path.stem for path in tmp_path.iterdir()) == names[2:]
    with pytest.raises(StorageError, match="too long"):
        box.keep("f" * 32, b"x" * 11)


class TestDeliver:
    def taken(self, *answers, device=CAMERA):
        log, box = FakeAuditLog(), FakeReceiptBox()
        refusals = Refusals(log, FakeClock(NOON))
        receipts = ReportedOutcomes(device, box, refusals).receipts_of(answers, VERIFIER)
        return list(receipts), box.outcomes, log

    def signed(self, read="a" * 32, signer=SIGNER):
        return signer.outcome(LeadOutcome(read, CAMERA, PD, Disposition.WRONG_STATE, NOON))

    def test_outcomes_are_kept_and_receipts_go_on(self):
        receipts, kept, _ = self.taken(b"a receipt", self.signed(), b"another")
        assert receipts == [b"a receipt", b"another"]
        assert kept == {"a" * 32: self.signed()}

    @pytest.mark.parametrize("device", [CAMERA, "cam-2"])
    def test_one_bad_outcome_costs_one(self, device):
        bad = self.signed(signer=RecipientSigner(OTHER))
        _, kept, log = self.taken(bad, bad, self.signed(), device=device)
        assert list(kept) == (["a" * 32] if device == CAMERA else [])
        reasons = [leaf["reason"] for leaf in log.details("refusal")]
        assert reasons[0] == "signature-invalid"
        assert len(reasons) == (1 if device == CAMERA else 2)


class TestDocument:
    HONEST = LeadOutcome("a" * 32, CAMERA, PD, Disposition.RIGHT_CAR, NOON)

    def test_there_and_back(self):
        assert parse_outcome(format_outcome(self.HONEST)) == self.HONEST
        assert VERIFIER.verify_outcome(SIGNER.outcome(self.HONEST)) == self.HONEST

    def test_a_receipt_is_no_outcome_and_the_reverse(self):
        as_receipt = sign_compact(KEY, "platewarden-receipt", format_outcome(self.HONEST))
        with pytest.raises(EnvelopeRefusedError):
            VERIFIER.verify_outcome(as_receipt)
        with pytest.raises(EnvelopeRefusedError):
            VERIFIER.verify(SIGNER.outcome(self.HONEST))
        assert claims_outcome(SIGNER.outcome(self.HONEST))
        assert not claims_outcome(as_receipt)
        assert OUTCOME_TYP == "platewarden-outcome"

    @pytest.mark.parametrize(
        ("document", "told"),
        [(b"[]", "outcome: "), (b"{}", "outcome: lacks at, ")],
    )
    def test_what_is_malformed_is_named_an_outcome(self, document, told):
        with pytest.raises(EnvelopeRefusedError) as refused:
            parse_outcome(document)
        assert str(refused.value).startswith(f"refused [malformed]: {told}")

    @pytest.mark.parametrize(
        "change",
        [
            (b'"right-car"', b'"found"'),
            (b'"right-car"', b'"right-car "'),
            (b'"v":1', b'"v":2'),
            (b'"v":1', b'"v":1,"plate":"X"'),
            (b'"cam-1"', b'"CAM 1"'),
            (b"aaaa", b"AAAA"),
        ],
    )
    def test_what_is_malformed(self, change):
        spoilt = format_outcome(self.HONEST).replace(*change)
        with pytest.raises(EnvelopeRefusedError) as refused:
            VERIFIER.verify_outcome(sign_compact(KEY, OUTCOME_TYP, spoilt))
        assert refused.value.reason == Reason.MALFORMED

    def test_of_which_leads_nobody_was_to_be_stopped(self):
        false = {one.value for one in Disposition if one.false}
        assert false == {"wrong-plate", "wrong-state", "list-out-of-date"}


class TestReceiver:
    @pytest.fixture
    def enrolled(self, tmp_path):
        return Enrolled(tmp_path / "receiver")

    def stored(self, enrolled):
        sealed = enrolled.seal()
        with closing(enrolled.place.store()) as store:
            store.recover()
            store.add_all({hashlib.sha256(sealed.wire).hexdigest(): sealed}, enrolled.now.utc)
        return sealed.tags.read_id

    def test_what_is_reported_is_sent_with_the_recipient_s_signature(self, enrolled):
        read = self.stored(enrolled)
        report(enrolled.place, read, Disposition.WRONG_PLATE, enrolled.now)
        reports = LeadReports(enrolled.folder)
        ((device, outcome),) = reports.due(enrolled.now, again=True)
        assert device == DEVICE
        verifier = ReceiptVerifier({enrolled.place.recipient: enrolled.signing_key})
        told = verifier.verify_outcome(outcome)
        assert (told.read_id, told.device, told.disposition) == (read, DEVICE, "wrong-plate")
        assert list(reports.due(enrolled.now, again=False)) == []
        assert len(list(reports.due(enrolled.now, again=True))) == 1

    def test_it_is_sent_for_two_weeks(self, enrolled):
        report(enrolled.place, self.stored(enrolled), Disposition.NO_ACTION, enrolled.now)
        later = replace(enrolled.now, utc=enrolled.now.utc + timedelta(days=14))
        assert list(LeadReports(enrolled.folder).due(later, again=True)) == []

    def test_the_first_stands(self, enrolled):
        read = self.stored(enrolled)
        report(enrolled.place, read, Disposition.WRONG_PLATE, enrolled.now)
        with pytest.raises(UsageError, match="reported already: wrong-plate"):
            report(enrolled.place, read, Disposition.RIGHT_CAR, enrolled.now)

    def test_of_a_read_that_is_gone_one_says_the_camera(self, enrolled):
        with pytest.raises(UsageError, match="no such read"):
            report(enrolled.place, "b" * 32, Disposition.NO_ACTION, enrolled.now)
        with pytest.raises(UsageError, match="no camera of the city"):
            report(enrolled.place, "b" * 32, Disposition.NO_ACTION, enrolled.now, "cam-99")
        assert report(enrolled.place, "b" * 32, Disposition.NO_ACTION, enrolled.now, DEVICE)
        with pytest.raises(UsageError, match="is no read id"):
            report(enrolled.place, "../x", Disposition.NO_ACTION, enrolled.now, DEVICE)

    def test_a_damaged_file_costs_itself(self, enrolled):
        report(enrolled.place, self.stored(enrolled), Disposition.NO_ACTION, enrolled.now)
        (enrolled.folder / lead_reports.FOLDER / "x.outcome").write_bytes(b"no")
        reports = LeadReports(enrolled.folder)
        assert len(list(reports.due(enrolled.now, again=True))) == 1
        assert list(reports.odd()) == ["x.outcome"]


class Line:
    """A connection on which nothing comes until `stop_after` looks. `sent`: to whom, in order."""

    def __init__(self, clock, stop_after):
        self.clock, self.left, self.sent, self.service = clock, stop_after, [], None

    def next(self, _timeout_s):
        self.left -= 1
        self.clock.advance(service.LEFT_S)
        if self.left <= 0:
            self.service.stop()

    def publish_receipt(self, device, outcome):
        self.sent.append((device, outcome))

    def open(self):
        pass

    def close(self):
        pass


class Nothing:
    """An intake and a housekeeping that have nothing to do."""

    def __getattr__(self, _name):
        return lambda *_: []


def test_a_receiver_sends_what_was_reported_at_once_and_again_each_hour(tmp_path):
    enrolled = Enrolled(tmp_path / "receiver")
    clock = FakeClock(enrolled.now.utc)
    looks = round(2 * service.HOUSEKEEPING_S / service.LEFT_S)
    line = Line(clock, looks)
    running = service.Service(
        line, Nothing(), Nothing(), clock, service.Voice(print, print), LeadReports(enrolled.folder)
    )
    line.service = running
    report(enrolled.place, "b" * 32, Disposition.NO_ACTION, enrolled.now, DEVICE)
    running.run(lambda: "READY")
    assert len(line.sent) == 3  # when it is connected, and after each of two hours
    assert {device for device, _ in line.sent} == {DEVICE}


def test_every_disposition_is_documented():
    text = (ROOT / "docs/ref/sealed-read.md").read_text()
    assert [one for one in Disposition if f"`{one.value}`" not in text] == []
    assert LeafKind.OUTCOME in (ROOT / "docs/ref/audit-log.md").read_text()
