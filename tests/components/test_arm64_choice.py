"""`make test-arm64` picks its tests by a rule: the rule finds the four parts, and nothing that
starts processes.
"""

import pytest

from tests.arm64 import choose


@pytest.mark.parametrize(
    ("part", "files"),
    [
        (
            "vision",
            {
                "test_vision",
                "test_detector",
                "test_aligner",
                "test_recognizer",
                "test_shipped_networks",
            },
        ),
        ("sealing", {"test_sealing", "test_sealer", "test_verifier"}),
        ("policy", {"test_matching", "test_second_model"}),
        ("mailbox", {"test_mailbox", "test_outbox", "test_receipt_box"}),
    ],
)
def test_each_part_has_its_tests(part, files):
    assert files <= {file.stem for file, parts in choose.chosen().items() if part in parts}


def test_what_starts_processes_stays_out(tmp_path):
    file = tmp_path / "test_x.py"
    file.write_text("from agent.vision import models\n")
    assert choose.parts_of(file) == {"vision"}
    file.write_text("from agent.vision import models\ndef test():\n    import subprocess\n")
    assert choose.parts_of(file) == set()
    file.write_text(
        "from agent.vision import models\nfrom tests.support.demo_run import shared_demo\n"
    )
    assert choose.parts_of(file) == set(), "nor what a helper starts"


def test_a_module_s_name_is_compared_whole():
    assert choose.touches({"agent.storage.outbox"}, ("agent.storage",))
    assert not choose.touches({"agent.storages"}, ("agent.storage",))
