"""`receiver status` and `receiver doctor` tell since when nobody vouches for its own logs, that of
access and that of holds.
"""

import json
from datetime import timedelta

import pytest

from agent import cli
from agent.audit.witnesses.told_reach import finding_of
from agent.audit.witnesses.witness_folder import new_witness
from agent.commands.receiver.receiver_options import own_logs
from agent.core.time.instant import Instant
from agent.receiver.inbox.access_log import access_log
from agent.receiver.logs.own_log import LogPlace, own_log
from tests.fakes.clock import FakeClock
from tests.support.receiving import Enrolled, this_instant
from tests.support.witness_logs import run

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def enrolled(tmp_path):
    return Enrolled(tmp_path / "receiver")


def looked(enrolled, times, clock=None):
    """Somebody signs in so many times."""
    with access_log(enrolled.folder, "exampleville-pd", clock or FakeClock()) as log:
        for _ in range(times):
            log.came("sign-in", "dora.lind")


def cosigned(enrolled, state):
    """What a daily job does: a witness signs, and its answer lies beside the log."""
    folder = enrolled.folder / "access-log"
    words = ("--state", state, "--key", folder / "public.json")
    assert run("witness", folder, *words).exit_code == 0
    [file] = state.glob("*.checkpoint")
    (folder / "cosigned").write_bytes(file.read_bytes())


def looked_at(enrolled, now):
    return finding_of(own_logs(enrolled.folder)["access"], now)


def told(capsys, *words):
    with pytest.raises(SystemExit):
        cli.main(["receiver", *map(str, words)])
    return capsys.readouterr().out


def test_without_the_inbox_there_is_nothing_to_vouch_for(enrolled, capsys):
    assert "log" not in told(capsys, "status", enrolled.folder)
    assert json.loads(told(capsys, "status", enrolled.folder, "--json"))["logs"] == {}
    assert str(looked_at(enrolled, this_instant()).health) == "skip"


def test_nobody_was_named(enrolled, capsys):
    looked(enrolled, 2)
    line = told(capsys, "status", enrolled.folder)
    assert "Access log 2 leaves; UNWITNESSED since 20" in line
    assert "no witnesses.policy says who must cosign" in line
    found = looked_at(enrolled, this_instant())
    assert (str(found.health), "UNWITNESSED since" in found.what) == ("warn", True)
    assert "audit submit" in found.fix


def test_as_far_as_they_vouch_and_since_when_not(enrolled, tmp_path, capsys):
    clock = FakeClock()
    looked(enrolled, 2, clock)
    vkey = str(new_witness(tmp_path / "witness", "witness.example/w1"))
    (enrolled.folder / "witnesses.policy").write_text(f"witness W {vkey}\nquorum W\n")
    cosigned(enrolled, tmp_path / "witness")
    assert own_logs(enrolled.folder)["access"].since == ""
    assert str(looked_at(enrolled, clock.now()).health) == "ok"
    clock.advance(60)
    looked(enrolled, 1, clock)
    table = json.loads(told(capsys, "status", enrolled.folder, "--json"))["logs"]["access"]
    assert (table["leaves"], table["witnessed"]) == (3, 2)
    assert table["since"] == clock.now().iso()
    # What came since the last job may wait for the next one, and for no longer.
    soon, late = (Instant(clock.now().utc + timedelta(hours=hours)) for hours in (25, 27))
    assert str(looked_at(enrolled, soon).health) == "ok"
    assert str(looked_at(enrolled, late).health) == "warn"


def test_the_hold_log_is_told_beside_it(enrolled, capsys):
    looked(enrolled, 1)
    place = LogPlace(enrolled.folder, "hold", "exampleville-pd")
    with own_log(place, FakeClock().now) as log:
        log.append("hold", {"act": "begin"})
    lines = told(capsys, "status", enrolled.folder).splitlines()
    assert [line[:10] for line in lines if "UNWITNESSED" in line] == ["Access log", "Hold log  "]
    found = own_logs(enrolled.folder)["hold"]
    assert str(finding_of(found, this_instant()).health) == "warn"


def test_another_history_beside_the_log_is_told(enrolled):
    looked(enrolled, 2)
    (enrolled.folder / "witnesses.policy").write_text("quorum none\n")
    (enrolled.folder / "access-log/cosigned").write_bytes(b"nonsense")
    found = looked_at(enrolled, this_instant())
    assert str(found.health) == "fail"
    assert own_logs(enrolled.folder)["access"].problem
