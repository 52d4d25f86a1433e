"""A broker list for each group of cameras: what a camera may reach, what the city's tools say, and
how a group comes into the roster.
"""

import json
import re
from datetime import UTC, date, datetime

import pytest

from agent import cli
from agent.city.pages import explain_text
from agent.city.pages.explain_page import render
from agent.core.judging.check.policy_check import Against, File, check_policy
from agent.core.judging.diff.diff_words import compare
from agent.core.judging.explain.answers import explain
from agent.core.judging.explain.false_leads import Inputs, estimate_all
from agent.core.policy.camera_roster import CameraRoster, in_place, parse_roster, require_broker
from agent.core.policy.charter import parse_charter
from agent.core.policy.policy import Policy
from agent.core.policy.roster_csv import parse_roster_csv
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.policy.wall_rules import gates
from agent.core.reasons import Reason
from agent.errors import ConfigError, DestinationRefusedError, PolicyRefusedError
from agent.network.egress import Egress
from agent.sealing.camera_keys import make_kit
from agent.sides import walls as walls_side
from tests.components.test_walls import Machine
from tests.support.bundle_city import POLICY
from tests.support.clerk_city import LATER, found, publish_first
from tests.support.judging import EXAMPLE
from tests.support.policy_texts import DAY, HALL, ROSTER, files, toml
from tests.unit.test_explaining import BASE, CHARTER

NORTH = HALL | {"id": "north", "addresses": ["203.0.113.20:8883"], "groups": ["north"]}
SOUTH = HALL | {"id": "south", "addresses": ["203.0.113.30:8883"], "groups": ["south"]}
PD, SHERIFF = ["town-pd"], ["county-sheriff"]
SPLIT = BASE | {
    "broker": [
        SOUTH | {"recipients": PD + SHERIFF},
        NORTH | {"recipients": PD},
        HALL | {"recipients": SHERIFF},
    ]
}


def obeyed(values=SPLIT, roster=ROSTER) -> Policy:
    charter = parse_charter(CHARTER, "charter.toml")
    return in_place(
        parse_policy(toml(values), "policy.toml"), charter, parse_roster(roster, "roster.toml")
    )


def names(policy, camera):
    return [broker.id for broker in policy.brokers_of(camera)]


def test_each_camera_has_the_brokers_of_its_group_and_those_of_every_group():
    policy = obeyed()
    assert [names(policy, camera) for camera in ("cam-1", "cam-2", "cam-3", "no-such")] == [
        ["hall"],
        ["north", "hall"],
        ["south", "hall"],
        ["hall"],
    ]
    assert (policy.served("town-pd", "cam-1"), policy.served("town-pd", "cam-2")) == (False, True)
    assert gates(policy, "cam-2").brokers == (("203.0.113.10", 8883), ("203.0.113.20", 8883))


def test_without_groups_nothing_is_different():
    policy = obeyed(BASE)
    assert names(policy, "cam-1") == names(policy, "no-such") == ["hall"]
    assert parse_policy(toml(BASE), "policy.toml").served("town-pd", "cam-1")


def test_groups_that_no_roster_was_asked_about_have_no_camera():
    bare = parse_policy(toml(SPLIT), "policy.toml")
    assert names(bare, "cam-2") == ["hall"]
    with pytest.raises(PolicyRefusedError) as refused:
        require_broker(
            parse_policy(toml(BASE | {"broker": [NORTH | {"recipients": PD + SHERIFF}]}), "p"),
            "cam-2",
        )
    assert refused.value.reason is Reason.NO_BROKER_FOR_CAMERA


def test_a_broker_of_another_group_is_refused_before_a_socket_opens():
    egress = Egress(obeyed().brokers_of("cam-2"))
    egress.permit("north", "203.0.113.20", 8883)
    for broker, address in (("south", "203.0.113.30"), ("north", "203.0.113.30")):
        with pytest.raises(DestinationRefusedError) as refused:
            egress.permit(broker, address, 8883)
        assert refused.value.reason is Reason.DESTINATION_NOT_IN_POLICY
    assert not egress.listed("203.0.113.30", 8883)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"groups": []}, "from 1 to 64 entries"),
        ({"groups": "north"}, "list"),
        ({"groups": ["North*"]}, "wildcards are not allowed"),
        ({"group": ["north"]}, "unknown key"),
    ],
)
def test_groups_are_spelled_one_way(table, told):
    with pytest.raises(ConfigError) as refused:
        parse_policy(toml(BASE | {"broker": [HALL | {"recipients": PD} | table]}), "policy.toml")
    assert told in refused.value.what


# --- the kernel's walls ---


@pytest.fixture
def here(tmp_path, monkeypatch, quick_disk):
    return Machine(tmp_path, monkeypatch)


def in_group(here, group):
    text = here.city.files[POLICY]["policy/roster.toml"]
    at = text.index(b'mount = "fixed"', text.index(b'id = "main-street-2"'))
    here.city.files[POLICY]["policy/roster.toml"] = (
        text[:at] + b'group = "%s"\n' % group.encode() + text[at:]
    )


def test_the_walls_are_open_to_the_cameras_own_brokers_alone(here):
    in_group(here, "north")
    table = here.city.files[POLICY]["policy/policy.toml"].split(b"[[broker]]")[1].split(b"[[")[0]
    other = table.replace(b"203.0.113.10", b"203.0.113.30").replace(
        b"2001:db8::10", b"2001:db8::30"
    )
    other = other.replace(b'"city-hall"', b'"south"') + b'groups = ["south"]\n'
    here.city.edit_policy(b"[[broker]]" + table, b"[[broker]]" + table + b"[[broker]]" + other)
    done = here.raised()
    assert done.refused is None
    assert here.allowed() == ["2001:db8::10", "203.0.113.10"]
    assert "203.0.113.30" not in (here.out / "platewarden.nft").read_text()
    here.city.edit_policy(b'groups = ["south"]', b'groups = ["north", "south"]')
    here.raised()
    assert "203.0.113.30" in here.allowed()


def test_a_camera_of_no_group_that_a_broker_is_for_has_walls_without_a_gate(here):
    here.city.edit_policy(
        b'recipients = ["exampleville-pd"', b'groups = ["north"]\nrecipients = ["exampleville-pd"'
    )
    done = here.raised()
    assert (here.allowed(), done.gates.brokers) == ([], ())
    assert done.refused.reason is Reason.NO_BROKER_FOR_CAMERA
    assert "main-street-2" in done.made_from
    in_group(here, "north")
    here.city.release(POLICY)
    here.city.online()
    here.raised()
    assert here.allowed() == ["2001:db8::10", "203.0.113.10"]
    assert walls_side.run(here.settings, here.out).refused is None


# --- what the city's tools say ---


def checked(values, roster=ROSTER):
    return check_policy(
        File(toml(values), "policy.toml"),
        Against(
            File(CHARTER, "charter.toml"), File(roster, "roster.toml"), None, date(2026, 12, 1)
        ),
    )


def found_in(findings):
    return [(one.where, str(one.code), one.field, one.what) for one in findings if one.code]


def test_policy_check_names_rules_that_some_cameras_cannot_deliver():
    told = checked(SPLIT)
    assert found_in(told.faults) == []
    notes = [note for note in told.notes if note.code == Reason.NO_BROKER_FOR_RECIPIENT]
    assert found_in(notes) == [
        (
            "policy.toml",
            "no-broker-for-recipient",
            "release.recipient",
            "1 of no group (cam-1): no broker carries this rule's reads from there",
        )
    ]
    assert toml(SPLIT).decode().splitlines()[notes[0].line - 1] == 'recipient = "town-pd"'
    assert not [one for one in checked(BASE).notes if "broker" in one.code]


def test_policy_check_names_cameras_that_nobody_hears_and_groups_that_nobody_is_of():
    told = checked(
        BASE | {"broker": [NORTH | {"groups": ["north", "nroth"]} | {"recipients": PD + SHERIFF}]}
    )
    assert [(where, code) for where, code, *_ in found_in(told.faults)] == [
        ("policy.toml", "group-not-in-roster"),
        ("roster.toml", "no-broker-for-camera"),
        ("roster.toml", "no-broker-for-camera"),
    ]
    first, *others = [fault.what for fault in told.faults]
    assert "'nroth'" in first
    assert [re.match(r"1 of (no group|group 'south') \(cam-.\)", one)[1] for one in others] == [
        "no group",
        "group 'south'",
    ]


def lawful(values, roster=ROSTER):
    return files(values, charter=CHARTER, roster=roster)


def test_explain_says_over_which_brokers_and_why_not_from_elsewhere():
    told = explain(lawful(SPLIT), DAY, recipient="town-pd")
    (grant,) = told.grants
    assert (grant.cameras, grant.brokers) == (("cam-2", "cam-3"), ("south", "north"))
    leads = estimate_all(told, Inputs(listed=0), None)
    text = "\n".join(explain_text.one(told, leads, policy_file="p", charter_file="c"))
    assert "over south (for south), north (for north)" in text
    assert "no broker for the group of cam-1 carries its readings" in text
    assert 'groups = ["north"]' in text, "the line on which it rests"
    assert "south (for south), north (for north)" in render(told, leads)
    only = explain(lawful(SPLIT), DAY, recipient="town-pd", camera="cam-2")
    assert [one.brokers for one in only.grants] == [("north",)]
    none = explain(lawful(SPLIT), DAY, recipient="town-pd", camera="cam-1")
    (answer,) = none.answers
    assert not answer.allowed
    assert Reason.NO_BROKER_FOR_RECIPIENT in [one.reason for one in answer.obstacles]
    (everywhere,) = explain(lawful(BASE), DAY, recipient="town-pd").grants
    assert everywhere.brokers == ("hall",)


def test_explain_asks_the_roster_where_there_is_no_charter_yet():
    draft = files(SPLIT, roster=ROSTER)
    (grant,) = explain(draft, DAY, recipient="town-pd").grants
    assert (grant.cameras, grant.brokers) == (("cam-2", "cam-3"), ("south", "north"))
    moved = files(SPLIT, roster=ROSTER.replace(b'"south"', b'"west"'))
    assert [change.says for change in compare(draft, moved).restricts] == [
        "Town Police (town-pd), for recovery, no longer receives from cam-3"
    ]


def test_explain_says_where_no_roster_tells_groups():
    for camera, which in (("", "any camera"), ("cam-2", "cam-2")):
        (answer,) = explain(
            files(SPLIT, charter=CHARTER), DAY, recipient="town-pd", camera=camera
        ).answers
        said = [one.says for one in answer.obstacles if "no broker" in one.says]
        unknown = "(no roster says of which group each is)"
        assert said == [
            f'rule "stolen": no broker for the group of {which} {unknown} carries its readings'
        ]


def test_explain_looks_groups_up_once_and_not_once_a_camera(monkeypatch):
    looked, real = [], CameraRoster.of
    monkeypatch.setattr(
        CameraRoster, "of", lambda roster, groups: looked.append(groups) or real(roster, groups)
    )
    many = b"".join(
        b'\n[[camera]]\nid = "south-%d"\nstands = "x"\nnear = []\nmount = "fixed"\ngroup = "west"\n'
        % n
        for n in range(50)
    )
    explain(lawful(SPLIT, ROSTER + many), DAY, recipient="town-pd")
    assert len(looked) < 20


def test_a_diff_tells_groups_that_changed_and_cameras_that_moved():
    told = compare(lawful(SPLIT), lawful(SPLIT, ROSTER.replace(b'"south"', b'"north"')))
    assert [note.says for note in told.notes] == ["now of group north: cam-3"]
    assert 'groups = ["north"]' in [line.text for line in told.notes[0].cited]
    wider = [SPLIT["broker"][0], NORTH | {"groups": ["north", "west"], "recipients": PD}]
    told = compare(lawful(SPLIT), lawful(SPLIT | {"broker": [*wider, SPLIT["broker"][2]]}))
    assert "broker north: other groups" in [note.says for note in told.notes]
    fewer = compare(lawful(BASE), lawful(SPLIT))
    assert [change.says for change in fewer.restricts] == [
        "Town Police (town-pd), for recovery, no longer receives from cam-1"
    ]
    assert [line.text for line in fewer.restricts[0].cited] == [
        'groups = ["south"]',
        'groups = ["north"]',
    ]


# --- how a group comes into the roster ---


def test_a_batch_names_groups(tmp_path):
    text = "id,stands,near,mount,group\ncam-1,Main Street,,fixed,north\ncam-2,Oak Street,,fixed,\n"
    rows = parse_roster_csv(text.encode(), "roster.csv")
    assert [row.group for row in rows] == ["north", ""]
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(SystemExit) as stop:
        cli.main(
            ["provision", "--batch", str(tmp_path / "roster.csv"), "--out", str(tmp_path / "o")]
        )
    assert not stop.value.code
    tables = b'city = "-"\n' + (tmp_path / "o/enrolments/roster.toml").read_bytes()
    cameras = parse_roster(tables, "roster.toml").cameras
    assert [cameras[name].group for name in ("cam-1", "cam-2")] == ["north", ""]
    with pytest.raises(ConfigError, match="no identifier"):
        parse_roster_csv(text.replace(",north", ",North Side").encode(), "roster.csv")
    with pytest.raises(ConfigError, match="did you mean `group`"):
        parse_roster_csv(text.replace("mount,group", "mount,groop").encode(), "roster.csv")


def test_enrolling_keeps_the_group_and_show_counts_cameras(tmp_path, capsys, quick_disk):
    desk = publish_first(found(tmp_path, capsys))
    batch = desk.folder / "batch"
    batch.mkdir()
    for name in ("north-1", "north-2"):
        kit = make_kit(name, datetime(2026, 11, 20, tzinfo=UTC))
        (batch / f"{name}.json").write_bytes(kit.public["enrolment.json"])
    (batch / "roster.toml").write_text(
        "".join(
            f'[[camera]]\nid = "{name}"\nstands = "North"\nnear = []\nmount = "fixed"\n'
            'group = "north"\n'
            for name in ("north-1", "north-2")
        )
    )
    seen = json.loads(desk.run("bundle", "show", "--city", desk.city, "--json").out)
    assert seen["brokers"] == []
    desk.edit("policy.toml", "version = 7", "version = 8")
    text = (desk.city / "policy.toml").read_text()
    table = text.split("[[broker]]")[1].split("[[")[0]
    other = table.replace('"city-hall"', '"north"').replace(".10:", ".20:") + 'groups = ["north"]\n'
    (desk.city / "policy.toml").write_text(text.replace(table, f"{table}[[broker]]{other}"))
    key = ("--roster-key", desk.key("roster"), "--passphrase-file", desk.folder / "passphrase")
    signed = desk.sign("dora", "--enrol", batch, *key, on=LATER)
    assert signed.code == 0, signed.err
    assert "a new broker carries sealed reads: north" in signed.out
    assert desk.sign("eli", on=LATER).code == 0
    assert desk.publish(on=LATER).code == 0
    roster = (desk.city / "roster.toml").read_text()
    assert roster.count('group = "north"') == 2
    told = desk.run("bundle", "show", "--city", desk.city, on=LATER).out
    assert "broker north: for north, 2 cameras" in told
    assert "broker city-hall: for every group, 8 cameras" in told
    assert EXAMPLE.joinpath("roster.toml").read_text().count("[[camera]]") + 2 == 8
