"""A running camera: false leads stop a rule between two cars, in log and status, and a policy
of another version lets it go on.
"""

import pytest

from agent.commands import status_output
from agent.core.text.rfc3339 import parse_rfc3339
from agent.core.wire.receipt import Disposition, LeadOutcome
from agent.demo.throwaway_city import RECIPIENT
from agent.receiver.workplace import Workplace
from agent.sides.camera_state import collect
from agent.storage.leads.outcome_box import OutcomeBox
from tests.support.camera_rig import PLATE, copy_of
from tests.support.signed_camera import LONG_AGO_S, leaves, signed_camera

pytestmark = pytest.mark.usefixtures("quick_disk")
LIMIT = (b"max_per_hour = 20", b"max_per_hour = 20\nmax_false_leads = 1")


@pytest.fixture
def camera(installed, tmp_path):
    made = signed_camera(copy_of(installed, tmp_path))
    made.city.edit_policy(*LIMIT)
    made.publish()
    return made


def report(camera, disposition):
    """The recipient's word on the newest read that was released."""
    newest = leaves(camera.settings, "release")[-1]
    (folder,) = camera.settings.state.parents[0].rglob("receiver.toml")
    signer = Workplace(folder.parent).signer()
    outcome = LeadOutcome(
        newest["read"],
        camera.settings.camera_id,
        RECIPIENT,
        disposition,
        parse_rfc3339(newest["at"]),
    )
    OutcomeBox(camera.settings.receipts, 4_096).keep(newest["read"], signer.outcome(outcome))


def long_later(camera, what):
    def script():
        camera.machine.advance(LONG_AGO_S)
        what()

    return script


def lines(camera):
    return list(status_output._lines(collect(camera.settings)))


def test_a_rule_stops_by_itself_and_says_so(camera, monkeypatch, capsys):
    camera.script[1] = long_later(camera, lambda: report(camera, Disposition.WRONG_PLATE))
    camera.watch(monkeypatch, cars=2)
    assert len(leaves(camera.settings, "release")) == 1
    (outcome,) = leaves(camera.settings, "outcome")
    assert outcome["outcome"] == "wrong-plate"
    assert [leaf["reason"] for leaf in leaves(camera.settings, "refusal")] == ["false-leads"]
    counts = [leaf["reasons"] for leaf in leaves(camera.settings, "counts")]
    assert sum(one.get("false-leads", 0) for one in counts) == 1
    said = [line for line in lines(camera) if "STOPPED by false leads" in line]
    assert "stolen-and-amber" in said[0]
    assert "stopped: too many false leads" in capsys.readouterr().err
    assert PLATE not in str(leaves(camera.settings))


def test_a_right_car_stops_nothing(camera, monkeypatch):
    camera.script[1] = long_later(camera, lambda: report(camera, Disposition.RIGHT_CAR))
    camera.watch(monkeypatch, cars=2)
    assert len(leaves(camera.settings, "release")) == 2
    assert not [line for line in lines(camera) if "STOPPED" in line]


def test_another_version_of_the_policy_lets_it_go_on(camera, monkeypatch):
    def another():
        camera.city.now = camera.machine.real
        camera.city.edit_policy(b"version = 1", b"version = 2")
        camera.publish()

    camera.script[1] = long_later(camera, lambda: report(camera, Disposition.WRONG_STATE))
    camera.script[2] = long_later(camera, another)
    camera.watch(monkeypatch, cars=3)
    assert [leaf["policy_version"] for leaf in leaves(camera.settings, "release")] == [1, 2]
