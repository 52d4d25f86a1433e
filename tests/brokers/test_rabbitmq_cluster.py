"""RabbitMQ 4 on three nodes, as `broker init` sets it up: `make test-brokers`."""

import time

import pytest

from agent.broker.broker_check import Check, Client, Target
from agent.broker.broker_folder import CHECK
from agent.broker.names import CHECK_CAMERA, CHECK_RECIPIENT
from agent.core.camera.diagnosis_findings import Health
from agent.core.policy.policy import Broker
from agent.errors import NetworkError
from agent.mqtt.events import Session
from agent.mqtt.topics import reads_topic, receipts_topic
from agent.network import broker_link
from agent.network.broker_link import BrokerLink, LinkLimits
from agent.network.egress import Egress
from agent.network.policy_tls import context_for
from agent.receiver.connection import Connection
from agent.receiver.receiver_settings import BrokerSettings
from tests.brokers.rabbitmq_cluster import ADDRESSES, HOST, RabbitCluster, until
from tests.support.second_holder import holders, twenty_tries_in_vain

READS, RECEIPTS = reads_topic(CHECK_RECIPIENT), receipts_topic(CHECK_CAMERA)
COUNT = 200


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = RabbitCluster(tmp_path_factory.mktemp("rabbit") / "broker")
    made.others = holders(made.desk, tmp_path_factory.mktemp("others") / "certificates", HOST)
    with made:
        for address in ADDRESSES:
            assert until(lambda address=address: answers(made, address)), f"{address} is not up"
        time.sleep(5)  # the definitions are everywhere
        yield made


def target(cluster, address):
    desk = cluster.desk.folder
    ca = desk / "ca.pem"
    return Target(
        *(HOST, address, cluster.port, ca, ca.read_bytes(), desk / CHECK), cluster.desk.pin_digests
    )


def client(cluster, address, name, **session):
    asked = {"client_id": name, "clean_start": True} | session
    made = Client(target(cluster, address), name, Session(**asked))
    made.connect()
    return made


def answers(cluster, address):
    try:
        client(cluster, address, CHECK_CAMERA).close()
    except NetworkError:
        return False
    return True


def served(cluster, node):
    """Does it answer? A node whose start failed is started again."""
    node.again()
    return answers(cluster, node.address)


def files(cluster, name):
    return tuple(cluster.desk.folder / CHECK / f"{name}.{end}" for end in ("crt", "key"))


def listed(cluster):
    places = tuple((address, cluster.port) for address in ADDRESSES)
    return Broker("city", HOST, places, "ca.pem", cluster.desk.pin_digests, frozenset())


@pytest.fixture
def link(cluster):
    """A camera's, as deliver makes it; not connected."""
    broker = listed(cluster)
    ca_pem = (cluster.desk.folder / "ca.pem").read_bytes()
    context = context_for(broker, ca_pem, "broker", 60_000, files(cluster, CHECK_CAMERA))
    made = BrokerLink(broker, CHECK_CAMERA, context, Egress((broker,)), LinkLimits())
    yield made
    made.close()


@pytest.fixture
def recipient(cluster):
    """Elsewhere in the cluster than the camera."""
    made = client(cluster, ADDRESSES[1], CHECK_RECIPIENT)
    yield made
    made.close()


def queues(cluster):
    """Of cameras and recipients, by name: their kind."""
    rows = [row.split("\t") for row in cluster.nodes[0].told("list_queues name type").splitlines()]
    return {row[0]: row[1] for row in rows if row[0].startswith("mqtt-subscription-")}


def heard(link, within_s=5.0):
    """What came for the camera by then."""
    came, end_s = [], time.monotonic() + within_s
    while not came and time.monotonic() < end_s:
        link.poll()
        came += link.take_receipts()
        time.sleep(0.05)
    return came


def test_a_camera_as_deliver_connects_it_is_let_in_and_costs_no_queue_on_disk(cluster, link):
    link.connect(ADDRESSES[0], cluster.port)
    assert link.connected
    assert queues(cluster) == {f"mqtt-subscription-{CHECK_CAMERA}qos0": "MQTT QoS 0"}
    link.close()
    assert until(lambda: not queues(cluster), 10)


def test_what_an_earlier_version_left_there_goes_with_the_first_connection(
    cluster, link, recipient
):
    old = client(cluster, ADDRESSES[2], CHECK_CAMERA, clean_start=False, expiry_s=3_600)
    old.subscribe(RECEIPTS)
    old.close()
    assert not recipient.publish(RECEIPTS, b"kept for it").refused
    assert queues(cluster) == {f"mqtt-subscription-{CHECK_CAMERA}qos1": "quorum"}
    link.connect(ADDRESSES[0], cluster.port)
    assert queues(cluster) == {f"mqtt-subscription-{CHECK_CAMERA}qos0": "MQTT QoS 0"}
    assert heard(link, 1.0) == []
    recipient.publish(RECEIPTS, b"new")
    assert heard(link) == [b"new"]


def test_a_camera_whose_subscription_the_broker_has_lost_hears_again(
    cluster, link, recipient, monkeypatch
):
    """RabbitMQ 4.0 loses it where a client is back before its former node has tidied up, and says
    nothing to the client: here it is taken away by hand.
    """
    monkeypatch.setattr(broker_link, "SILENCE_S", 2.0)
    link.connect(ADDRESSES[0], cluster.port)
    name = f"mqtt-subscription-{CHECK_CAMERA}qos0"
    words = (
        f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{name}">>)), '
        'rabbit_amqqueue:internal_delete(Q, <<"test">>).'
    )
    cluster.nodes[0].told(f"eval '\"'\"'{words}'\"'\"'")
    assert not queues(cluster)
    link.publish(CHECK_RECIPIENT, "0" * 32, b"a read", 60)
    recipient.publish(RECEIPTS, b"lost")
    assert heard(link, 1.0) == []
    assert link.connected
    assert heard(link, 4.0) == []
    assert link.take_renewed()
    recipient.publish(RECEIPTS, b"heard")
    assert heard(link) == [b"heard"]


def test_a_receiver_as_it_is_connects(cluster):
    certificate, key = files(cluster, CHECK_RECIPIENT)
    settings = BrokerSettings(
        host=HOST,
        addresses=list(ADDRESSES),
        port=cluster.port,
        ca="ca.pem",
        client_certificate=certificate,
        client_key=key,
    )
    connection = Connection(cluster.desk.folder, settings, CHECK_RECIPIENT)
    connection.open()
    connection.close()


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_node_does_what_a_broker_must(cluster, address):
    findings = list(Check(target(cluster, address)).findings())
    assert [(one.name, one.what) for one in findings if one.health is not Health.OK] == []
    assert len(findings) == 13


def test_another_holder_gets_nowhere_in_twenty_tries(cluster):
    twenty_tries_in_vain(cluster.others)


def test_nothing_that_was_acknowledged_is_lost_with_the_node_that_led(cluster):
    session = {"clean_start": False, "expiry_s": 3_600}
    away = client(cluster, ADDRESSES[0], CHECK_RECIPIENT, **session)
    away.subscribe(READS)
    away.close()
    camera = client(cluster, ADDRESSES[1], CHECK_CAMERA)
    sent = [b"%d" % number for number in range(COUNT)]
    for one in sent[: COUNT // 2]:
        assert not camera.publish(READS, one).refused
    camera.close()
    leader = cluster.leader(f"subscription-{CHECK_RECIPIENT}qos1")
    leader.kill()
    assert not answers(cluster, leader.address)
    others = [address for address in ADDRESSES if address != leader.address]
    killed_s = time.monotonic()
    again = None
    while again is None:
        try:
            again = client(cluster, others[0], CHECK_CAMERA)
            for one in sent[COUNT // 2 :]:
                assert not again.publish(READS, one).refused
        except NetworkError:
            assert time.monotonic() - killed_s < 60
    back = client(cluster, others[1], CHECK_RECIPIENT, **session)
    came = back.payloads(COUNT, 10.0)
    print(f"all {len(came)} there {time.monotonic() - killed_s:.1f} s after the leader's end")
    assert sorted(set(came)) == sorted(sent)
    assert len(came) - len(set(came)) <= 1  # one that was in hand may come twice
    back.close()
    again.close()
    leader.start()
    assert until(lambda: answers(cluster, leader.address))


def test_after_a_power_cut_of_all_three_everything_is_there(cluster):
    """All machines get power at once, too."""
    session = {"clean_start": False, "expiry_s": 3_600}
    away = client(cluster, ADDRESSES[0], CHECK_RECIPIENT, **session)
    away.subscribe(READS)
    away.close()
    camera = client(cluster, ADDRESSES[1], CHECK_CAMERA)
    sent = [b"cut %d" % number for number in range(COUNT)]
    for one in sent:
        assert not camera.publish(READS, one).refused
    for node in cluster.nodes:
        node.kill()
    for node in cluster.nodes:
        node.start()
    assert until(lambda: all(served(cluster, node) for node in cluster.nodes))
    back = client(cluster, ADDRESSES[2], CHECK_RECIPIENT, **session)
    assert sorted(set(back.payloads(COUNT, 30.0))) == sorted(sent)
    back.close()
