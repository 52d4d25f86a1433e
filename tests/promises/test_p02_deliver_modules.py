"""P2, the network side: what a deliver process that really delivered had loaded could not have seen
or opened a plate.
"""

import json
import subprocess
import sys

import pytest

from tests.support.delivery_rig import ROOT, Recipient, Rig
from tests.support.mosquitto import Mosquitto

pytestmark = pytest.mark.broker

# Runs the real command and tells what was in memory at the end; the process is otherwise the same.
WRAPPER = """
import json, sys
from agent.cli import main
try:
    main(["deliver", "--config", sys.argv[1], "--allow-unsigned", "--until-empty", "30"])
except SystemExit as end:
    assert not end.code, end.code
finally:
    print(json.dumps({"modules": sorted(sys.modules), "mapped": open("/proc/self/maps").read()}))
"""
PLAINTEXT = {
    "agent.bundles.hotlist_file",
    "agent.bundles.hotlist_sealed",
    "agent.pipeline",
    "agent.ports",
    "agent.sides.watch",
}
PACKAGES = (
    "agent.core.reading",
    "agent.core.hotlist",
    "agent.core.judging",
    "agent.city",
    "agent.sealing",
    "agent.vision",
    "agent.camera",
    "agent.receiver",
    "agent.demo",
    "cv2",
    "onnxruntime",
    "numpy",
    "av",
    "picamera2",
)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> dict[str, object]:
    """Modules and mapped files of a deliver that took reads from the outbox to the receipt."""
    rig = Rig(tmp_path_factory.mktemp("rig"))
    with Mosquitto(rig.folder / "broker", rig.server) as broker:
        rig.write_policy(rig.policy(broker.port))
        rig.seal(2)
        recipient = Recipient(rig, broker.port)
        process = subprocess.Popen(
            [sys.executable, "-c", WRAPPER, str(rig.settings)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        rig.settle_until(lambda: not rig.waiting())
        output, _ = process.communicate(timeout=30)
        recipient.close()
    assert process.returncode == 0
    assert sum(leaf["kind"] == "receipt" for leaf in rig.leaves()) == 2
    return json.loads(output.splitlines()[-1])


def test_nothing_that_knows_a_plate_is_loaded(loaded) -> None:
    modules = set(loaded["modules"])
    # The right process was looked at.
    assert {"agent.delivery", "agent.mqtt.driver", "paho.mqtt.client"} <= modules
    assert modules & PLAINTEXT == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_no_part_of_the_camera_side_or_the_recipient_is_loaded(loaded, package) -> None:
    assert [
        module
        for module in loaded["modules"]
        if module == package or module.startswith(f"{package}.")
    ] == []


def test_no_native_library_of_theirs_is_mapped(loaded) -> None:
    assert [
        name for name in ("onnxruntime", "cv2", "libcamera", "numpy") if name in loaded["mapped"]
    ] == []


def test_deliver_opens_no_file_that_holds_plates_or_private_keys_of_others(tmp_path) -> None:
    rig = Rig(tmp_path)
    secrets = [
        rig.folder / "city-hotlist",
        rig.folder / "device/seal.key",
        rig.folder / "device/watch-log.key",
        rig.folder / "city/keys",
    ]
    with Mosquitto(rig.folder / "broker", rig.server) as broker:
        rig.write_policy(rig.policy(broker.port))
        rig.seal()
        for path in secrets:
            path.mkdir()  # anybody who opens it as a file fails
        recipient = Recipient(rig, broker.port)
        with rig.deliver("--allow-unsigned") as deliver:
            rig.settle_until(lambda: not rig.waiting())
            assert deliver.stop() == 0, deliver.output()
        recipient.close()
