"""What signing shows, what it refuses and by what code: `bundle key`, `bundle sign`, `bundle init`,
enrolment.
"""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from agent.bundles.generation import Generation
from agent.city.rig_city import found_rig
from agent.errors import ConfigError
from tests.support.clerk_city import (
    CAMERA,
    FIRST,
    LATER,
    NEXT_DAY,
    OTHER,
    Desk,
    camera,
    init,
    is_error,
)

pytestmark = pytest.mark.usefixtures("quick_disk")


def test_two_of_three_and_a_camera_obeys(desk):
    for who in ("ada", "dora"):
        assert desk.sign(who).code == 0
    is_error(
        desk.publish(),
        3,
        "bundle-signature-threshold",
        '"Ada Ortiz": 1 of 2',
        '"Ben Cho" or "Cleo Park"',
    )
    desk.sign("cleo")
    is_error(
        desk.publish(),
        3,
        "role policy",
        '"Dora Lind": 1 of 2',
        '"Eli Roy" or "Fay Sun"',
        "bundle sign --role policy",
    )
    assert not desk.repository.exists()
    last = desk.sign("fay", "--json")
    assert json.loads(last.out)["signed"][0]["missing"] == 0
    assert desk.publish().code == 0
    generation = camera(desk, LATER)
    assert generation.city_id == "exampleville"
    assert (generation.city / "policy.toml").read_bytes() == (
        desk.city / "policy.toml"
    ).read_bytes()


def test_the_first_signature_shows_who_gains_and_leaves_it_pending(desk):
    done = desk.sign("dora")
    assert "It lets out more, the worst first" in done.out
    assert (
        "Exampleville Police Department "
        "(exampleville-pd) can receive reads, which it could not before"
    ) in done.out
    assert "Pending" in done.out
    assert '"Dora Lind": 1 of 2; to come from "Eli Roy" or "Fay Sun"' in done.out
    table = json.loads(desk.sign("eli", "--json").out)
    assert [change["kind"] for change in table["change"]["policy"]["lets_out"]][:2] == [
        "recipient",
        "recipient",
    ]
    assert table["signed"][0]["standings"][0]["signed_by"] == ["Dora Lind", "Eli Roy"]


def test_no_is_no(desk, monkeypatch):
    monkeypatch.setattr("typer.confirm", lambda *_args, **_options: False)
    before = desk.files()
    done = desk.run("bundle", "sign", "--city", desk.city, "--key", desk.key("ada"))
    assert (done.code, done.err) == (1, "Nothing was signed.\n")
    assert desk.files() == before


def test_one_key_counts_once(desk):
    desk.sign("dora")
    before = desk.files()
    is_error(
        desk.sign("dora"), 3, "bundle-same-signer-twice", '"Dora Lind": 1 of 2', "another holder"
    )
    is_error(desk.sign("dora", "--role", "policy"), 3, "bundle-same-signer-twice")
    assert desk.files() == before


def test_a_ca_file_with_notes_is_signed_and_one_without_a_certificate_is_not(open_desk):
    file = open_desk.city / "ca/city-hall-ca.pem"
    sound = file.read_bytes()
    for odd in (b"a note\n", sound.replace(b"\n-----END", b"!\n-----END"), sound[:-30]):
        file.write_bytes(odd)
        is_error(open_desk.sign("dora"), 2, "city-hall-ca.pem", "no certificate in PEM")
    file.write_bytes("\ufeffStädtische Stelle\r\n".encode() + sound.replace(b"\n", b"\r\n"))
    assert open_desk.sign("dora").code == 0


def test_the_authority_of_a_bundle_source_is_signed_with_those_of_brokers(desk):
    """It was left out: every camera refused the bundles of such a city."""
    broker = (desk.city / "policy.toml").read_text().split("[[broker]]")[1].split("[[")[0]
    lines = [line for line in broker.splitlines() if not line.startswith("recipients")]
    source = "\n".join(lines).replace('"city-hall"', '"web"').replace("city-hall-ca", "web-ca")
    with (desk.city / "policy.toml").open("a") as policy:
        policy.write(f"\n[[bundle_source]]{source}\n")
    assert "ca/web-ca.pem is missing" in desk.sign("ada").out
    assert desk.sign("ben").code == 0
    is_error(desk.sign("dora"), 2, "ca/web-ca.pem", "bundle source 'web' needs it")
    shutil.copy(desk.city / "ca/city-hall-ca.pem", desk.city / "ca/web-ca.pem")
    for who in ("dora", "eli"):
        assert desk.sign(who).code == 0
    assert desk.publish().code == 0
    taken = camera(desk, LATER)
    assert isinstance(taken, Generation), taken
    assert (taken.city / "ca/web-ca.pem").is_file()


def test_a_key_without_the_role(open_desk):
    is_error(
        open_desk.sign("ada", "--role", "policy"),
        2,
        "Ada Ortiz, does not hold role policy",
        '"Dora Lind", "Eli Roy", "Fay Sun"',
    )
    is_error(open_desk.sign("gus"), 2, "holds no role", "bundle show")
    is_error(open_desk.sign("ada", "--role", "mayor"), 2, "no role mayor", "root, targets, policy")
    is_error(
        open_desk.sign("daily", "--role", "timestamp"),
        2,
        "signed by its online key",
        "bundle publish",
    )
    is_error(open_desk.publish("--renew", key="dora"), 2, "does not hold role snapshot", "City IT")


def test_keys_that_cannot_be_used(desk):
    desk.key("ada").chmod(0o640)
    is_error(desk.sign("ada"), 1, "only its owner", "chmod 600")
    is_error(desk.sign("nobody"), 1, "nobody.pem", "no such key file", "bundle key")
    desk.key("ben").write_text("not a key")
    is_error(desk.sign("ben"), 2, "not a PEM private key")
    is_error(
        desk.run("bundle", "sign", "--city", desk.city, "--key", "pkcs11:nonsense", "--yes"),
        2,
        "PKCS#11 URI",
        "pkcs11:token=",
    )


def test_passphrases(desk, monkeypatch):
    def make_key(name, holder, file):
        whose = ("--holder", holder, "--passphrase-file", file)
        return desk.run("bundle", "key", desk.folder / name, *whose, on="")

    file = desk.folder / "passphrase"
    assert make_key("hana", "Hana Vogt", file).code == 0
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in desk.key("hana").read_bytes()
    assert desk.key("hana").stat().st_mode & 0o777 == 0o600
    is_error(make_key("hana", "Hana Vogt", file), 2, "not overwritten")
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: PTH123, SIM115 (no terminal)
    is_error(desk.sign("hana"), 2, "no terminal", "--passphrase-file")
    file.write_text("something else\n")
    is_error(desk.sign("hana", "--passphrase-file", file), 2, "hana.pem", "wrong passphrase")
    file.chmod(0o644)
    is_error(desk.sign("hana", "--passphrase-file", file), 1, "only its owner")
    short = desk.folder / "short"
    short.write_text("short\n")
    short.chmod(0o600)
    is_error(make_key("ivo", "Ivo", short), 2, "10 characters")
    assert not desk.key("ivo").exists()


def test_drafts_that_change_after_the_first_signature(desk):
    desk.sign("dora")
    desk.edit("policy.toml", "max_per_hour = 20", "max_per_hour = 200")
    is_error(
        desk.sign("eli"),
        2,
        "role policy",
        'signed by "Dora Lind"',
        "policy/policy.toml: changed",
        "--start-again",
    )
    assert (
        '1 of 2; to come from "Dora Lind" or "Fay Sun"'
        in desk.sign("eli", "--role", "policy", "--start-again").out
    )


def test_a_second_signer_needs_no_drafts(desk):
    desk.sign("dora")
    for name in ("policy.toml", "charter.toml", "roster.toml"):
        (desk.city / name).unlink()
    assert "2 of 2" in desk.sign("eli", "--role", "policy").out
    assert desk.sign("ada").code == 0


def test_what_was_pending_was_altered(desk):
    desk.sign("dora")
    (file,) = (desk.city / "pending/policy/targets/policy").glob("*.policy.toml")
    file.write_bytes(file.read_bytes().replace(b"max_per_hour = 20", b"max_per_hour = 99"))
    is_error(desk.sign("eli"), 2, "policy.toml", "not what was signed", "--start-again")


def test_a_pending_version_that_is_not_the_next(open_desk):
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    open_desk.sign("dora")
    kept = shutil.copytree(open_desk.city / "pending", open_desk.folder / "kept")
    open_desk.sign("eli")
    assert open_desk.publish(on=LATER).code == 0
    shutil.copytree(kept, open_desk.city / "pending", dirs_exist_ok=True)
    is_error(
        open_desk.sign("fay", "--role", "policy"),
        2,
        "pending is version 2, and version 2 is published",
        "--start-again",
    )
    is_error(open_desk.publish(), 2, "pending is version 2, and version 2 is published")


def test_policies_that_must_not_be_signed(open_desk):
    open_desk.edit("policy.toml", 'retention = "21d"', 'retention = "90d"')
    before = open_desk.files()
    is_error(open_desk.sign("dora"), 3, "charter-retention", "retention 90d is longer")
    open_desk.edit("policy.toml", 'retention = "90d"', 'retention = "14d"')
    is_error(open_desk.sign("dora"), 2, "has version 7", "write version = 8")
    open_desk.edit("policy.toml", "version = 7", "version = [")
    is_error(open_desk.sign("dora"), 2, "policy.toml:")
    (open_desk.city / "policy.toml").unlink()
    is_error(open_desk.sign("dora", "--role", "policy"), 2, "policy.toml", "policy new")
    assert open_desk.files() == before


def test_a_charter_that_forbids_the_policy_in_force_waits_for_another_policy(open_desk):
    open_desk.edit("charter.toml", 'max_retention = "21d"', 'max_retention = "7d"')
    is_error(open_desk.sign("ada"), 3, "charter-retention")
    open_desk.edit("charter.toml", 'max_retention = "7d"', 'max_retention = "20d"')
    open_desk.edit("policy.toml", 'retention = "21d"', 'retention = "20d"')
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    for who in ("dora", "eli", "ada", "ben"):  # the policy first: the old charter allows it as well
        assert open_desk.sign(who).code == 0
    assert open_desk.publish(on=LATER).code == 0
    assert camera(open_desk, LATER).versions["targets"] == 2


def test_a_policy_signed_ahead_waits_for_its_day(open_desk):
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    open_desk.edit("policy.toml", "effective = 2026-11-01", "effective = 2026-11-22")
    for who in ("dora", "eli"):
        open_desk.sign(who)
    is_error(open_desk.publish(on=LATER), 3, "policy-not-in-force", "2026-11-22", "--renew")
    assert "Still pending: policy" in open_desk.publish("--renew", on=LATER).out
    assert camera(open_desk, LATER).versions["policy"] == 1
    assert "policy 2" in open_desk.publish("--renew", on="2026-11-22T05:00:00Z").out


def test_the_future_is_not_signed(open_desk):
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    is_error(open_desk.publish("--renew", on=tomorrow), 2, "--on", "in the future")
    is_error(open_desk.publish("--renew", on="yesterday"), 2, "--on", "no time")
    open_desk.publish("--renew", on=LATER)
    is_error(open_desk.publish("--renew", on=FIRST), 2, "issued later", "set the clock")


def test_nothing_of_an_earlier_city_is_overwritten(desk):
    before = desk.files()
    is_error(desk.run(*init(desk)), 2, "pending", "not overwritten")
    assert desk.files() == before


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda line: [*line, "--threshold", "1"], 3, ("bundle-threshold-too-low", "2 signatures")),
        (lambda line: [*line, "--threshold", "4"], 2, ("4 signatures of 3",)),
        (
            lambda line: [part for part in line if part not in {"--id", "exampleville"}],
            2,
            ("--id",),
        ),
        (
            lambda line: [str(part).replace("cleo.pub", "ada.pub") for part in line],
            2,
            ("same key",),
        ),
        (
            lambda line: [str(part).replace("cleo.pub", "none.pub") for part in line],
            2,
            ("none.pub", "bundle key"),
        ),
        (
            lambda line: [
                str(part).replace("exampleville-pd=", "exampleville-pd:") for part in line
            ],
            2,
            ("ID=FILE.pub",),
        ),
        (
            lambda line: line[: line.index("--online")] + line[line.index("--online") + 2 :],
            2,
            ("--online",),
        ),
    ],
)
def test_cities_that_cannot_be_founded(desk, change, code, words):
    shutil.rmtree(desk.city / "pending")
    for left in (desk.city / "root.json", desk.city / "roster.jws", desk.key("roster")):
        left.unlink()
    is_error(desk.run(*change(init(desk))), code, *words)
    assert not desk.key("roster").exists()
    assert not (desk.city / "root.json").exists()
    assert not desk.files()


def test_a_rigs_city_is_refused_by_real_cameras(tmp_path, capsys):
    desk = Desk(tmp_path, capsys)
    done = desk.run("bundle", "init", "--rig", "--city", desk.city, "--json", on="")
    assert done.code == 0, done.err
    now = datetime.now(UTC).isoformat()
    assert camera(desk, now).reason == "rig-city"
    assert camera(desk, now, rig=True, folder="rig").city_id == "rig"
    assert (desk.city / "rig-keys").stat().st_mode & 0o777 == 0o700
    assert (
        desk.run(
            "bundle",
            "publish",
            "--city",
            desk.city,
            "--key",
            json.loads(done.out)["online"],
            "--renew",
            on="2040-01-01",
        ).code
        == 3
    ), "a rig may be taken ahead of the time, and by then everything in it has ended"
    is_error(
        desk.run("bundle", "init", "--rig", "--city", desk.city, on=""), 2, "holds a city already"
    )


def enrol(desk, *more, who="dora", on=LATER):
    return desk.sign(
        who,
        "--roster-key",
        desk.key("roster"),
        "--passphrase-file",
        desk.folder / "passphrase",
        *more,
        on=on,
    )


def test_a_rigs_city_that_lacks_a_certificate_is_not_begun(tmp_path):
    """It left keys and half a city, and the next try was refused: it holds a city already."""
    now, made, again = datetime.now(UTC), tmp_path / "made", tmp_path / "again"
    found_rig(made, "rig", "A rig", now)
    again.mkdir()
    for name in ("charter.toml", "policy.toml", "roster.toml"):
        shutil.copy(made / name, again)
    before = sorted(again.rglob("*"))
    with pytest.raises(ConfigError, match="no such file"):
        found_rig(again, "rig", "A rig", now)
    assert sorted(again.rglob("*")) == before
    shutil.copytree(made / "ca", again / "ca")
    found_rig(again, "rig", "A rig", now)


def test_a_batch_by_one_act_of_signing(open_desk):
    folder = open_desk.folder / "enrolments"
    folder.mkdir()
    for name in (CAMERA, "mill-lane-1"):
        open_desk.enrol(name)[0].rename(folder / f"{name}.json")
    (folder / "roster.toml").write_text(
        '[[camera]]\nid = "mill-lane-1"\nstands = "Mill Lane \\"bend\\""\nnear = ["school"]\n'
        'mount = "fixed"\n'
    )
    done = enrol(open_desk, "--enrol", folder)
    assert done.code == 0, done.err
    assert f"{CAMERA}: enrolled; fingerprint " in done.out
    assert "mill-lane-1: enrolled; fingerprint " in done.out
    assert 'stands = "Mill Lane \\"bend\\""' in (open_desk.city / "roster.toml").read_text()
    assert "2 of 2" in open_desk.sign("fay", on=LATER).out
    assert open_desk.publish(on=LATER).code == 0
    table = json.loads(open_desk.run("bundle", "show", "--city", open_desk.city, "--json").out)
    assert table["cameras"] == [CAMERA, "mill-lane-1"]
    assert camera(open_desk, LATER).versions["policy"] == 2


def test_enrolments_that_are_refused(open_desk):
    path, _ = open_desk.enrol()
    before = {**open_desk.files(), "roster": (open_desk.city / "roster.jws").read_bytes()}
    twice, _ = open_desk.enrol(file="again.json")
    is_error(
        enrol(open_desk, "--enrol", path, "--enrol", twice),
        2,
        "again.json",
        "'main-street-2' is there twice",
    )
    unknown, _ = open_desk.enrol("nowhere-1")
    is_error(
        enrol(open_desk, "--enrol", unknown),
        2,
        "'nowhere-1' is not in roster.toml",
        "where it stands",
    )
    altered = open_desk.folder / "altered.json"
    altered.write_bytes(path.read_bytes().replace(CAMERA.encode(), OTHER.encode()))
    is_error(enrol(open_desk, "--enrol", altered), 2, "altered.json", "signed", "provision")
    is_error(
        enrol(open_desk, "--enrol", open_desk.folder / "none.json"), 2, "none.json", "provision"
    )
    is_error(enrol(open_desk, "--enrol", open_desk.repository), 2, "no enrolment files")
    is_error(open_desk.sign("dora", "--enrol", path), 2, "--roster-key")
    is_error(
        open_desk.sign("dora", "--enrol", path, "--roster-key", open_desk.key("ada")),
        2,
        "not the city's root key",
    )
    is_error(enrol(open_desk, "--retire", CAMERA), 2, CAMERA, "no such camera is enrolled")
    is_error(enrol(open_desk, "--enrol", path, "--role", "targets", who="ada"), 2, "role policy")
    assert {**open_desk.files(), "roster": (open_desk.city / "roster.jws").read_bytes()} == before


def test_another_device_under_a_known_name(open_desk):
    path, _ = open_desk.enrol()
    assert enrol(open_desk, "--enrol", path).code == 0
    open_desk.sign("eli", on=LATER)
    open_desk.publish(on=LATER)
    new, _ = open_desk.enrol(file="new.json")
    is_error(
        enrol(open_desk, "--enrol", new, on=NEXT_DAY),
        2,
        "enrolled with another key",
        f"--replace {CAMERA}",
    )
    is_error(enrol(open_desk, "--replace", CAMERA, on=NEXT_DAY), 2, "no enrolment file")
    assert (
        f"{CAMERA}: replaced by another device"
        in enrol(open_desk, "--enrol", new, "--replace", CAMERA, on=NEXT_DAY).out
    )
    assert (
        f"{CAMERA}: retired"
        in enrol(open_desk, "--retire", CAMERA, "--start-again", on=NEXT_DAY).out
    )
