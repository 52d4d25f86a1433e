"""What `bundle publish` says after writing: what a camera makes of it, and what ends when."""

import json
from datetime import datetime

import pytest

from agent.bundles.repository import writer
from agent.commands.bundle import publish as command
from tests.support.clerk_city import FIRST, NEXT_DAY, camera

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture(autouse=True)
def _any_day(monkeypatch):
    """These days lie ahead, where `--on` leads only in a rig's city."""
    monkeypatch.setattr(command, "moment", lambda on, **_: datetime.fromisoformat(on))


def test_a_camera_takes_it(open_desk):
    done = open_desk.publish("--renew", on=NEXT_DAY)
    assert done.code == 0
    assert "A camera takes this" in done.out
    table = json.loads(open_desk.publish("--renew", "--json", on="2026-11-22T06:00:00Z").out)
    assert table["camera"] == {"takes_it": True}


def test_a_camera_that_refuses_it_is_told_and_is_exit_3(open_desk, monkeypatch):
    """A file that was lost on the way to the disk: "Published" was said over it."""
    finish = writer.Writing.finish

    def lose(self, timestamp):
        finish(self, timestamp)
        next((self.folder / "targets").glob("*.charter.toml")).unlink()

    monkeypatch.setattr(writer.Writing, "finish", lose)
    done = open_desk.publish("--renew", on=NEXT_DAY)
    monkeypatch.undo()
    assert done.code == 3
    assert "A camera refuses this" in done.err
    assert "bundle-incomplete" in done.err
    assert camera(open_desk, NEXT_DAY).reason == "bundle-incomplete"


def test_a_policy_that_has_ended_is_renewed_around_and_is_exit_3(open_desk):
    """The daily job was green for eleven weeks after the policy had expired."""
    done = open_desk.publish("--renew", "--json", on="2027-05-02T06:00:00Z")
    assert done.code == 3
    table = json.loads(done.out)
    assert table["published"], "what can be renewed is renewed"
    assert table["camera"]["takes_it"] is False
    ended = {each["what"] for each in table["ends"] if each["ended"]}
    assert any("policy.toml" in what for what in ended)


@pytest.mark.parametrize("days_before", [29, 31])
def test_what_ends_within_thirty_days_is_a_line(open_desk, days_before):
    day = {29: "2027-04-02T06:00:00Z", 31: "2027-03-31T06:00:00Z"}[days_before]
    done = open_desk.publish("--renew", on=day)
    assert ("policy.toml, version 7: ends 2027-05-01" in done.out) is (days_before == 29)


def test_a_role_that_ends_names_who_must_sign(open_desk):
    done = open_desk.publish("--renew", on="2027-05-10T06:00:00Z")
    line = next(line for line in (done.out + done.err).splitlines() if "role policy" in line)
    assert "Dora Lind" in line
    assert "2 of 3" in line
    assert "platewarden bundle sign --role policy" in line


def test_nothing_that_ends_soon_is_no_line(open_desk):
    done = open_desk.publish("--renew", on=NEXT_DAY)
    assert "ends" not in done.out.replace("until", "")
    assert open_desk.publish(on=FIRST).out.startswith("Nothing new")
