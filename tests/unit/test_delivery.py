"""Outbox → re-check → publish → receipt, with back-off: every branch, with fakes and a clock that
stands still.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from agent.core.time.instant import ClockTrust
from agent.delivery import (
    HOLD_WAIT_S,
    MAX_LOOKS_PER_PASS,
    MAX_REFUSAL_LEAVES_PER_HOUR,
    ODD_FILE_WAIT_S,
)
from tests.support.delivery_world import NOW, POLICE, SHERIFF, World, policy, rule


@pytest.fixture
def world() -> World:
    return World()


class TestPublishing:
    def test_a_read_is_published_whole_to_its_recipient_until_its_deadline(self, world) -> None:
        sealed = world.seal()
        result = world.run()
        (published,) = world.publisher.published
        assert (published.recipient, published.read_id, published.wire, published.expires) == (
            POLICE,
            sealed.tags.read_id,
            sealed.wire,
            sealed.tags.deadline,
        )
        assert (result.waiting, result.published, result.receipts, result.trouble) == (1, 1, 0, "")

    def test_publishing_removes_nothing(self, world) -> None:
        sealed = world.seal()
        world.run()
        assert list(world.outbox.pending()) == [sealed.tags.read_id]

    def test_back_off_doubles_from_five_seconds_to_ten_minutes(self, world) -> None:
        world.seal()
        times: list[float] = []
        for _ in range(600):
            before = len(world.publisher.published)
            world.run()
            if len(world.publisher.published) > before:
                times.append(world.clock.elapsed_s)
            world.clock.advance(5)
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert gaps[:7] == [5, 10, 20, 40, 80, 160, 320]
        assert set(gaps[7:]) == {480}  # with the greatest jitter: 600

    def test_back_off_survives_a_restart(self, world) -> None:
        world.seal()
        world.run()
        world.restart()
        world.run()
        assert len(world.published()) == 1
        world.clock.advance(5)
        world.run()
        assert len(world.published()) == 2

    def test_a_clock_put_back_does_not_hold_a_read_for_ever(self, world) -> None:
        world.seal(
            captured_at=NOW - timedelta(days=1),
            epoch=date(2027, 2, 3),
            deadline=datetime(2027, 2, 4, tzinfo=UTC),
        )
        world.run()
        world.clock.utc -= timedelta(days=30)
        world.clock.advance(5)  # back-off runs by the clock that nobody can put back
        world.run()
        assert len(world.published()) == 2
        world.clock.utc -= timedelta(days=30)
        world.restart()  # what is left of it is kept in the other clock's time, and not believed
        world.run()
        assert len(world.published()) == 3

    def test_a_broker_out_of_reach_is_no_try_and_is_asked_once_a_pass(self, world) -> None:
        for _ in range(5):
            world.seal()
        world.publisher.reachable = False
        world.run()
        result = world.run()
        assert "connection refused" in result.trouble
        assert world.publisher.attempts == 2  # once a pass, not once a read
        world.publisher.reachable = True
        assert world.run().published == 5

    def test_one_recipients_dead_broker_does_not_hold_up_another(self, world) -> None:
        for _ in range(3):
            world.seal(POLICE)
        other = world.seal(SHERIFF)
        world.publisher.denied = frozenset({POLICE})
        world.run()
        assert world.published() == [other.tags.read_id]

    def test_a_pass_is_bounded_and_the_next_goes_on(self, world) -> None:
        for _ in range(MAX_LOOKS_PER_PASS + 7):
            world.seal()
        assert world.run().published == MAX_LOOKS_PER_PASS
        assert world.run().published == 7

    def test_stopping_is_asked_before_every_publication(self, world) -> None:
        for _ in range(5):
            world.seal()
        world.run(stopping=lambda: len(world.publisher.published) >= 2)
        assert len(world.published()) == 2

    def test_progress_is_told_of_each_publication_and_of_no_failure(self, world) -> None:
        world.seal()
        world.seal()
        world.run()
        assert world.progress == 2
        world.publisher.reachable = False
        world.clock.advance(60)
        world.run()
        assert world.progress == 2

    def test_a_read_that_watch_takes_away_meanwhile_is_no_error(self, world) -> None:
        sealed = world.seal()
        listed = list(world.outbox.pending())
        world.outbox.pending = lambda: listed
        del world.outbox.wires[sealed.tags.read_id]
        assert world.run().published == 0
        assert world.refusals() == []


class TestReauthorisation:
    @pytest.mark.parametrize(
        ("today", "reason"),
        [
            (policy(SHERIFF), "rule-not-in-policy"),
            (policy(releases=(rule(POLICE, purpose="another-purpose"),)), "purpose-not-in-policy"),
            (
                policy(releases=(rule(POLICE, categories=frozenset({"amber-alert"})),)),
                "category-not-released",
            ),
            (policy(releases=(rule(POLICE, retention_days=2),)), "retention-not-permitted"),
            (policy(brokers=()), "no-broker-for-recipient"),
        ],
    )
    def test_what_the_policy_of_today_forbids_is_withdrawn_once_and_for_good(
        self, world, today, reason
    ) -> None:
        sealed = world.seal()
        world.policy = today
        world.run()
        world.run()
        world.restart()
        world.policy = policy()  # permitted again: too late
        world.run()
        assert world.published() == []
        (leaf,) = world.log.details("withdrawal")
        assert (leaf["reason"], leaf["read"], leaf["recipient"]) == (
            reason,
            sealed.tags.read_id,
            POLICE,
        )
        # watch removes it, not deliver
        assert list(world.outbox.pending()) == [sealed.tags.read_id]

    def test_a_read_past_its_deadline_is_not_published_any_more(self, world) -> None:
        world.seal()
        world.run()
        world.clock.advance(22 * 86400)
        world.run()
        assert len(world.published()) == 1
        assert [leaf["reason"] for leaf in world.log.details("expired")] == ["deadline-passed"]

    def test_an_untrusted_clock_holds_reads_and_withdraws_none(self, world) -> None:
        world.seal()
        world.clock.trust = ClockTrust.UNTRUSTED
        world.run()
        world.run()
        assert world.published() == []
        assert world.log.kinds() == ["refusal"]
        world.clock.trust = ClockTrust.OS
        world.clock.advance(HOLD_WAIT_S)
        assert world.run().published == 1

    def test_a_policy_not_in_force_holds_reads(self, world) -> None:
        world.seal()
        world.policy = policy(effective=date(2027, 1, 20))
        world.run()
        assert world.published() == []
        assert world.log.details("withdrawal") == []


class TestOddFiles:
    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (lambda wire: b"", "malformed"),
            (lambda wire: wire[:40], "malformed"),
            (lambda wire: wire.replace(b"exampleville", b"elsewherevil"), "signature-invalid"),
            (lambda wire: b"\x00" * 500, "malformed"),
            (lambda wire: wire + b"x" * 70_000, "malformed"),
        ],
        ids=["empty", "half-written", "altered", "noise", "too-large"],
    )
    def test_one_refusal_each_never_published_and_the_next_read_goes_out(
        self, world, spoil, reason
    ) -> None:
        bad = world.seal()
        world.outbox.wires[bad.tags.read_id] = spoil(bad.wire)
        good = world.seal()
        for _ in range(3):
            world.run()
        assert world.published() == [good.tags.read_id]
        assert world.refusals() == [reason]

    def test_a_genuine_read_under_another_name_is_refused(self, world) -> None:
        sealed = world.seal()
        world.outbox.wires["f" * 32] = sealed.wire
        world.run()
        assert world.published() == [sealed.tags.read_id]
        assert world.refusals() == ["malformed"]

    def test_another_cameras_read_is_refused(self, world) -> None:
        world.seal(device="cam-8")
        world.run()
        assert world.published() == []
        assert world.refusals() == ["device-not-enrolled"]

    def test_a_file_that_cannot_be_read_is_tried_again_in_case_somebody_repairs_it(
        self, world
    ) -> None:
        sealed = world.seal()
        world.outbox.wires[sealed.tags.read_id] = b"x" * 70_000
        world.run()
        world.outbox.wires[sealed.tags.read_id] = sealed.wire
        world.clock.advance(ODD_FILE_WAIT_S)
        world.run()
        assert world.published() == [sealed.tags.read_id]

    def test_a_file_that_changes_after_its_signature_was_good_is_not_published(self, world) -> None:
        sealed = world.seal()
        world.run()
        world.outbox.wires[sealed.tags.read_id] = sealed.wire.replace(b"stolen", b"golden")
        world.clock.advance(5)
        world.run()
        assert len(world.published()) == 1
        assert world.refusals() == ["malformed"]

    def test_strangers_are_refused_once_by_name(self, world) -> None:
        world.outbox.odd_names = ["core.1234", "evil\u202e.sealed"]
        for _ in range(45):
            world.run()
        assert sorted(leaf["file"] for leaf in world.log.details("refusal")) == [
            "core.1234",
            "evil?.sealed",
        ]

    def test_a_flood_of_strangers_is_bounded_and_counted(self, world) -> None:
        world.outbox.odd_names = [f"stranger-{n}" for n in range(3000)]
        world.run()
        assert len(world.refusals()) == MAX_REFUSAL_LEAVES_PER_HOUR
        world.clock.advance(3600)
        world.run()
        assert world.log.details("counts")[0]["counts"] == {"refused malformed": 3000}

    def test_no_leaf_repeats_the_content_of_an_odd_file(self, world) -> None:
        bad = world.seal()
        world.outbox.wires[bad.tags.read_id] = b"SECRET-CONTENT" * 10
        world.run()
        assert "SECRET-CONTENT" not in str(world.log.leaves)


class TestReceipts:
    def test_a_receipt_is_kept_for_watch_byte_for_byte_and_stops_publishing(self, world) -> None:
        sealed = world.seal()
        world.run()
        world.publisher.arrive(world.receipt(sealed))
        assert world.run().receipts == 1
        assert world.box.receipts == {sealed.tags.read_id: world.receipt(sealed)}
        (leaf,) = world.log.details("receipt")
        assert (leaf["read"], leaf["outcome"], leaf["tries"]) == (sealed.tags.read_id, "stored", 1)
        world.clock.advance(3600)
        world.run()
        assert len(world.published()) == 1

    def test_a_read_that_is_due_when_its_receipt_comes_is_not_sent_once_more(self, world) -> None:
        sealed = world.seal()
        world.run()
        world.clock.advance(60)
        world.publisher.arrive(world.receipt(sealed))
        world.run()
        assert len(world.published()) == 1

    def test_a_rejection_is_a_receipt_too_so_that_a_poison_read_cannot_loop(self, world) -> None:
        sealed = world.seal()
        world.run()
        world.publisher.arrive(world.receipt(sealed, outcome="rejected:decryption-failed"))
        world.run()
        world.clock.advance(3600)
        world.run()
        assert len(world.published()) == 1
        assert world.log.details("receipt")[0]["outcome"] == "rejected:decryption-failed"

    def test_repeated_receipts_make_one_leaf(self, world) -> None:
        sealed = world.seal()
        world.run()
        for _ in range(5):
            world.publisher.arrive(world.receipt(sealed))
        world.run()
        world.publisher.arrive(world.receipt(sealed))
        world.run()
        assert len(world.log.details("receipt")) == 1

    def test_once_watch_has_removed_the_read_the_receipt_goes_too(self, world) -> None:
        sealed = world.seal()
        world.run()
        world.publisher.arrive(world.receipt(sealed))
        world.run()
        del world.outbox.wires[sealed.tags.read_id]
        world.run()
        assert world.box.receipts == {}
        assert world.attempts.tries(sealed.tags.read_id) == 0
        world.publisher.arrive(world.receipt(sealed))  # late, once more
        world.run()
        assert world.box.receipts == {}
        assert world.refusals() == []

    @pytest.mark.parametrize(
        "wrong",
        [{"wire_sha256": "0" * 64}, {"device": "cam-8"}, {"recipient": SHERIFF}],
        ids=["other bytes", "another device", "another recipient"],
    )
    def test_a_receipt_that_does_not_fit_is_refused(self, world, wrong) -> None:
        sealed = world.seal()
        world.run()
        world.publisher.arrive(world.receipt(sealed, **wrong))
        world.run()
        assert world.box.receipts == {}
        assert world.refusals() == ["receipt-mismatch"]

    def test_forged_receipts_are_one_leaf_and_a_count(self, world) -> None:
        sealed = world.seal()
        world.run()
        for n in range(1000):
            world.publisher.arrive(b"noise %d" % n)
            world.publisher.arrive(world.receipt(sealed).replace(b"stored", b"stolen"))
        world.run()
        assert sorted(world.refusals()) == ["malformed", "signature-invalid"]
        world.delivery.refusals.write_counts(now=True)
        counts = world.log.details("counts")[0]["counts"]
        assert (counts["refused malformed"], counts["refused signature-invalid"]) == (1000, 1000)
        assert list(world.outbox.pending()) == [sealed.tags.read_id]

    def test_if_the_receipt_is_lost_with_its_file_it_is_asked_for_again(self, world) -> None:
        sealed = world.seal()
        world.run()
        world.publisher.arrive(world.receipt(sealed))
        world.run()
        world.box.receipts.clear()
        world.clock.advance(10)
        world.run()
        assert len(world.published()) == 2

    def test_a_silent_hour_is_a_leaf_too(self, world) -> None:
        world.run()
        world.clock.advance(3600)
        world.run()
        assert world.log.details("counts")[0]["counts"] == {}
