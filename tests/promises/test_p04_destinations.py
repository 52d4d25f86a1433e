"""P4: unlisted destinations are refused at the source; a listed one only with its address, CA, pin
and host name.

The listener in these tests is real and would take the reads: what is asserted is that it never gets
a byte of MQTT.
"""

import re
import shutil
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from agent.core.policy.policy import Broker
from agent.errors import DestinationRefusedError
from agent.network.egress import Egress
from tests.support.city_network import RECIPIENT, broker, publisher, send
from tests.support.delivery_rig import Recipient, Rig
from tests.support.hostile import HostileBroker
from tests.support.mosquitto import ADDRESS, Mosquitto
from tests.support.pki import Authority

pytestmark = pytest.mark.broker


@pytest.fixture
def rig(tmp_path) -> Rig:
    return Rig(tmp_path)


def listen(client, hostile) -> None:
    while not hostile.stopping.is_set() and hostile.hear(client):
        pass


@contextmanager
def refused(rig: Rig, credentials, **policy):
    """Deliver with a read to send and a listener that answers as the listed broker; yields the
    refusal leaf, then the listener.
    """
    with HostileBroker(credentials, listen) as listener:
        rig.write_policy(rig.policy(listener.port, **policy))
        reads = set(rig.seal())
        with rig.deliver("--allow-unsigned") as deliver:
            rig.settle_until(rig.refusals)
            assert deliver.process.poll() is None
        (leaf,) = [leaf for leaf in rig.leaves() if leaf["kind"] == "refusal"]
        assert rig.waiting() == reads
        assert listener.clients >= 1
        yield leaf, listener


class TestTheListedBrokerIsSomebodyElse:
    def test_wrong_key(self, rig) -> None:
        stranger = rig.ca.server("stranger")  # same CA, same name, another key
        with refused(rig, stranger) as (leaf, listener):
            assert leaf["reason"] == "spki-pin-mismatch"
            assert (leaf["broker"], leaf["address"]) == (
                "city-hall-0",
                f"{ADDRESS}:{listener.port}",
            )
            assert listener.heard == b""

    def test_wrong_name(self, rig) -> None:
        with refused(rig, rig.server, host="mqtt.elsewhere.example") as (leaf, listener):
            assert leaf["reason"] == "certificate-invalid"
            assert listener.heard == b""

    def test_wrong_ca(self, rig, tmp_path) -> None:
        other = Authority(tmp_path / "other").server("stranger")
        with refused(rig, other, pin=other.pin_text) as (leaf, listener):
            assert leaf["reason"] == "certificate-invalid"
            assert listener.heard == b""

    def test_and_this_listener_would_have_heard_an_accepted_client(self, rig) -> None:
        with HostileBroker(rig.server, listen) as listener:
            rig.write_policy(rig.policy(listener.port))
            rig.seal()
            with rig.deliver("--allow-unsigned"):
                rig.settle_until(lambda: listener.heard)
        assert listener.heard[:1] == b"\x10"  # CONNECT: so the silence above means something


class TestBeforeASocketOpens:
    @pytest.mark.parametrize(
        "listed",
        [[], [Broker("city-hall", "h.example", ((ADDRESS, 1),), "", frozenset(), frozenset())]],
        ids=["nothing", "another port"],
    )
    def test_a_broker_whose_address_the_policy_does_not_list_is_never_dialled(
        self, tmp_path, listed
    ) -> None:
        ca = Authority(tmp_path)
        server = ca.server()
        told = []
        with HostileBroker(server, listen) as listener:
            sender = publisher(
                ca,
                broker(server, (ADDRESS, listener.port)),
                egress=Egress(listed),
                refused=lambda *what: told.append(what),
            )
            with pytest.raises(DestinationRefusedError) as refusal:
                send(sender, RECIPIENT, "0" * 32, b"wire", datetime.now(UTC))
            time.sleep(0.1)
            assert listener.clients == 0
        assert refusal.value.reason == "destination-not-in-policy"
        assert told == [("city-hall", f"{ADDRESS}:{listener.port}", "destination-not-in-policy")]

    def test_a_proxy_in_the_environment_is_refused_and_never_dialled(self, rig) -> None:
        with (
            HostileBroker(rig.server, listen) as proxy,
            Mosquitto(rig.folder / "broker", rig.server) as real,
        ):
            rig.write_policy(rig.policy(real.port))
            rig.seal()
            with rig.deliver(
                "--allow-unsigned", environment={"MQTT_PROXY": f"http://{ADDRESS}:{proxy.port}"}
            ) as deliver:
                assert deliver.finish() == 3
            assert "proxy-forbidden" in deliver.output()
            assert proxy.clients == 0
            assert "New connection" not in real.log()


def test_the_running_process_talks_to_the_listed_address_and_to_nothing_else(rig) -> None:
    """What the kernel saw: no name look-up, no datagram, no listening door, one destination."""
    if shutil.which("strace") is None:
        pytest.fail("strace is not installed; type: sudo apt install strace")
    trace = rig.folder / "trace"
    with Mosquitto(rig.folder / "broker", rig.server) as real:
        rig.write_policy(rig.policy(real.port))
        rig.seal(3)
        recipient = Recipient(rig, real.port)
        with rig.deliver(
            "--allow-unsigned",
            "--until-empty",
            "30",
            under=("strace", "-f", "-qq", "-e", "trace=network", "-o", str(trace)),
        ) as deliver:
            rig.settle_until(lambda: not rig.waiting())
            assert deliver.finish() == 0, deliver.output()
        recipient.close()
    calls = trace.read_text()
    assert set(re.findall(r"socket\((\w+), (\w+)", calls)) == {("AF_INET", "SOCK_STREAM")}
    destinations = set(re.findall(r"connect\(\d+, (\{.*?\})", calls))
    assert destinations == {
        f'{{sa_family=AF_INET, sin_port=htons({real.port}), sin_addr=inet_addr("{ADDRESS}")}}'
    }
    assert not re.search(r"\b(sendto|sendmsg|sendmmsg)\(\d+, .*sa_family", calls)
    assert not re.search(r"\b(listen|accept|accept4)\(", calls)
    assert set(re.findall(r"bind\(\d+, \{(.*?)\}", calls)) <= {
        'sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("0.0.0.0")'
    }
