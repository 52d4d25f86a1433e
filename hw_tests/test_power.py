"""Power cuts: at random moments everything stops without a goodbye; afterwards no released read is
lost, and both logs verify.
"""

import random
import time

import pytest

pytestmark = [pytest.mark.hardware, pytest.mark.timeout(1800)]

SETTLE_S = 60.0
LONGEST_S = 7.0
SOON_S = 1.5


@pytest.fixture
def cuts(request):
    return request.config.getoption("--hw-cuts")


def run_through_cuts(world, cuts, cut):
    """Start both processes and `cut`, again and again: first at any moment, then in the moments
    after a read was sealed, where there is most to lose.
    """
    chance = random.Random(world.plate)
    for number in range(cuts):
        before = world.released()
        world.watch(SETTLE_S)
        world.deliver()
        if number:
            # The lambda is called at once, before `before` changes.
            world.until(lambda: world.released() > before, "another read, sealed or received")  # noqa: B023
            time.sleep(chance.uniform(0, SOON_S))
        else:
            time.sleep(chance.uniform(0.5, LONGEST_S))
        cut()
    watch, deliver = world.watch(SETTLE_S), world.deliver()
    world.until(lambda: not watch.alive(), "watch done after the last start", within_s=SETTLE_S * 2)
    deliver.stop()


def judge(world, cuts, figure, name):
    told = world.log()
    sequences = [one["sequence"] for one in told["releases"]]
    figure(f"reads released across {name}", len(sequences), "reads")
    assert sequences == list(range(1, len(sequences) + 1)), (
        "a gap or a repetition in the camera's own log"
    )
    assert len(sequences) >= cuts, (
        "each cut but the first waited for a read, and the last start brings one"
    )
    assert sorted(set(world.received())) == sequences, "released and not received"
    assert told["kinds"].get("lost", 0) == 0
    assert world.waiting() == 0
    assert world.verify_logs() == []


def test_killed_processes_lose_no_read(world, cuts, figure, strike_out):
    """SIGKILL to both process groups.

    Limit: the kernel's page cache lives on, so this is no power cut; that is the next test.
    """
    strike_out(world.plate)
    with world.broker(), world.receiver():
        run_through_cuts(world, cuts, world.device.stop_all)
    judge(world, cuts, figure, "kills")


@pytest.mark.lg_feature("power")
def test_cut_power_loses_no_read(world, cuts, request, strategy_or_none, figure, strike_out):
    """The power port, not a shutdown.

    The camera must come back by itself each time, and its card must not be hurt.
    """
    strike_out(world.plate)
    boots_s = []

    def cut():
        boots_s.append(strategy_or_none.cut_power())
        world.device.reconnect(request.getfixturevalue("target"))

    with world.broker(), world.receiver():
        run_through_cuts(world, cuts, cut)
    figure("boot after a cut", round(max(boots_s), 1), "s")
    judge(world, cuts, figure, "power cuts")
