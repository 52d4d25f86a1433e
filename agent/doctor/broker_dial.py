"""Dials the brokers of the policy in force as deliver does: listed addresses, the policy's CA, name
and pin, this camera's certificate; no DNS (P4).
"""

import os
import time

from agent.bundles.city_folder import CityFolder
from agent.bundles.generation_store import BundleStore
from agent.core.camera.diagnosis_findings import Finding, fail, failed, ok, skip
from agent.core.policy.camera_roster import require_broker
from agent.core.policy.policy import Broker, Policy, require_in_force
from agent.errors import NetworkError, PlatewardenError
from agent.host.clock import SystemClock, TrustedClock
from agent.mqtt.events import CLIENT_ID_NOT_VALID
from agent.mqtt.topics import PACKET_OVERHEAD_BYTES
from agent.network.broker_link import TRIES_AGAIN, BrokerLink, LinkLimits
from agent.network.egress import Egress, install_guard, refuse_proxies
from agent.network.policy_tls import context_for
from agent.settings import Settings
from agent.sides.deliver import client_certificate
from agent.sides.signed_city import BUNDLES
from agent.verifying.device_public_file import load_own_public

PROCESS = "deliver"
ROOT = "sudo platewarden doctor"


def look(settings: Settings, *, allow_unsigned: bool) -> list[Finding]:
    """One line an address of the brokers for this camera. Nobody is dialled without a policy that
    it may obey.
    """
    try:
        found = policy_of(settings, allow_unsigned=allow_unsigned)
        if isinstance(found, Finding):
            return [found]
        policy, city = found
        load_own_public(settings)  # another camera's id would name another group's brokers
        require_broker(policy, settings.camera_id)
        brokers = policy.brokers_of(settings.camera_id)
        egress = Egress(brokers)
        # The guard stays for ever in this process: no other destination, no name look-up.
        install_guard(egress, lambda _event, _destination: None)
        refuse_proxies(os.environ)
    except PlatewardenError as error:
        return [failed("broker", error)]
    return [
        dialled(settings, broker, address, port, city, egress)
        for broker in brokers
        for address, port in broker.addresses
    ]


def policy_of(settings: Settings, *, allow_unsigned: bool) -> tuple[Policy, CityFolder] | Finding:
    """The policy that deliver has verified, or a rig's; a line where there is none to obey.

    Raises PlatewardenError.
    """
    if settings.anchor.exists():
        folder = settings.state / PROCESS
        if folder.exists() and not os.access(folder, os.R_OK | os.X_OK):
            return skip(
                "broker",
                "deliver's bundles cannot be read by this user, so nobody was dialled",
                ROOT,
            )
        generation = BundleStore(
            folder / BUNDLES, settings.anchor, settings.limits, rig=settings.rig
        ).current()
        if generation is None:
            return skip(
                "broker",
                "deliver has verified no bundles, so no address is listed and nobody was dialled",
            )
        clock = TrustedClock(folder, keep=False)
        clock.signed_time(generation.issued, generation.expiry["timestamp"])
        city, now = CityFolder(generation.city), clock.now()
    elif allow_unsigned:
        city, now = CityFolder(settings.city), SystemClock().now()
    else:
        return skip("broker", "not enrolled, so no address is listed and nobody was dialled")
    policy, _ = city.obeyed()
    require_in_force(policy, now)
    return policy, city


def dialled(
    settings: Settings, broker: Broker, address: str, port: int, city: CityFolder, egress: Egress
) -> Finding:
    """Connect, log in, be allowed to read our receipts, say goodbye.

    Under a name of its own: deliver's connection stays up. Where the broker lets in only the name
    in the certificate, under the camera's.
    """
    name = f"broker {broker.id}"
    limits = LinkLimits(max_receipt_bytes=settings.limits.max_receipt_bytes)
    began_s = time.monotonic()
    try:
        context = context_for(
            broker,
            city.ca(broker),
            name,
            limits.max_receipt_bytes + PACKET_OVERHEAD_BYTES,
            client_certificate(settings),
        )
        link = BrokerLink(
            *(broker, settings.camera_id, context, egress, limits),
            client_id=f"{settings.camera_id}-doctor",
        )
        try:
            link.connect(address, port)
        except NetworkError:
            if link.ended_by != CLIENT_ID_NOT_VALID:
                raise
            link = BrokerLink(broker, settings.camera_id, context, egress, limits)
            link.connect(address, port)
        link.close()
    except NetworkError as error:
        return fail(
            name,
            f"{address}:{port}: {error.what}",
            error.fix.removesuffix(TRIES_AGAIN).rstrip("; ") or "check cable, router and broker",
        )
    except PlatewardenError as error:
        return failed(name, error)
    spent_ms = (time.monotonic() - began_s) * 1000
    return ok(
        name,
        f"{address}:{port} answered in {spent_ms:.0f} ms; "
        "name, CA and pin are the policy's, receipts may be read; no DNS was asked",
    )
