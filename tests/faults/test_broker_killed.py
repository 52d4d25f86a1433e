"""The broker dies, lies or forgets; deliver dies: nothing that was released is lost, and the
recipient keeps each read once (P8).
"""

import signal
import time
from contextlib import contextmanager

import pytest

from tests.support.delivery_rig import Recipient, Rig
from tests.support.mosquitto import Mosquitto

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture
def rig(tmp_path) -> Rig:
    return Rig(tmp_path)


@contextmanager
def recipient_of(rig, broker, **how):
    recipient = Recipient(rig, broker.port, **how)
    try:
        yield recipient
    finally:
        recipient.close()


def wait_until(done, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


def test_a_broker_killed_twice_in_flight_loses_nothing(rig) -> None:
    with (
        Mosquitto(rig.folder / "broker", rig.server) as broker,
        recipient_of(rig, broker) as recipient,
    ):
        rig.write_policy(rig.policy(broker.port))
        reads = set(rig.seal(120))
        with rig.deliver("--allow-unsigned") as deliver:
            for arrived in (20, 70):
                wait_until(lambda arrived=arrived: len(recipient.kept) >= arrived)
                broker.kill()
                rig.settle()
                broker.start()
            rig.settle_until(lambda: not rig.waiting(), 60)
            assert deliver.stop() == 0, deliver.output()
        assert set(recipient.kept) == reads
        receipted = [leaf["read"] for leaf in rig.leaves() if leaf["kind"] == "receipt"]
        assert sorted(receipted) == sorted(reads)  # one leaf each, however often it was sent


def test_a_broker_that_acknowledges_and_throws_away_empties_nothing(rig) -> None:
    # They are acknowledged by a real broker, to which nobody subscribes.
    with Mosquitto(rig.folder / "broker", rig.server) as broker:
        rig.write_policy(rig.policy(broker.port))
        reads = set(rig.seal(3))
        with rig.deliver("--allow-unsigned", "--until-empty", "9") as deliver:
            assert deliver.finish() == 1
            assert "3 reads still wait for a receipt after 9 s" in deliver.output()
        assert rig.waiting() == reads
        published = sum(
            leaf["counts"]["published"] for leaf in rig.leaves() if leaf["kind"] == "counts"
        )
        assert published > 3  # each once, and after five seconds (and a little) again
        # At last somebody is there.
        with recipient_of(rig, broker) as recipient, rig.deliver("--allow-unsigned"):
            rig.settle_until(lambda: not rig.waiting(), 40)
            assert set(recipient.kept) == reads


def test_deliver_killed_in_flight_loses_nothing_and_starts_again(rig) -> None:
    with (
        Mosquitto(rig.folder / "broker", rig.server) as broker,
        recipient_of(rig, broker) as recipient,
    ):
        rig.write_policy(rig.policy(broker.port))
        reads = set(rig.seal(60))
        for arrived in (10, 30):
            with rig.deliver("--allow-unsigned") as deliver:
                wait_until(lambda arrived=arrived: len(recipient.kept) >= arrived)
                deliver.process.send_signal(signal.SIGKILL)
                deliver.process.wait(10)
        with rig.deliver("--allow-unsigned") as deliver:
            rig.settle_until(lambda: not rig.waiting(), 60)
            # Behind watch, deliver tidies up.
            rig.settle_until(lambda: not list(rig.receipts.glob("*.receipt")))
            assert deliver.stop() == 0, deliver.output()
        assert set(recipient.kept) == reads


def test_the_second_broker_takes_over_and_the_trouble_is_told(rig) -> None:
    with (
        Mosquitto(rig.folder / "broker", rig.server) as broker,
        recipient_of(rig, broker) as recipient,
    ):
        dead = Mosquitto(rig.folder / "dead", rig.server)  # listed first, never started
        rig.write_policy(rig.policy(dead.port, broker.port))
        reads = set(rig.seal(3))
        with rig.deliver("--allow-unsigned"):
            rig.settle_until(lambda: not rig.waiting())
        assert set(recipient.kept) == reads


def test_mutual_tls_with_a_real_broker(rig) -> None:
    rig.use_client_certificate()
    with (
        Mosquitto(rig.folder / "broker", rig.server, client_ca=rig.ca) as broker,
        recipient_of(rig, broker, credentials=rig.ca.client("recipient")) as recipient,
    ):
        rig.write_policy(rig.policy(broker.port))
        (read,) = rig.seal()
        with rig.deliver("--allow-unsigned"):
            rig.settle_until(lambda: not rig.waiting())
        assert set(recipient.kept) == {read}
