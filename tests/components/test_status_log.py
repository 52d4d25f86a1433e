"""`status` on the log and the mailboxes: an older log that is missing, one that was put back, files
that belong to nothing.
"""

import json
import shutil

import pytest

from agent.commands import status
from agent.core.log.floor import FILE_NAME
from agent.storage.floor_file import FloorKeeper, FloorWriter, open_above
from agent.storage.outbox import Outbox
from tests.support.audit_logs import (
    DEVICE,
    KEY,
    ORIGIN,
    TickingClock,
    sealed_read,
    write_public_keys,
)


class Rig:
    """A camera's folder as watch and deliver leave it."""

    def __init__(self, root, capsys):
        self.state, self.capsys = root / "state", capsys
        self.config = root / "platewarden.toml"
        self.config.write_text(f'camera_id = "{DEVICE}"\n')
        write_public_keys(root / "device" / "public.json")
        for name in ("receipts", "deliver"):
            (self.state / name).mkdir(parents=True)

    def works(self, number):
        shown = self.state / "receipts" / FILE_NAME
        source = self.state / "outbox" / FILE_NAME
        with open_above(
            self.state / "watch" / "log.sqlite", ORIGIN, KEY, TickingClock().now, shown
        ) as log:
            log.append("start", {})
            outbox = Outbox(self.state / "outbox", log, 100, 1_000)
            outbox.recover()
            outbox.put(sealed_read(number, outbox.next_sequence("exampleville-pd")))
            FloorWriter(source, log).write()
        public = KEY.public_key().public_bytes_raw()
        FloorKeeper(source, self.state / "deliver" / FILE_NAME, shown, ORIGIN, public).look()

    def told(self):
        """Its JSON, and its lines by their first word."""
        status.status(self.config, as_json=True)
        table = json.loads(self.capsys.readouterr().out)
        status.status(self.config, as_json=False)
        lines = self.capsys.readouterr().out.splitlines()
        return table, {line.split()[0]: line for line in lines if line.strip()}


@pytest.fixture
def rig(tmp_path, capsys):
    return Rig(tmp_path, capsys)


def test_a_log_in_order(rig):
    rig.works(1)
    table, lines = rig.told()
    assert table["log"]["put_back"] is False
    assert (table["log"]["leaves"], table["log"]["missing"]) == (2, 0)
    assert lines["Log"] == "Log       2 leaves"
    assert lines["Outbox"] == "Outbox    1 reads wait, of at most 5000"


def test_a_log_that_was_begun_anew(rig):
    rig.works(1)
    shutil.rmtree(rig.state / "watch")
    rig.works(2)
    table, lines = rig.told()
    assert (table["log"]["leaves"], table["log"]["missing"]) == (3, 2)
    assert "an older log of 2 leaves is MISSING" in lines["Log"]
    assert "begun anew 2027-01-15T12:00:01" in lines["Log"]


def test_a_log_that_was_put_back(rig, tmp_path):
    rig.works(1)
    copy = shutil.copytree(rig.state / "watch", tmp_path / "copy")
    rig.works(2)
    shutil.rmtree(rig.state / "watch")
    shutil.copytree(copy, rig.state / "watch")
    table, lines = rig.told()
    assert (table["log"]["put_back"], table["log"]["signed"]) == (True, 4)
    assert "PUT BACK: 4 leaves were signed, 2 are there" in lines["Log"]


def test_files_that_belong_to_nothing(rig):
    rig.works(1)
    (rig.state / "outbox" / "core.1234").touch()
    for number in range(5):
        (rig.state / "receipts" / f"strange-{number}").touch()
    table, lines = rig.told()
    assert (table["outbox"]["waiting"], table["outbox"]["strange"]) == (1, 6)
    assert lines["Outbox"].endswith("; 6 STRANGE FILES in outbox and receipts")


def test_before_watch_ever_ran(rig):
    assert "no audit log here" in rig.told()[1]["Log"]
