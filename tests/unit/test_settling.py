"""Settling: a read leaves the outbox on its own verified receipt, on expiry or by withdrawal, each
with its leaf; on nothing else.
"""

import hashlib
from dataclasses import replace
from datetime import date, timedelta

import pytest

from agent import settlement
from agent.core.policy.policy import Release
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust, Instant
from agent.core.wire.receipt import Receipt
from agent.outcomes import odd_files
from agent.settlement import Settler
from tests.fakes.audit import FakeAuditLog
from tests.fakes.sealing import FakeSealer
from tests.fakes.storage import FakeOutbox, FakeReceiptBox
from tests.fakes.verifying import FakeReceiptVerifier, fake_receipt
from tests.support.judging import NOON, instant, match, policy, recipient, rule, sighting

DAY = 86_400


class Scene:
    """An outbox with `count` sealed reads, and a settler over fakes."""

    def __init__(self, count=1, in_force=None):
        self.log = FakeAuditLog()
        self.outbox, self.receipts = FakeOutbox(self.log), FakeReceiptBox()
        self.sealer = FakeSealer("cam-1")
        self.sealed = []
        for _ in range(count):
            sealed = self.sealer.seal(
                sighting("PWD0001"), RELEASE, self.outbox.next_sequence("town-pd")
            )
            self.outbox.put(sealed)
            self.sealed.append(sealed)
        self.settler = self.new_settler(in_force or policy())

    def new_settler(self, in_force):
        return Settler(
            in_force,
            self.outbox,
            self.receipts,
            FakeReceiptVerifier({"town-pd"}),
            self.log,
        )

    def receipt(self, number=0, **changes):
        """The honest receipt of one read, or a changed one, put into the box under the read's
        name.
        """
        sealed = self.sealed[number]
        honest = Receipt(
            sealed.tags.read_id,
            hashlib.sha256(sealed.wire).hexdigest(),
            "cam-1",
            "town-pd",
            "stored",
            NOON + timedelta(minutes=1),
        )
        self.receipts.put(sealed.tags.read_id, fake_receipt(replace(honest, **changes)))

    @property
    def waiting(self):
        return self.outbox.pending()


RELEASE = Release(
    "stolen",
    "town-pd",
    "stolen-vehicle-recovery",
    21,
    frozenset({"plate"}),
    match(),
    "Town policy",
    7,
    "ab" * 32,
)


def test_without_a_receipt_a_read_stays():
    scene = Scene(2)
    for minutes in range(5):
        scene.settler.settle(instant(60 * minutes))
    assert len(scene.waiting) == 2
    assert scene.log.kinds() == ["release"] * 2


def test_a_read_leaves_on_its_receipt_and_the_leaf_says_so():
    scene = Scene(2)
    scene.receipt(1)
    scene.settler.settle(instant(120))
    assert scene.waiting == [scene.sealed[0].tags.read_id]
    (leaf,) = scene.log.details("receipt")
    wire = scene.sealed[1].wire
    assert (leaf["read"], leaf["outcome"], leaf["recipient"], leaf["sequence"]) == (
        scene.sealed[1].tags.read_id,
        "stored",
        "town-pd",
        2,
    )
    assert leaf["sha256"] == hashlib.sha256(wire).hexdigest()
    # The receipt still lies there: deliver tidies it away, and it tells nothing new.
    scene.settler.settle(instant(121))
    assert scene.log.kinds() == ["release", "release", "receipt"]
    assert list(scene.receipts.receipts)


def test_a_rejection_is_final_and_logged_with_its_reason():
    scene = Scene()
    scene.receipt(outcome="rejected:decryption-failed")
    scene.settler.settle(instant(120))
    assert scene.waiting == []
    assert scene.log.details("receipt")[0]["outcome"] == "rejected:decryption-failed"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"read_id": "f" * 32}, "read"),
        ({"wire_sha256": "0" * 64}, "bytes"),
        ({"device": "cam-2"}, "device"),
    ],
)
def test_a_receipt_for_something_else_is_refused_once_and_empties_nothing(changes, what):
    scene = Scene()
    scene.receipt(**changes)
    for seconds in range(3):
        scene.settler.settle(instant(seconds))
    assert len(scene.waiting) == 1
    (leaf,) = scene.log.details("refusal")
    assert (leaf["reason"], leaf["what"], leaf["where"]) == (
        "receipt-mismatch",
        f"a receipt for another {what}",
        "receipts",
    )


def test_the_receipt_of_another_listed_recipient_does_not_count():
    scene = Scene()
    scene.settler = Settler(
        policy(),
        scene.outbox,
        scene.receipts,
        FakeReceiptVerifier({"town-pd", "sheriff"}),
        scene.log,
    )
    scene.receipt(recipient="sheriff")
    scene.settler.settle(instant(1))
    assert len(scene.waiting) == 1
    assert scene.log.details("refusal")[0]["what"] == "a receipt for another recipient"


@pytest.mark.parametrize("forged", [b"", b"PUBACK", b"{}\n" + b"0" * 64, bytes(range(256))])
def test_forged_receipts_are_refused_once_and_an_honest_one_is_still_taken(forged):
    scene = Scene()
    scene.receipts.receipts[scene.waiting[0]] = forged
    scene.settler.settle(instant(1))
    scene.settler.settle(instant(2))
    assert len(scene.waiting) == len(scene.log.details("refusal")) == 1
    scene.receipt()
    scene.settler.settle(instant(3))
    assert scene.waiting == []


def test_too_large_a_receipt_is_refused_once():
    scene = Scene()
    scene.receipts.receipts[scene.sealed[0].tags.read_id] = b"x" * 5_000
    for seconds in range(3):
        scene.settler.settle(instant(seconds))
    assert len(scene.waiting) == 1
    assert [leaf["reason"] for leaf in scene.log.details("refusal")] == ["malformed"]


def test_a_receipt_signed_by_nobody_whom_the_policy_lists_is_refused():
    scene = Scene()
    scene.receipt(recipient="us-dhs-cbp")
    scene.settler.settle(instant(1))
    assert len(scene.waiting) == 1
    assert scene.log.details("refusal")[0]["reason"] == "recipient-not-in-policy"


def test_receipts_for_unknown_reads_are_of_no_interest():
    scene = Scene()
    scene.receipts.put("e" * 32, b"whatever")
    scene.settler.settle(instant(1))
    assert scene.log.kinds() == ["release"]


def test_a_flood_of_forged_receipts_cannot_fill_the_log(monkeypatch):
    monkeypatch.setattr(odd_files, "MAX_REFUSALS", 30)
    scene = Scene(40)
    for read_id in scene.waiting:
        scene.receipts.receipts[read_id] = b"forged"
    scene.settler.settle(instant(1))
    assert len(scene.log.details("refusal")) == 30
    scene.receipt()
    scene.settler.settle(instant(2))
    assert len(scene.waiting) == 39


def test_a_file_altered_every_round_does_not_use_up_the_leaves_of_others():
    """Deliver could hide a forged receipt behind a thousand changes of another one."""
    scene = Scene(2)
    altered, forged = scene.waiting
    for number in range(odd_files.MAX_REFUSALS + 200):
        scene.receipts.receipts[altered] = b"altered %d" % number
        scene.settler.settle(instant(1))
    scene.receipts.receipts[forged] = b"forged"
    scene.settler.settle(instant(2))
    assert [(leaf["where"], leaf["read"]) for leaf in scene.log.details("refusal")] == [
        ("receipts", altered),
        ("receipts", forged),
    ]


def test_a_second_reason_for_the_same_file_has_a_leaf_of_its_own():
    scene = Scene()
    read_id = scene.waiting[0]
    scene.receipts.receipts[read_id] = b"forged"
    scene.settler.settle(instant(1))
    scene.receipt(wire_sha256="0" * 64)
    scene.settler.settle(instant(2))
    assert [leaf["reason"] for leaf in scene.log.details("refusal")] == [
        "malformed",
        "receipt-mismatch",
    ]


def test_expiry_takes_a_read_out_and_a_receipt_in_time_comes_first():
    scene = Scene(2)
    scene.receipt(0)
    scene.settler.settle(instant(21 * DAY))
    assert scene.waiting == []
    assert [kind for kind in scene.log.kinds() if kind != "release"] == ["receipt", "expired"]
    assert scene.log.details("expired")[0]["reason"] == "deadline-passed"


@pytest.mark.parametrize(
    ("newer", "reason"),
    [
        (policy(rule(rule="other")), Reason.RULE_NOT_IN_POLICY),
        (policy(rule(recipient="sheriff")), Reason.RECIPIENT_NOT_IN_POLICY),
        (policy(rule(retention_days=7)), Reason.RETENTION_NOT_PERMITTED),
        (
            policy(recipients={"town-pd": recipient(expires=date(2026, 11, 22))}),
            Reason.RECIPIENT_EXPIRED,
        ),
    ],
)
def test_what_the_policy_in_force_no_longer_permits_is_withdrawn_with_the_reason(newer, reason):
    scene = Scene(2)
    scene.new_settler(replace(newer, version=8)).settle(instant(60))
    assert scene.waiting == []
    assert [
        (leaf["reason"], leaf["policy_version"]) for leaf in scene.log.details("withdrawal")
    ] == [(reason.value, 8)] * 2


def test_while_no_policy_is_in_force_reads_wait_for_the_next_one():
    scene = Scene(in_force=policy(expires=date(2026, 11, 22)))
    scene.settler.settle(instant(60))
    assert len(scene.waiting) == 1
    scene.settler.settle(instant(22 * DAY))  # … until their deadline
    assert scene.log.kinds() == ["release", "expired"]


def test_an_untrusted_clock_takes_nothing_out_but_what_is_received():
    scene = Scene(2)
    scene.receipt(0)
    scene.settler.settle(instant(400 * DAY, ClockTrust.UNTRUSTED))
    assert scene.waiting == [scene.sealed[1].tags.read_id]


def test_a_jump_forward_expires_nothing_until_powered_on_time_has_reached_the_deadline():
    scene = Scene()
    jumped = Instant(NOON + timedelta(days=400), ClockTrust.UNTRUSTED, NOON + timedelta(days=20))
    scene.settler.settle(jumped)
    assert len(scene.waiting) == 1
    # A clock that nothing vouches for, where there are no bundles.
    scene.settler.settle(replace(jumped, trust=ClockTrust.OS))
    assert len(scene.waiting) == 1
    scene.settler.settle(replace(jumped, at_least=NOON + timedelta(days=21)))
    assert scene.log.kinds() == ["release", "expired"]


def test_what_was_received_does_not_expire_although_the_round_did_not_ask_for_its_receipt():
    scene = Scene(2)
    scene.receipts.arrived = lambda _waiting: ()  # a round asks for a part only
    scene.receipt(1)
    scene.settler.settle(instant(400 * DAY))
    assert scene.log.kinds() == ["release", "release", "expired", "receipt"]


def test_what_lies_in_the_outbox_decides_nothing_the_ledger_does():
    """A file that somebody altered or planted is deliver's to refuse; the receipt is for what was
    released.
    """
    scene = Scene(2)
    scene.outbox.wires[scene.sealed[0].tags.read_id] += b"?"
    scene.outbox.wires["d" * 32] = scene.sealed[1].wire
    scene.receipt(0)
    for seconds in range(3):
        scene.settler.settle(instant(seconds))
    assert list(scene.outbox.waiting()) == [scene.sealed[1].tags.read_id]
    assert scene.log.kinds() == ["release", "release", "receipt"]


class TestAtRest:
    """With thousands of reads waiting, a round in which nothing happens does nothing."""

    @pytest.fixture
    def judged(self, monkeypatch):
        """The ids of the reads that the policy was asked about."""
        asked = []
        ask = settlement.may_publish

        def counted(tags, policy, now):
            asked.append(tags.read_id)
            return ask(tags, policy, now)

        monkeypatch.setattr(settlement, "may_publish", counted)
        return asked

    def test_each_read_is_judged_once_not_every_second(self, judged):
        scene = Scene(50)
        for seconds in range(10):
            scene.settler.settle(instant(seconds))
        assert len(judged) == 50
        late = scene.sealer.seal(sighting("PWD0001"), RELEASE, 51)
        scene.outbox.put(late)
        scene.settler.settle(instant(10))
        scene.settler.settle(instant(11))
        assert judged[50:] == [late.tags.read_id]

    @pytest.mark.parametrize(
        "later",
        [
            Instant(NOON + timedelta(days=1), ClockTrust.OS, NOON),
            Instant(NOON, ClockTrust.TRUSTED, NOON),
            Instant(NOON, ClockTrust.OS, NOON + timedelta(days=1)),
        ],
        ids=["another day", "another trust", "another day that is sure"],
    )
    def test_all_are_judged_again_when_the_answer_could_be_another(self, judged, later):
        scene = Scene(5)
        scene.settler.settle(Instant(NOON, ClockTrust.OS, NOON))
        scene.settler.settle(later)
        assert len(judged) == 10

    def test_the_end_of_a_recipients_authority_is_noticed_on_its_day(self):
        ending = policy(recipients={"town-pd": recipient(expires=date(2026, 11, 24))})
        scene = Scene(in_force=ending)
        scene.settler.settle(instant(1))
        scene.settler.settle(instant(DAY))
        assert len(scene.waiting) == 1
        scene.settler.settle(instant(2 * DAY))
        assert scene.log.kinds() == ["release", "withdrawal"]

    def test_a_refused_receipt_is_opened_again_and_verified_once(self, monkeypatch):
        verified = []
        verify = FakeReceiptVerifier.verify
        monkeypatch.setattr(
            FakeReceiptVerifier,
            "verify",
            lambda self, receipt: verified.append(receipt) or verify(self, receipt),
        )
        scene = Scene(3)
        scene.receipt(1, device="cam-2")
        for seconds in range(5):
            scene.settler.settle(instant(seconds))
        assert len(verified) == 1

    def test_only_what_arrived_is_opened(self):
        scene = Scene(50)
        scene.receipts.receipts |= {f"{number:032x}": b"strange" for number in range(500)}
        scene.receipt(7)
        scene.settler.settle(instant(1))
        assert scene.receipts.opened == 1
        assert len(scene.waiting) == 49

    def test_what_has_left_is_forgotten(self):
        scene = Scene(20)
        for read_id in scene.waiting:
            scene.receipts.receipts[read_id] = b"forged"
        scene.settler.settle(instant(1))
        for number in range(20):
            scene.receipt(number)
        scene.settler.settle(instant(2))
        assert scene.waiting == []
        late = scene.sealer.seal(sighting("PWD0001"), RELEASE, 21)
        scene.outbox.put(late)
        scene.settler.settle(instant(3))
        settler = scene.settler
        assert settler._judged == {late.tags.read_id}
        assert (settler._odd._refused, settler._odd._told) == ({}, set())


def test_leaves_say_whose_read_it_was_and_by_what_rule():
    scene = Scene(2)
    scene.receipt(0)
    scene.settler.settle(instant(1))
    [received] = scene.log.details("receipt")
    assert received["received"] == "2026-11-22T12:01:00.000Z"
    scene.new_settler(policy(rule(rule="other"), version=8)).settle(instant(60))
    [withdrawn] = scene.log.details("withdrawal")
    own = {"n", "at", "clock", "kind", "read"}
    assert {name: withdrawn[name] for name in withdrawn.keys() - own} == {
        "recipient": "town-pd",
        "sequence": 2,
        "rule": "stolen",
        "reason": "rule-not-in-policy",
        "policy_version": 8,
    }
