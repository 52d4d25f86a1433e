"""What systemd, deliver and doctor say of a trial's processes, and what is asked of systemd."""

import json
import subprocess
from datetime import UTC, datetime

import pytest

from agent.core.log.link_facts import Link, LinkFacts, format_facts
from agent.core.software.health_verdict import Unit
from agent.errors import StorageError
from agent.software import unit_control
from agent.software.unit_control import DELIVER, WATCH, SystemdUnits

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Systemd:
    """`answers`: by the first words of a command; `asked`: every command line."""

    def __init__(self, monkeypatch):
        self.answers, self.asked, self.failing = {}, [], set()
        monkeypatch.setattr(unit_control.subprocess, "run", self.run)

    def run(self, command, **_):
        line = " ".join(command)
        self.asked.append(line)
        if any(words in line for words in self.failing):
            return subprocess.CompletedProcess(command, 1, "", "no such unit")
        said = next((text for words, text in self.answers.items() if words in line), "")
        return subprocess.CompletedProcess(command, 0, said, "")


@pytest.fixture
def systemd(monkeypatch):
    return Systemd(monkeypatch)


@pytest.fixture
def units(tmp_path):
    return SystemdUnits(tmp_path / "links.json", tmp_path / "platewarden.toml")


def test_one_look(systemd, units):
    systemd.answers = {
        f"show {WATCH}": "ActiveState=active\nNRestarts=0\n",
        f"show {DELIVER}": "NRestarts=2\nActiveState=activating\n",
    }
    links = (Link("hall", NOW), Link("county", NOW, "out of reach"))
    units.links.write_bytes(format_facts(LinkFacts(NOW, running=True, links=links)))
    seen = units.seen()
    assert seen.units == {WATCH: Unit("active", 0), DELIVER: Unit("activating", 2)}
    assert (seen.connected, seen.faults) == (frozenset({"hall"}), None)
    units.links.write_bytes(format_facts(LinkFacts(NOW, running=False, links=links)))
    assert units.seen().connected == frozenset()
    units.links.write_bytes(b"odd")
    assert units.seen().connected == frozenset()


def test_doctor_is_asked_outside_our_walls_and_only_its_failures_count(systemd, units):
    found = [{"name": "keys", "health": "fail"}, {"name": "disk", "health": "warn"}]
    systemd.answers = {"doctor": json.dumps({"findings": found})}
    assert units.faults() == frozenset({"keys"})
    assert all(line.startswith("systemd-run --quiet --wait") for line in systemd.asked)
    assert [line.split()[-1] for line in systemd.asked] == ["trust", "machine"]


@pytest.mark.parametrize("said", ["", "no json", "[]", '{"findings": [{}]}', '{"findings": 1}'])
def test_a_doctor_that_does_not_answer_is_a_fault(systemd, units, said):
    systemd.answers = {"doctor": said}
    assert units.faults() == frozenset({"doctor trust", "doctor machine"})


def test_the_walls_are_started_anew_where_they_stand(systemd, units):
    units.start_anew()
    assert not [line for line in systemd.asked if " restart " in line]
    systemd.answers = {"is-active": "active\n"}
    systemd.failing = {"reset-failed"}
    units.start_anew()
    walls, rest = systemd.asked[-2:]
    assert walls == "systemctl restart --no-block platewarden-walls.service"
    assert rest == f"systemctl try-restart --no-block {WATCH} {DELIVER}"


def test_a_systemd_that_refuses_is_told(systemd, units):
    systemd.failing = {"try-restart"}
    with pytest.raises(StorageError, match="systemctl ended with 1: no such unit"):
        units.start_anew()


def test_a_systemd_that_is_not_there_or_hangs_is_told(monkeypatch, units):
    for error in (FileNotFoundError(2, "x"), subprocess.TimeoutExpired("systemctl", 20)):

        def fails(*_, error=error, **__):
            raise error

        monkeypatch.setattr(unit_control.subprocess, "run", fails)
        with pytest.raises(StorageError, match="could not run"):
            units.seen()
