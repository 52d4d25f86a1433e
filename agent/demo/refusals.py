"""Six things that a city would not want, tried for real, each refused with its own reason."""

import contextlib
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.core.policy.policy import Broker
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.reasons import Reason
from agent.core.text.encoding import b64url, from_b64url
from agent.demo import throwaway_city as demo_city
from agent.demo.demo_page import Attempt
from agent.demo.embedded_broker import LOOPBACK, free_port, running_broker
from agent.demo.installation import CAMERA, Installation, platewarden
from agent.demo.signed.half_signed import push_half_signed
from agent.errors import PlatewardenError, RefusedError
from agent.mqtt.topics import PACKET_OVERHEAD_BYTES
from agent.network.broker_link import BrokerLink, LinkLimits
from agent.network.egress import Egress
from agent.network.policy_tls import context_for
from agent.verifying.device_public_file import load_device_public
from agent.verifying.envelope_check import EnvelopeVerifier


class NotRefusedError(PlatewardenError):
    """Something that must be refused was not: the demo fails, loudly."""


def provoke(installation: Installation, sealed: Path) -> tuple[Attempt, ...]:
    """Try all six. `sealed`: one sealed read of this run. Raises NotRefusedError."""
    return (
        forbidden_recipient(installation),
        unlisted_broker(installation),
        broker_with_another_key(installation),
        altered_retention(installation, sealed),
        removed_leaf(installation),
        half_signed(installation),
    )


def forbidden_recipient(installation: Installation) -> Attempt:
    """A policy that adds a recipient whom the charter forbids: the real `watch` refuses to start
    with it.
    """
    camera = installation.work / "attempt-recipient"
    _copy_camera(installation, camera)
    policy = pushed(installation)
    (camera / "city" / "policy.toml").write_text(policy, encoding="utf-8")
    frames = installation.work / "no-frames"
    frames.mkdir(exist_ok=True)
    done = platewarden(
        "watch",
        "--config",
        camera / "platewarden.toml",
        "--source",
        frames,
        "--allow-unsigned",
        check=False,
    )
    _expect(
        done.returncode == RefusedError.exit_code
        and Reason.CHARTER_FORBIDS_RECIPIENT in done.stderr,
        "a forbidden recipient",
        done.stderr,
    )
    return Attempt(
        f"A pushed policy that adds {demo_city.FORBIDDEN} as a recipient",
        Reason.CHARTER_FORBIDS_RECIPIENT,
        f"The camera did not start (exit code {done.returncode}); its log has the refusal.",
    )


def pushed(installation: Installation) -> str:
    """The policy that somebody pushes: the city's own, and the forbidden agency as one more
    recipient.
    """
    return demo_city.with_recipient(
        installation.policy_text,
        demo_city.FORBIDDEN,
        "US immigration enforcement (ICE ERO)",
        purpose="immigration-enforcement",
        basis="a favour, by e-mail",
    )


def unlisted_broker(installation: Installation) -> Attempt:
    """A working broker that the policy does not list: refused before a socket opens, as the
    listener confirms.
    """
    policy = parse_policy(installation.policy_text.encode(), "policy.toml")
    listed = policy.brokers[0]
    with _listener() as (port, connections):
        link = _link(installation, listed, Egress(policy.brokers))
        reason = _refused(lambda: link.connect(LOOPBACK, port), "an unlisted broker")
        _expect(not connections, "an unlisted broker", "it was connected to")
    return Attempt(
        "Publishing to a broker that the policy does not list",
        reason,
        "No socket was opened: the broker, which was listening, saw nobody.",
    )


def broker_with_another_key(installation: Installation) -> Attempt:
    """The right address, name and authority, but another key: an impostor with a certificate from
    the same CA.
    """
    impostor = installation.city.authority.issue(
        demo_city.HOST, installation.work / "impostor", "server"
    )
    port = free_port()
    text = installation.policy_text.replace(f"{LOOPBACK}:{installation.port}", f"{LOOPBACK}:{port}")
    broker = parse_policy(text.encode(), "policy.toml").brokers[0]
    with running_broker(installation.work / "impostor", impostor, port):
        link = _link(installation, broker, Egress((broker,)))
        reason = _refused(lambda: link.connect(LOOPBACK, port), "a broker with another key")
    return Attempt(
        "A broker at the right address and name, with a valid certificate for another key",
        reason,
        "Hung up during the TLS handshake, before MQTT said a word.",
    )


def altered_retention(installation: Installation, sealed: Path) -> Attempt:
    """A read whose deadline somebody moved by a year: the device's signature no longer fits."""
    wire = sealed.read_bytes()
    jwe, signature = wire.split(b"\n")
    header, rest = jwe.split(b".", 1)
    tags = from_b64url(header.decode("ascii")).decode("utf-8")
    year = int(tags.split('"deadline":"', 1)[1][:4])
    moved = tags.replace(f'"deadline":"{year}', f'"deadline":"{year + 1}').replace(
        f'"epoch":"{year}', f'"epoch":"{year + 1}'
    )
    moved = moved.replace(f"{demo_city.RECIPIENT}/{year}", f"{demo_city.RECIPIENT}/{year + 1}")
    _expect(moved != tags, "an altered retention tag", "the tag was not found")
    altered = b64url(moved.encode()).encode() + b"." + rest + b"\n" + signature
    key = _device_key(installation)
    # The unaltered read is good: it is the change that is refused.
    EnvelopeVerifier(key).verify(wire)
    reason = _refused(lambda: EnvelopeVerifier(key).verify(altered), "an altered retention tag")
    return Attempt(
        "A sealed read whose deadline was moved by a year",
        reason,
        "The receiver's check refused it; the unaltered bytes still verify.",
    )


def removed_leaf(installation: Installation) -> Attempt:
    """The camera's log with one leaf deleted: `platewarden audit verify` names it."""
    copy = installation.work / "attempt-log"
    shutil.copytree(installation.state / "watch", copy)
    database, key = copy / "log.sqlite", installation.work / "device" / "public.json"
    platewarden("audit", "verify", installation.state / "watch" / "log.sqlite", "--key", key)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        leaf = connection.execute(
            "SELECT max(n) FROM leaf WHERE n < (SELECT max(n) FROM leaf)"
        ).fetchone()[0]
        connection.execute("DELETE FROM leaf WHERE n = ?", (leaf,))
    done = platewarden("audit", "verify", database, "--key", key, check=False)
    said = done.stdout + done.stderr
    _expect(
        done.returncode == RefusedError.exit_code and Reason.LEAF_MISSING in said,
        "a log without one leaf",
        said,
    )
    return Attempt(
        "A log from which one leaf was deleted",
        Reason.LEAF_MISSING,
        f"`platewarden audit verify` named leaf {leaf}.",
    )


def half_signed(installation: Installation) -> Attempt:
    """A policy that the charter permits and one signer of two signed, at a camera on signed
    bundles.
    """
    attempt, refused = push_half_signed(installation)
    _expect(refused, "a policy signed by one of two", attempt.evidence)
    return attempt


def _copy_camera(installation: Installation, to: Path) -> None:
    for folder in ("city", "device"):  # not the hot list beside them: no second copy of plates (P9)
        shutil.copytree(installation.work / folder, to / folder)
    shutil.copy(installation.settings, to / "platewarden.toml")


def _link(installation: Installation, broker: Broker, egress: Egress) -> BrokerLink:
    """A connection to a broker as `deliver` makes it."""
    limits = LinkLimits()
    longest = limits.max_receipt_bytes + PACKET_OVERHEAD_BYTES
    context = context_for(
        broker, installation.city.authority.pem(), f"broker {broker.id!r}", longest, None
    )
    return BrokerLink(broker, CAMERA, context, egress, limits)


def _device_key(installation: Installation) -> dict[str, bytes]:
    public = load_device_public(installation.work / "device")
    return {public.device: public.seal}


def _refused(attempt: Callable[[], object], what: str) -> str:
    try:
        attempt()
    except RefusedError as refusal:
        return refusal.reason
    raise NotRefusedError(f"{what} was not refused")


# `held`: an assertion that survives `python -O`.
def _expect(held: bool, what: str, said: str) -> None:  # noqa: FBT001
    if not held:
        raise NotRefusedError(f"{what} was not refused as it must be: {said.strip()}")


@contextlib.contextmanager
def _listener() -> Iterator[tuple[int, list[str]]]:
    """Accepts on a loopback port and notes who came."""
    came: list[str] = []
    with socket.create_server((LOOPBACK, 0)) as server:
        server.settimeout(0.1)
        ended = threading.Event()

        def accept() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, peer = server.accept()
                    came.append(str(peer))
                    connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1], came
        finally:
            ended.set()
            thread.join()
