"""Mosquitto's configuration and access list, as a city with one broker needs them
(docs/guide/broker.md says why each line is there).
"""

from collections.abc import Iterable
from pathlib import PurePosixPath

from agent.broker.names import Rights
from agent.core.wire.sealed_read import MAX_WIRE_BYTES
from agent.mqtt.topics import PACKET_OVERHEAD_BYTES

CONFIG, ACCESS, OPEN_FILES = "mosquitto.conf", "acl", "open-files.conf"
MAX_OPEN_FILES = 65_536
"""Each client is one: more than a roster's cameras. RabbitMQ's own unit has as many."""
_HEAD = (
    "# Written by `platewarden broker`; what you change here is lost. See docs/guide/broker.md.\n"
)


def config(port: int, etc: PurePosixPath, var: PurePosixPath) -> str:
    """mosquitto.conf, whole.

    `etc`: where these files will lie on the broker's machine; `var`: where it keeps what waits.
    """
    lines = (
        f"listener {port}",
        f"cafile {etc / 'ca.pem'}",
        f"certfile {etc / 'server.crt'}",
        f"keyfile {etc / 'server.key'}",
        f"crlfile {etc / 'crl.pem'}",
        "tls_version tlsv1.3",
        "# The certificate's name is the user and the client id: nobody takes another's place.",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "allow_anonymous false",
        f"acl_file {etc / ACCESS}",
        "# What was acknowledged survives a crash: written at each change, not each half hour.",
        "persistence true",
        f"persistence_location {var}/",
        "autosave_on_changes true",
        "autosave_interval 1",
        "# Else a receipt behind an acknowledgement waits 40 ms for the other side's kernel.",
        "set_tcp_nodelay true",
        "# By default 20: a receiver's receipts for a batch of reads then go out in five parts.",
        "max_inflight_messages 100",
        "# By default the 1,001st message that waits is acknowledged and dropped.",
        "# 0, no limit, lets Mosquitto 2.0 hang up on whoever publishes what is forbidden.",
        "max_queued_messages 10000000",
        f"max_packet_size {MAX_WIRE_BYTES + PACKET_OVERHEAD_BYTES}",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_dest syslog",
    )
    return _HEAD + "\n".join(lines) + "\n"


def open_files() -> str:
    """open-files.conf, a drop-in for Mosquitto's unit.

    Mitigates against: the client after some 1,015 gets no answer, since systemd lets a service have
    1,024 open files, and the log calls that "denied access by tcpd".
    """
    return f"{_HEAD}[Service]\nLimitNOFILE={MAX_OPEN_FILES}\n"


def access(rights: Iterable[Rights]) -> str:
    """The ACL file. Whoever is not named may do nothing."""
    blocks = [
        "\n".join(
            [
                f"user {one.name}",
                *(f"topic write {topic}" for topic in one.write),
                *(f"topic read {topic}" for topic in one.read),
            ]
        )
        for one in rights
    ]
    return _HEAD + "\n" + "\n\n".join(blocks) + "\n"
