"""Real brokers that deny one recipient, limit sizes, or are killed under load: one read waits by
itself, everything else arrives, and no process ends.
"""

import time

import pytest

from agent.core.log.fate import Fate
from tests.contracts.test_publisher import ACL, DENIED, SOON
from tests.support.city_network import DEVICE, RECIPIENT, broker, fates, publisher
from tests.support.delivery_rig import Recipient, Rig
from tests.support.mosquitto import Mosquitto
from tests.support.pki import HOST
from tests.support.receiving import Service

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(ca):
    return ca.server(hosts=(HOST, "127.0.0.1"))


def handed_over(sender, reads) -> dict:
    """Hand all over as there is room, and wait for what becomes of them."""
    found = {}
    end_s = time.monotonic() + 30
    waiting = list(reads)
    while waiting or len(found) < len(reads):
        assert time.monotonic() < end_s, found
        while waiting and sender.publish(*waiting[0]):
            waiting.pop(0)
        found |= {outcome.read_id: outcome for outcome in sender.collect(0.05)}
    return found


def test_an_access_list_that_denies_one_recipient_keeps_the_other_from_nothing(
    ca, server, tmp_path
) -> None:
    with Mosquitto(tmp_path / "broker", server, client_ca=ca, acl=ACL) as real:
        listed = broker(server, ("127.0.0.1", real.port), recipients=frozenset({RECIPIENT, DENIED}))
        sender = publisher(ca, listed, client=ca.client(DEVICE))
        reads = [
            ((DENIED, RECIPIENT)[n % 2], f"{n:032x}", b"wire", SOON) for n in range(60)
        ]  # fmt: skip
        found = handed_over(sender, reads)
        assert {found[r[1]].fate for r in reads if r[0] == RECIPIENT} == {Fate.ACKNOWLEDGED}
        assert {found[r[1]].fate for r in reads if r[0] == DENIED} == {Fate.REFUSED}
        assert "Not authorized (135)" in found[reads[0][1]].words
        assert sender.troubles() == []
        sender.close()


@pytest.mark.parametrize("option", ["message_size_limit 30000", "max_packet_size 30000"])
def test_one_large_read_is_told_as_too_large_and_small_ones_arrive(
    ca, server, tmp_path, option
) -> None:
    with Mosquitto(tmp_path / "broker", server, options=[option]) as real:
        sender = publisher(ca, broker(server, ("127.0.0.1", real.port)))
        reads = [(RECIPIENT, f"{n:032x}", b"x" * 8_000, SOON) for n in range(30)]
        reads[7] = (RECIPIENT, reads[7][1], b"x" * 50_000, SOON)
        found = handed_over(sender, reads)
        large = found.pop(reads[7][1])
        assert large.fate is Fate.TOO_LARGE
        assert "a read of 50000 bytes is too large for the broker" in large.words
        if "packet" in option:
            assert "its limit: 30000 bytes" in large.words
        assert {outcome.fate for outcome in found.values()} == {Fate.ACKNOWLEDGED}
        assert fates(sender) == {}
        sender.close()


def test_a_broker_killed_under_load_ends_neither_deliver_nor_loses_a_read(tmp_path) -> None:
    rig = Rig(tmp_path)
    with Mosquitto(tmp_path / "broker", rig.server) as real:
        recipient = Recipient(rig, real.port)
        rig.write_policy(rig.policy(real.port))
        reads = set(rig.seal(100))
        with rig.deliver("--allow-unsigned") as deliver:
            end_s = time.monotonic() + 30
            while len(recipient.kept) < 10:
                assert time.monotonic() < end_s
                time.sleep(0.005)
            real.kill()
            real.start()
            rig.settle_until(lambda: not rig.waiting(), 60)
            assert deliver.stop() == 0, deliver.output()
        recipient.close()
        assert set(recipient.kept) == reads
        assert rig.refusals() == {}


def test_a_broker_killed_under_load_does_not_end_the_receiver(tmp_path) -> None:
    with Service(tmp_path) as service, service.start_receiver().wait_ready() as receiver:
        camera, reads = service.camera(), [service.enrolled.seal() for _ in range(80)]
        for sealed in reads:
            camera.client.publish(f"platewarden/1/reads/{RECIPIENT}", sealed.wire, qos=1)
        receiver.line()
        service.broker.kill()
        lost = receiver.complaint("connection lost")
        assert "another receiver" not in lost
        service.broker.start()
        receiver.complaint("connected again")
        camera.close()
        camera = service.camera()  # the killed broker has forgotten its subscription
        for sealed in reads:  # as the camera's deliver does
            camera.client.publish(f"platewarden/1/reads/{RECIPIENT}", sealed.wire, qos=1)
        wanted, end_s = {sealed.tags.read_id for sealed in reads}, time.monotonic() + 60
        while wanted:
            assert time.monotonic() < end_s
            wanted.discard(camera.receipt().read_id)
        assert receiver.process.poll() is None
        camera.close()
