"""The configuration of RabbitMQ 4 for a city: whoever has a certificate may do what stands under
its name, and what waits lies on three machines.

What each line is for: docs/guide/broker-cluster.md.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from agent.broker.names import Rights
from agent.core.wire.sealed_read import MAX_WIRE_BYTES
from agent.mqtt.topics import PACKET_OVERHEAD_BYTES

ACCESS, START, CRL = "definitions.json", "start.json", "crl"
SESSION_S = 30 * 86_400
NODE = "platewarden"
_EXCHANGE = "amq.topic"
_VHOSTS = ({"name": "/"},)
_QUEUES = r"^mqtt-subscription-"
_HEAD = "{} Written by `platewarden broker`. What it is for: docs/guide/broker-cluster.md.\n"


def files(addresses: tuple[str, ...], port: int, etc: PurePosixPath) -> Mapping[str, str]:
    """What lies beside certificates and access on every machine: the same on each."""
    return {
        "rabbitmq.conf": _config(len(addresses), port, etc),
        "advanced.config": _tls(etc),
        START: json.dumps({"vhosts": _VHOSTS}) + "\n",
        "enabled_plugins": "[rabbitmq_mqtt,rabbitmq_auth_mechanism_ssl].\n",
        "hosts": _HEAD.format("#")
        + "".join(f"{address} {NODE}-{number}\n" for number, address in enumerate(addresses, 1)),
    }


def access(rights: Iterable[Rights]) -> str:
    """definitions.json: users without a password, and what each may do. Whoever is not named has
    no user, and is not let in.

    One node imports it while it runs. Three new nodes of a busy machine that imported 10,000 users
    as they started served nobody on two of them.
    """
    rights = tuple(rights)
    table = {
        "vhosts": _VHOSTS,
        "users": [{"name": one.name, "password_hash": "", "tags": []} for one in rights],
        "permissions": [_permission(one) for one in rights],
        "topic_permissions": [
            {
                "user": one.name,
                "vhost": "/",
                "exchange": _EXCHANGE,
                "write": _filters(one.write),
                "read": _filters(one.read),
            }
            for one in rights
        ],
        # By default a quorum queue drops a message that was handed out twenty times in vain.
        "policies": [
            {
                "name": "platewarden",
                "vhost": "/",
                "pattern": _QUEUES,
                "apply-to": "quorum_queues",
                "definition": {"delivery-limit": -1},
            }
        ],
    }
    return json.dumps(table, indent=1) + "\n"


def _config(nodes: int, port: int, etc: PurePosixPath) -> str:
    cluster = [
        "cluster_formation.peer_discovery_backend = classic_config",
        *(
            f"cluster_formation.classic_config.nodes.{number} = rabbit@{NODE}-{number}"
            for number in range(1, nodes + 1)
        ),
        "cluster_partition_handling = pause_minority",
    ]
    lines = (
        "listeners.tcp.1 = 127.0.0.1:5672",
        "mqtt.listeners.tcp = none",
        f"mqtt.listeners.ssl.default = {port}",
        "# The certificate's name is the user and the client id: nobody takes another's place.",
        "mqtt.ssl_cert_login = true",
        "ssl_cert_login_from = common_name",
        "mqtt.ssl_cert_client_id_from = subject_alternative_name",
        "anonymous_login_user = none",
        f"load_definitions = {etc / START}",
        "# What waits lies on most nodes. A queue keeps the kind with which it was made.",
        "mqtt.durable_queue_type = quorum",
        f"mqtt.max_session_expiry_interval_seconds = {SESSION_S}",
        f"mqtt.max_packet_size_authenticated = {MAX_WIRE_BYTES + PACKET_OVERHEAD_BYTES}",
        "mqtt.tcp_listen_options.nodelay = true",
        *(cluster if nodes > 1 else ()),
    )
    return _HEAD.format("#") + "\n".join(lines) + "\n"


def _tls(etc: PurePosixPath) -> str:
    """advanced.config: rabbitmq.conf has no words for a list of what was revoked."""
    return _HEAD.format("%%") + (
        "[{rabbit, [{ssl_options, [\n"
        f'  {{cacertfile, "{etc / "ca.pem"}"}},\n'
        f'  {{certfile, "{etc / "server.crt"}"}},\n'
        f'  {{keyfile, "{etc / "server.key"}"}},\n'
        "  {versions, ['tlsv1.3']},\n"
        "  {verify, verify_peer},\n"
        "  {fail_if_no_peer_cert, true},\n"
        "  {crl_check, peer},\n"
        f'  {{crl_cache, {{ssl_crl_hash_dir, {{internal, [{{dir, "{etc / CRL}"}}]}}}}}}\n'
        "]}]}].\n"
    )


def _permission(one: Rights) -> dict[str, str]:
    """On its own queues alone, and on the exchange that all topics go through.

    Mitigates against: a second certificate that binds itself to a recipient's queue.
    """
    own = f"mqtt-subscription-{re.escape(one.name)}qos[01]"
    both = f"^({own}|{re.escape(_EXCHANGE)})$"
    return {"user": one.name, "vhost": "/", "configure": f"^{own}$", "write": both, "read": both}


def _filters(topics: Iterable[str]) -> str:
    """MQTT topics as RabbitMQ's regular expression: `/` is `.` there, `+` one word."""
    words = (re.escape(topic.replace("/", ".")).replace(r"\+", "[^.]+") for topic in topics)
    return f"^({'|'.join(words)})$"
