"""The import contracts can fail: each is broken once in a copy of the tree, and the linter says so.

(`make check` runs them on the tree itself.)
"""

import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")

VIOLATIONS = {
    "a stray module": ("1. Layers", "agent/helpers.py", "VALUE = 1"),
    "the low imports the high": ("1. Layers", "agent/errors.py", "import agent.settings"),
    "siblings": ("1. Layers", "agent/vision/bad.py", "import agent.sealing"),
    "a clock in the core": ("2. The core", "agent/core/bad.py", "import time"),
    "the network in the line": ("2. The core", "agent/delivery.py", "import paho.mqtt.client"),
    "a plate in storage": (
        "3. Plaintext",
        "agent/storage/bad.py",
        "import agent.core.reading.sighting",
    ),
    "a list's row on the network side": (
        "3. Plaintext",
        "agent/network/bad.py",
        "import agent.core.hotlist.entry",
    ),
    "a plate in the driver": (
        "3. Plaintext",
        "agent/mqtt/bad.py",
        "import agent.core.reading.sighting",
    ),
    "an opening key in the driver": ("3. Plaintext", "agent/mqtt/bad.py", "import agent.sealing"),
    "the policy's addresses in the driver": (
        "1. Layers",
        "agent/mqtt/driver.py",
        "import agent.network.egress",
    ),
    "a list's rows beside the mailbox": (
        "3. Plaintext",
        "agent/storage/bad.py",
        "import agent.core.hotlist.intake.ncic",
    ),
    "two texts compared on the network side": (
        "3. Plaintext",
        "agent/sides/deliver.py",
        "import agent.core.reading.alignment",
    ),
    "a plate on the network side, through the ports": (
        "3. Plaintext",
        "agent/sides/deliver.py",
        "import agent.ports",
    ),
    "a socket at the camera": ("4. The camera", "agent/camera/bad.py", "import socket"),
    "the network at the camera": ("4. The camera", "agent/sides/watch.py", "import agent.network"),
    "the driver at the camera": (
        "4. The camera",
        "agent/sides/watch.py",
        "import agent.mqtt.topics",
    ),
    "the receiver asks the cameras' policy whom to dial": (
        "5. The receiver",
        "agent/receiver/connection.py",
        "import agent.network.policy_tls",
    ),
    "the receiver looks into the device": (
        "5. The receiver",
        "agent/receiver/bad.py",
        "import agent.storage",
    ),
    "the receiver looks at plates' core": (
        "5. The receiver",
        "agent/receiver/bad.py",
        "import agent.core.reading.sighting",
    ),
    "other people's models on a camera": (
        "6. Other people's models",
        "agent/sides/watch.py",
        "import agent.peers.peer_loader",
    ),
    "other people's models in the line": (
        "1. Layers",
        "agent/pipeline.py",
        "import agent.peers.peer_loader",
    ),
    "other people's models in the demo": (
        "6. Other people's models",
        "agent/demo/bad.py",
        "import agent.peers.peer_loader",
    ),
    "other people's models by way of read": (
        "6. Other people's models",
        "agent/commands/run.py",
        "import agent.commands.read",
    ),
    "the bulk reader at the camera": (
        "6. Other people's models",
        "agent/doctor/eyes.py",
        "import agent.bulk.reader",
    ),
    "a phone's page at the camera": (
        "4. The camera",
        "agent/sides/watch.py",
        "import agent.aim.page_server",
    ),
    "a sealing key at an aim": (
        "8. aim sees",
        "agent/sides/aim.py",
        "import agent.sealing.device_keys",
    ),
    "a broker at an aim": ("8. aim sees", "agent/aim/page_server.py", "import paho.mqtt.client"),
    "the driver at an aim": ("8. aim sees", "agent/aim/page_server.py", "import agent.mqtt"),
    "an outbox at an aim": ("8. aim sees", "agent/sides/aim.py", "import agent.storage.outbox"),
    "a plate where doctor dials": (
        "3. Plaintext",
        "agent/doctor/broker_dial.py",
        "import agent.core.reading.sighting",
    ),
    "a socket in doctor's eyes": ("9. doctor", "agent/doctor/eyes.py", "import socket"),
    "the broker beside the keys": (
        "9. doctor",
        "agent/doctor/trust.py",
        "import agent.doctor.broker_dial",
    ),
    "the driver beside the keys": (
        "9. doctor",
        "agent/doctor/keys.py",
        "import agent.mqtt.topics",
    ),
    "the driver in doctor's eyes": (
        "10. doctor's eyes",
        "agent/doctor/eyes.py",
        "import agent.mqtt.topics",
    ),
    "a key in doctor's eyes": (
        "10. doctor's eyes",
        "agent/doctor/eyes.py",
        "import agent.doctor.keys",
    ),
    "the receiver looks at a list": (
        "5. The receiver",
        "agent/receiver/bad.py",
        "import agent.core.hotlist.entry",
    ),
    "the policy looks at plates": (
        "11. The core",
        "agent/core/policy/decide.py",
        "import agent.core.reading.sighting",
    ),
    "formats that know the policy": (
        "11. The core",
        "agent/core/wire/sealed_read.py",
        "import agent.core.policy.policy",
    ),
    "a stray module in the core": ("11. The core", "agent/core/helpers.py", "VALUE = 1"),
    "a side in another side": (
        "12. One process",
        "agent/sides/update.py",
        "import agent.sides.walls",
    ),
    "a stray side": ("12. One process", "agent/sides/helpers.py", "VALUE = 1"),
    "the clerk's work on a camera": (
        "13. A city's tools",
        "agent/sides/watch.py",
        "import agent.city.city_lock",
    ),
    "the clerk's answers on a camera": (
        "13. A city's tools",
        "agent/doctor/trust.py",
        "import agent.core.judging.explain.answers",
    ),
    "the auditor's work on a camera": (
        "13. A city's tools",
        "agent/sides/camera_state.py",
        "import agent.audit.verdict",
    ),
    "the product looks at its measure": (
        "7. The product",
        "agent/commands/read.py",
        "import bench",
    ),
}


def lint(folder):
    return subprocess.run(
        [str(LINTER), "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """One copy for all; `planted` leaves it as it was."""
    copy = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "agent", copy / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@contextmanager
def planted(path, text):
    """At the end of the file, or in a new one."""
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{text}\n")
    try:
        yield
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)


@pytest.mark.slow
@pytest.mark.parametrize("what", VIOLATIONS)
def test_a_violation_breaks_its_contract(tree, what):
    contract, file, line = VIOLATIONS[what]
    with planted(tree / file, line):
        done = lint(tree)
    broken = [text.replace("\n", " ") for text in done.stdout.split("\n\n") if "BROKEN" in text]
    assert done.returncode == 1
    assert any(contract in text for text in broken), done.stdout


@pytest.mark.slow
def test_a_type_is_no_dependency(tree):
    told = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import agent.ports"
    with planted(tree / "agent/network/bad.py", told):
        done = lint(tree)
    assert done.returncode == 0, done.stdout
