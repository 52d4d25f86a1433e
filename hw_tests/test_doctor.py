"""`platewarden doctor` on the camera: everything that it can look at is well, and what it cannot
look at it calls skipped, never ok.
"""

import pytest

pytestmark = [pytest.mark.hardware, pytest.mark.timeout(200)]

NAMES = {"settings", "models", "camera", "policy", "clock", "disk", "temperature"}
RIGS_OWN = {
    "enrolment",
    "walls nftables",
    "walls systemd",
    "watch",
    "deliver",
    "update.timer",
    "walls.path",
    "walls.timer",
    "walls",
    "update",
    "bundles",
    "camera's place",
    "roster",
}


def test_doctor_on_the_rigs_own_installation(world):
    """An unsigned rig with a played street: the lines about camera, models, keys, policy and broker
    must hold; units and walls are the installed camera's.
    """
    with world.broker():
        told = world.device.doctor(world.settings, "--source", world.street, "--allow-unsigned")
    found = {one["name"]: one for one in told["findings"]}
    assert found.keys() >= NAMES
    assert any(name.startswith("broker") for name in found)
    bad = {
        name: one["what"]
        for name, one in found.items()
        if one["health"] == "fail" and name not in RIGS_OWN
    }
    if world.device.options.simulated:
        bad.pop("memory cgroup", None)
    assert bad == {}
    assert all(one["fix"] for one in found.values() if one["health"] == "fail"), (
        "a failure without a next step"
    )


@pytest.mark.lg_feature("camera")
def test_doctor_on_the_installed_camera(device, figure):
    """As a fleet's monitoring would ask. Warnings are counted for the history; a failure fails."""
    if not device.options.config:
        pytest.skip(
            "the environment file names no config: no camera is installed here, only the rig's own"
        )
    told = device.doctor(device.options.config)
    found = told["findings"]
    figure("doctor warnings", sum(one["health"] == "warn" for one in found), "lines")
    assert {one["name"]: one["what"] for one in found if one["health"] == "fail"} == {}
    assert told["exit_code"] == 0
