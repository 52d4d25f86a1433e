"""The small files of a trial: what is written is read, and nothing else is."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from agent.core.software.installed import (
    MAX_FAILED,
    MAX_MEMORY_BYTES,
    Installed,
    Memory,
    Step,
    Trial,
    format_memory,
    format_slot,
    parse_memory,
    parse_slot,
)
from agent.core.software.software_version import SoftwareVersion
from agent.errors import EnvelopeRefusedError

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
ONE = Installed(SoftwareVersion(1, 4, 0), "a" * 64, 3)
STEP = Step(7, NOW, "rolled back", "1.4.0", "a" * 64, "software-unhealthy", "watch has failed")
FULL = Memory(Trial(ONE, 9), (("a" * 64, 9), ("b" * 64, 10)), (STEP,))


def test_both_files_read_what_they_write():
    assert parse_slot(format_slot(ONE), "slot.json") == ONE
    for memory in (FULL, Memory()):
        assert parse_memory(format_memory(memory)) == memory


@given(some.integers(0, 300), some.text(max_size=300))
def test_however_much_happens_it_stays_readable(many, told):
    memory = Memory()
    for number in range(many):
        memory = memory.begun(Trial(ONE, number)).ended(1)
        memory = memory.noted(NOW, "refused", ONE, f"code-{number}", "x" * len(told))
    written = format_memory(memory)
    assert len(written) < MAX_MEMORY_BYTES
    assert parse_memory(written) == memory
    assert len(memory.failed) <= MAX_FAILED


def changed(**members):
    return json.dumps({**json.loads(format_memory(FULL)), **members}).encode()


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"v": 2}, "`v`"),
        ({"trial": {}}, "lacks"),
        ({"trial": {"version": "1", "sha256": "", "state": 1, "signed": 1}}, "`version`"),
        ({"failed": [1]}, "not a JSON object"),
        ({"failed": [{"sha256": "a", "signed": 1}] * 21}, "`failed`"),
        ({"steps": [{"n": 0}]}, "lacks"),
        ({"more": 1}, "does not know"),
    ],
)
def test_what_is_refused(members, told):
    with pytest.raises(EnvelopeRefusedError, match=told):
        parse_memory(changed(**members))


@pytest.mark.parametrize("text", [b"", b"{}", b'{"v":1,"version":"1.4","sha256":"","state":1}'])
def test_a_slot_that_is_refused(text):
    with pytest.raises(EnvelopeRefusedError, match=r"slot\.json"):
        parse_slot(text, "slot.json")
