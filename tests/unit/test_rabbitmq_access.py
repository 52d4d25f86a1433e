"""What RabbitMQ's regular expressions let each certificate do is what its rights say, no more."""

import itertools
import json
import re
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest

from agent.broker import rabbitmq
from agent.broker.authority import made
from agent.broker.broker_folder import BrokerFolder
from agent.broker.names import rights
from agent.broker.place import RABBITMQ, Place
from agent.errors import UsageError
from agent.mqtt.topics import (
    checkpoints_topic,
    collected_topic,
    health_topic,
    reads_topic,
    receipts_topic,
)

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
CAMERAS, RECIPIENTS = ("cam-1", "cam-12"), ("exampleville-pd", "exampleville-pd-2")
RIGHTS = rights(CAMERAS, RECIPIENTS)
TABLE = json.loads(rabbitmq.access(RIGHTS))
TOPICS = [
    *map(reads_topic, RECIPIENTS),
    *map(receipts_topic, CAMERAS),
    *map(checkpoints_topic, CAMERAS),
    *map(collected_topic, CAMERAS),
    *map(health_topic, CAMERAS),
    *("platewarden/1/reads/exampleville-pd/more", "platewarden/1/reads", "other", "platewarden"),
    "platewarden/1/receipts/a/b",
]


def by_user(rows):
    return {row["user"]: row for row in rows}


def lets(pattern, topic):
    """As RabbitMQ asks: anywhere in the routing key."""
    return re.search(pattern, topic.replace("/", ".")) is not None


def matches(filter_, topic):
    """MQTT 5, 4.7: `+` is one level."""
    parts, asked = topic.split("/"), filter_.split("/")
    return len(parts) == len(asked) and all(
        a in {"+", p} for a, p in zip(asked, parts, strict=True)
    )


def test_each_may_write_and_read_exactly_its_topics():
    rows = by_user(TABLE["topic_permissions"])
    for one, topic in itertools.product(RIGHTS, TOPICS):
        row = rows[one.name]
        assert lets(row["write"], topic) == any(matches(w, topic) for w in one.write), topic
        assert lets(row["read"], topic) == any(matches(r, topic) for r in one.read), topic


def test_each_may_touch_its_own_queues_only():
    rows = by_user(TABLE["permissions"])
    names = [*CAMERAS, *RECIPIENTS]
    for one, other, qos in itertools.product(names, names, "01"):
        queue = f"mqtt-subscription-{other}qos{qos}"
        for right in ("configure", "write", "read"):
            assert lets(rows[one][right], queue) == (one == other)
        assert not lets(rows[one]["configure"], "amq.topic")


def test_nodes_import_no_users_as_they_start():
    """They would import all of 10,000 at once, and two of three would then serve nobody."""
    addresses = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
    files = rabbitmq.files(addresses, 8883, PurePosixPath("/etc/rabbitmq/platewarden"))
    [line] = [line for line in files["rabbitmq.conf"].splitlines() if "load_definitions" in line]
    name = PurePosixPath(line.partition(" = ")[2]).name
    assert json.loads(files[name]) == {"vhosts": [{"name": "/"}]}
    assert TABLE["vhosts"] == json.loads(files[name])["vhosts"]


def test_nobody_else_has_a_user_and_none_a_password_or_a_tag():
    assert {user["name"] for user in TABLE["users"]} == {one.name for one in RIGHTS}
    assert {(user["password_hash"], *user["tags"]) for user in TABLE["users"]} == {("",)}


def test_the_list_of_what_was_revoked_has_the_name_that_openssl_looks_for():
    """`openssl x509 -subject_hash` of OpenSSL 3.0 over a CA of this name."""
    authority = made("Platewarden broker CA  MQTT.exampleville.example", NOW)
    assert authority.crl_name() == "4fbd5bf5.r0"


def test_a_folder_for_three_machines(tmp_path):
    addresses = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
    place = Place("mqtt.exampleville.example", addresses, software=RABBITMQ)
    folder = BrokerFolder.create(tmp_path / "broker", place, NOW)
    machine = folder.folder / "machine"
    text = (machine / "rabbitmq.conf").read_text()
    assert [line for line in text.splitlines() if "classic_config.nodes" in line] == [
        f"cluster_formation.classic_config.nodes.{n} = rabbit@platewarden-{n}" for n in (1, 2, 3)
    ]
    assert "192.0.2.3 platewarden-3" in (machine / "hosts").read_text()
    assert (machine / "erlang.cookie").stat().st_mode & 0o777 == 0o600
    assert BrokerFolder(folder.folder).place == place
    assert folder.access_files == (f"machine/crl/{made_name(folder)} and machine/definitions.json")


def made_name(folder):
    [path] = (folder.folder / "machine/crl").iterdir()
    return path.name


@pytest.mark.parametrize("nodes", [2, 4])
def test_an_even_number_of_machines_is_refused(tmp_path, nodes):
    place = Place("h", tuple(f"192.0.2.{n}" for n in range(nodes)), software=RABBITMQ)
    with pytest.raises(UsageError, match="majority"):
        BrokerFolder.create(tmp_path / "broker", place, NOW)
    assert not (tmp_path / "broker").exists()


def test_other_software_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no broker that is known"):
        BrokerFolder.create(tmp_path / "b", Place("h", ("192.0.2.1",), software="emqx"), NOW)
