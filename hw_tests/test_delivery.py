"""From the street to the recipient over the rig's cable: how long it takes, what else is said on
the wire, and what an impostor gets.
"""

from datetime import datetime

import pytest

from hw_tests.rig import chart
from hw_tests.rig.ethernet import own_address
from hw_tests.rig.screen import Printed, screen_of
from hw_tests.rig.sniffer import Flow, Sniffer

pytestmark = [pytest.mark.hardware, pytest.mark.timeout(300)]

SETTLE_S = 45.0
MOST_TO_SEALED_S = 15.0
# DHCP and NTP are of the Pi's operating system, counted and not judged. A simulated rig has
# neither.
SYSTEMS_OWN = {67, 68, 123}
SSH = 22


def test_a_read_arrives_and_how_long_that_takes(world, figure, strike_out):
    """Sealed → receipt verified on the camera."""
    strike_out(world.plate)
    with world.broker(), world.receiver():
        deliver = world.deliver()
        watch = world.watch(SETTLE_S)
        world.until(
            lambda: world.received() and not watch.alive(),
            "a read at the recipient, and watch done",
        )
        deliver.stop()
    told = world.log()
    assert [one["sequence"] for one in told["releases"]] == world.received() == [1]
    (released,) = told["releases"]
    took_s = (parsed(told["receipts"][released["read"]]) - parsed(released["at"])).total_seconds()
    figure("sealed to receipt", round(took_s, 2), "s")
    assert 0 <= took_s < SETTLE_S
    assert world.waiting() == 0
    assert world.verify_logs() == []


@pytest.mark.lg_feature(["camera", "display"])
def test_from_the_sensor_to_a_sealed_read(world, tmp_path, figure, strike_out):
    """A chart that shows the wanted plate, through the camera; from the sharpest frame's own time
    to the log's.

    Only a live sensor's frames have a time.
    """
    screen = screen_of(world.device, tmp_path / "screen")
    if isinstance(screen, Printed):
        pytest.skip("paper cannot show the plate of this test's hot list")
    (tmp_path / "screen").mkdir()
    page, picture = chart.draw(0, 0, "day", 1.0, chart.generator(world.seed))
    for plate in page.plates:
        strike_out(plate.text)
    assert page.plates[0].text == world.plate, "the first text that a seed gives"
    watch = world.watch(0, screen.show(page, picture))
    world.until(world.waiting, "a sealed read of what the screen shows")
    watch.stop()
    released = world.log()["releases"][0]  # a car that stays may be sighted again
    took_s = (parsed(released["at"]) - world.sealed(released["read"]).captured_at).total_seconds()
    figure("capture to sealed", round(took_s, 2), "s")
    assert 0 <= took_s < MOST_TO_SEALED_S


@pytest.mark.lg_feature("network")
def test_the_wire_carries_one_tls_connection_and_nothing_else(world, cable, figure, strike_out):
    """Every packet of the camera while it delivers: to the listed broker's port, or a neighbour's
    question.

    No name is looked up; no plate stands in any.
    """
    if not cable.interface:
        pytest.skip(cable.why)
    strike_out(world.plate)
    with (
        world.broker(),
        world.receiver(),
        Sniffer(cable.interface, own_address(cable.interface), (world.plate.encode(),)) as sniffer,
    ):
        deliver = world.deliver()
        watch = world.watch(SETTLE_S)
        world.until(
            lambda: world.received() and not watch.alive(),
            "a read at the recipient, and watch done",
        )
        deliver.stop()
    figure("packets by the camera for one read", sum(sniffer.flows.values()), "packets")
    assert sniffer.dropped == 0, (
        "the capture has gaps and proves nothing: try again on a quieter machine"
    )
    assert any(
        (flow.destination, flow.port) == (cable.address, world.port) for flow in sniffer.flows
    ), "the capture saw no delivery: is this the right interface?"
    assert strangers(sniffer, world) == []
    assert sniffer.needles_seen == 0


@pytest.mark.lg_feature("network")
def test_the_capture_would_show_a_stranger(world, cable):
    """A datagram and a plate in the clear, sent from the camera's end, are seen: otherwise the test
    above could not fail.
    """
    if not cable.interface:
        pytest.skip(cable.why)
    with Sniffer(cable.interface, own_address(cable.interface), (world.plate.encode(),)) as sniffer:
        code = (
            "import socket; socket.socket(socket.AF_INET, "
            f"socket.SOCK_DGRAM).sendto({world.plate.encode()!r}, ('{cable.address}', 5353))"
        )
        world.device.run(world.device.options.python, "-c", code)
    assert [(flow.kind, flow.port) for flow in strangers(sniffer, world)] == [("udp", 5353)]
    assert sniffer.needles_seen >= 1, (
        "the kernel may send it back in its answer that nobody listens"
    )


def test_an_impostor_at_the_listed_address_hears_nothing(world, strike_out):
    """Right address, right name, another authority's certificate: refused before a word of MQTT;
    the read waits, and goes to the true broker later.
    """
    strike_out(world.plate)
    with world.impostor() as impostor:
        deliver = world.deliver()
        watch = world.watch(SETTLE_S * 2)
        world.until(
            lambda: world.waiting() == 1 and impostor.clients,
            "a sealed read, and a try to deliver it",
        )
        world.until(lambda: refusals(world), "a refusal in deliver's log")
        assert impostor.heard == b""
        assert world.waiting() == 1
    with world.broker(), world.receiver():
        world.until(
            lambda: world.received() == [1] and not watch.alive(),
            "the read at the recipient, once the true broker is back",
        )
        deliver.stop()
    assert world.waiting() == 0
    assert world.verify_logs() == []


def refusals(world):
    return [kind for kind in world.log("deliver")["kinds"] if kind.startswith("refusal:")]


def strangers(sniffer: Sniffer, world) -> list[Flow]:
    """Flows that nobody listed.

    ARP and ICMPv6 find neighbours; SSH is the rig's own hand on a real camera.
    """
    real = not world.device.options.simulated

    def listed(flow: Flow) -> bool:
        if flow.kind in {"arp", "icmpv6"} or (flow.kind, flow.destination, flow.port) == (
            "tcp",
            world.ethernet.address,
            world.port,
        ):
            return True
        return real and (
            (flow.kind == "tcp" and flow.source_port == SSH)
            or (flow.kind == "udp" and flow.port in SYSTEMS_OWN)
        )

    return sorted(
        (flow for flow in sniffer.flows if not listed(flow)),
        key=lambda flow: (flow.kind, flow.port),
    )


def parsed(at: str) -> datetime:
    return datetime.fromisoformat(at)
