"""What a camera sends of its logs: the proof that they have grown, between two users who trust each
other's files in nothing.
"""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.log.checkpoint import Checkpoint, NoteSignature, note, parse_note
from agent.core.log.collected import Answer, format_answer, published_at
from agent.core.log.merkle import verify_consistency
from agent.core.log.tlog_proof import ConsistencyProof, format_proof, parse_proof
from agent.errors import EnvelopeRefusedError
from agent.storage.growth_mailbox import GROWTH_EVERY_S, GrowthWriter, OwnGrowth, WatchGrowth
from agent.storage.log_growth import answer_about, growth
from agent.storage.log_notes import verified_checkpoint
from tests.components.test_log_attacks import a_log, note_of, search
from tests.support.audit_logs import KEY, ORIGIN, OTHER_KEY, open_log, tamper
from tests.support.witness_logs import log_of

AT = datetime(2027, 1, 15, 8, tzinfo=UTC)
RAW = KEY.public_key().public_bytes_raw()


def tree(folder, size) -> Checkpoint:
    return verified_checkpoint(note_of(folder, size), ORIGIN, KEY.public_key())


def published(message) -> tuple[Checkpoint, ConsistencyProof | None]:
    proof = parse_proof(message) if message.startswith(b"old ") else None
    signed = verified_checkpoint(proof.note if proof else message, ORIGIN, KEY.public_key())
    assert published_at(signed.extensions) == AT
    return signed, proof


class TestGrowth:
    @search
    @given(size=st.integers(1, 40), data=st.data())
    def test_it_proves_that_the_log_has_grown_out_of_any_earlier_tree(self, tmp_path, size, data):
        folder = a_log(tmp_path / "watch", size)
        since = tree(folder, data.draw(st.integers(1, size)))
        with open_log(folder) as log:
            signed, proof = published(growth(log, since, AT))
        assert (signed.size, proof.old_size) == (size, since.size)
        assert verify_consistency(since.size, size, proof.path, since.root, signed.root)

    def test_the_first_time_there_is_nothing_to_prove(self, tmp_path):
        with open_log(a_log(tmp_path / "watch", 9)) as log:
            assert published(growth(log, None, AT))[1] is None

    def test_spoiled_nodes_prove_nothing_and_are_not_sent(self, tmp_path):
        folder = a_log(tmp_path / "watch", 9)
        since = tree(folder, 5)
        tamper(folder, "UPDATE checkpoint SET peaks = zeroblob(length(peaks)) WHERE size < 9")
        with open_log(folder) as log:
            assert published(growth(log, since, AT))[1] is None

    def test_an_answer_counts_where_the_log_had_that_tree(self, tmp_path):
        folder = a_log(tmp_path / "watch", 9)
        other = tree(a_log(tmp_path / "other", 9, copy=1), 5)
        with open_log(folder) as log:
            for said, counts in (
                (tree(folder, 5), True),
                (other, False),
                (Checkpoint(ORIGIN, 10, bytes(32)), False),
                (Checkpoint("platewarden/cam-test-2/watch", 5, tree(folder, 5).root), False),
            ):
                found = answer_about(log, format_answer(Answer(said)))
                assert found == (Answer(said) if counts else None)
            assert answer_about(log, b"hello") is None


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def monotonic_s(self) -> float:
        return self.seconds


@pytest.fixture
def places(tmp_path):
    (tmp_path / "outbox").mkdir()
    (tmp_path / "receipts").mkdir()
    return tmp_path / "outbox/watch.growth", tmp_path / "receipts/watch.collected"


class TestMailbox:
    def test_watch_writes_hourly_and_at_each_answer(self, tmp_path, places):
        source, shown = places
        deliver, clock = WatchGrowth(source, shown, ORIGIN, RAW), Clock()
        assert deliver.message() is None
        with open_log(log_of(tmp_path / "watch", 5)) as log:
            watch = GrowthWriter(
                source, shown, log, lambda: AT, clock.monotonic_s, tmp_path / "witnessed"
            )
            watch.write()
            first = deliver.message()
            assert published(first)[0].size == 5
            log.append("counts", {})
            watch.write()
            assert deliver.message() == first, "not yet"
            clock.seconds += GROWTH_EVERY_S
            watch.write()
            assert published(deliver.message())[0].size == 6
            said = format_answer(Answer(tree(tmp_path / "watch", 5)))
            assert deliver.answered(said)
            assert not deliver.answered(said), "it is no news"
            log.append("counts", {})
            watch.write()
            signed, proof = published(deliver.message())
            assert (signed.size, proof.old_size) == (7, 5)

    def test_an_answer_that_is_not_about_this_log_changes_nothing(self, tmp_path, places):
        source, shown = places
        other = tree(log_of(tmp_path / "other", 9, copy=1), 5)
        with open_log(log_of(tmp_path / "watch", 9)) as log:
            watch = GrowthWriter(
                source, shown, log, lambda: AT, Clock().monotonic_s, tmp_path / "witnessed"
            )
            watch.write()
            for untrusted in (b"hello", format_answer(Answer(other)), b"\xff" * 60_000):
                shown.write_bytes(untrusted)
                watch.write()
                assert published(source.read_bytes())[1] is None

    def test_deliver_sends_what_watchs_key_signed_and_nothing_else(self, tmp_path, places):
        """Mitigates against: a watch that tells the city anything else by this way."""
        source, shown = places
        deliver = WatchGrowth(source, shown, ORIGIN, RAW)
        with open_log(log_of(tmp_path / "watch", 9)) as log:
            good = growth(log, tree(tmp_path / "watch", 5), AT)
            bare = growth(log, None, AT)
            floor = log.signed_with(("earlier 0", "sequence exampleville-pd 3"))
        with open_log(tmp_path / "theirs", OTHER_KEY) as log:
            log.append("start", {})
            foreign = growth(log, None, AT)
        taken = parse_note(bare)
        more = NoteSignature("example.org/more", b"more", b"TST 0042 in here")
        for bad in (
            b"",
            b"hello",
            floor,
            foreign,
            note(taken.signed, (*taken.signatures, more)),
            good.replace(b"old 5", b"old  5"),
            b"x" * 5_000,
        ):
            source.write_bytes(bad)
            with pytest.raises(EnvelopeRefusedError):
                deliver.message()
        for one in (good, bare):
            source.write_bytes(one)
            assert deliver.message() == one

    def test_delivers_own_log_remembers_the_answer(self, tmp_path):
        folder, kept = log_of(tmp_path / "deliver", 9), tmp_path / "collected"
        said = format_answer(Answer(tree(folder, 5)))
        with open_log(folder) as log:
            own = OwnGrowth(log, kept, lambda: AT)
            assert published(own.message())[1] is None
            assert own.answered(said)
            assert not own.answered(said)
            assert not own.answered(format_answer(Answer(Checkpoint(ORIGIN, 5, bytes(32)))))
            again = OwnGrowth(log, kept, lambda: AT)
            assert published(again.message())[1].old_size == 5


def test_a_proof_for_a_very_large_log_fits_a_message():
    path = tuple(bytes([number]) * 32 for number in range(63))
    assert len(format_proof(ConsistencyProof(10**17, path, b"x" * 1_000))) < 4_096
