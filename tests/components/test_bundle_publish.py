"""Publishing, changing keys and looking at it: `bundle publish`, `bundle rotate`, `bundle show`;
nothing is ever half-written.
"""

import json
import os
import re
from datetime import datetime

import pytest
from tuf.api.metadata import Metadata

from agent.bundles.repository.assembly import Candidate, sign_online
from agent.bundles.repository.published import CityRepository
from agent.bundles.repository.signing_keys import load_signer
from agent.bundles.repository.writer import publish
from agent.disk import atomic_file
from tests.support.clerk_city import FIRST, LATER, NEXT_DAY, RECIPIENT, camera, is_error

pytestmark = pytest.mark.usefixtures("quick_disk")


def test_the_daily_job(open_desk):
    camera(open_desk, FIRST)
    assert open_desk.publish().out.startswith("Nothing new")
    assert open_desk.publish("--renew", on=NEXT_DAY).code == 0
    generation = camera(open_desk, NEXT_DAY)
    assert (generation.versions["timestamp"], generation.versions["policy"]) == (2, 1)
    for day in range(22, 26):
        assert open_desk.publish("--renew", on=f"2026-11-{day}T06:00:00Z").code == 0
    assert not list(open_desk.repository.rglob("*.part"))


def test_signing_again_renews(open_desk):
    assert (
        "Nothing changes; signing renews it."
        in open_desk.sign("dora", "--role", "policy", on=NEXT_DAY).out
    )
    open_desk.sign("fay", "--role", "policy", on=NEXT_DAY)
    assert open_desk.publish(on=NEXT_DAY).code == 0
    table = json.loads(open_desk.run("bundle", "show", "--city", open_desk.city, "--json").out)
    policy = next(role for role in table["roles"] if role["role"] == "policy")
    assert policy["expires"].startswith("2027-05-30T00")


def test_people_in_the_middle_of_something_do_not_stop_the_daily_job(open_desk):
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    open_desk.sign("dora")
    open_desk.rotate("--role", "policy", "--remove", "Fay Sun", "--add", open_desk.pub("gus"))
    done = open_desk.publish("--renew", "--json", on=LATER)
    assert json.loads(done.out)["waiting"].keys() == {"policy", "targets"}
    assert camera(open_desk, LATER).versions["policy"] == 1


def test_a_role_that_signs_outside_its_paths(open_desk):
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    open_desk.sign("dora")
    open_desk.sign("eli")
    path = open_desk.city / "pending/policy/metadata.json"
    metadata = Metadata.from_file(str(path))
    metadata.signed.targets["charter.toml"] = metadata.signed.targets.pop("policy/policy.toml")
    metadata.signed.targets["charter.toml"].path = "charter.toml"
    metadata.to_file(str(path))
    before = open_desk.files()
    is_error(open_desk.publish(on=LATER), 3, "bundle-role-outside-paths", "charter.toml")
    assert open_desk.files() == before


@pytest.mark.parametrize("error", [28, 30], ids=["full disk", "read-only"])
def test_a_publish_that_fails_at_any_write_changes_nothing(open_desk, monkeypatch, error):
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    for who in ("dora", "eli"):
        open_desk.sign(who)
    before, failures = open_desk.files(), 0
    real = atomic_file.write_new
    for fatal in range(20):
        left = [fatal]

        def failing(path, data, mode=0o600, *, final=None, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise atomic_file.storage_error(
                    OSError(error, os.strerror(error)), final or path, "cannot create"
                )
            real(path, data, mode, final=final)

        monkeypatch.setattr(atomic_file, "write_new", failing)
        done = open_desk.publish(on=LATER)
        monkeypatch.setattr(atomic_file, "write_new", real)
        if done.code == 0:
            break
        failures += 1
        is_error(done, 1, "cannot create", "free space" if error == 28 else "the mount")
        assert open_desk.files() == before
    assert failures >= 4
    assert camera(open_desk, LATER).versions["policy"] == 2


def test_killed_at_any_write_a_camera_finds_the_old_or_the_new(open_desk, monkeypatch):
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    for who in ("dora", "eli"):
        open_desk.sign(who)
    real, seen = atomic_file.write_new, []
    for fatal in range(20):
        left = [fatal]

        def killed(path, data, mode=0o600, *, final=None, left=left):
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)
            real(path, data, mode, final=final)

        child = os.fork()
        if not child:
            atomic_file.write_new = killed
            open_desk.publish(on=LATER)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        seen.append(camera(open_desk, LATER, folder=f"camera-{fatal}").versions["policy"])
        if status == 0:
            break
    assert seen == [1] * (len(seen) - 1) + [2]
    assert len(seen) >= 4
    assert open_desk.publish("--renew", on=LATER).code == 0


def test_a_publish_cut_short_by_power_is_finished_by_the_next(open_desk, monkeypatch):
    """Killed before and after the one rename that counts."""
    from agent.bundles.repository import writer

    open_desk.rotate("--role", "online", "--remove", "City IT", "--add", open_desk.pub("gus"))
    for who in ("ada", "ben"):
        open_desk.sign(who)
    monkeypatch.setattr(writer.Writing, "finish", lambda *_: os._exit(9))
    child = os.fork()
    if not child:
        open_desk.publish(key="gus", on=LATER)
        os._exit(0)
    os.waitpid(child, 0)
    monkeypatch.undo()
    assert (open_desk.repository / "metadata/2.root.json").exists(), "left behind"
    assert open_desk.publish(key="gus", on=LATER).code == 0
    assert camera(open_desk, LATER).versions["root"] == 2
    assert not list((open_desk.city / "pending").glob("[a-z]*"))


def test_a_copy_for_a_stick(open_desk):
    stick = open_desk.folder / "stick"
    assert open_desk.publish("--renew", "--to", stick, on=LATER).code == 0
    assert {path.relative_to(stick) for path in stick.rglob("*") if path.is_file()} == {
        path.relative_to(open_desk.repository)
        for path in open_desk.repository.rglob("*")
        if path.is_file()
    }
    (stick / "metadata/1.root.json").write_text("another city's")
    is_error(open_desk.publish("--renew", "--to", stick, on=LATER), 2, "another city's repository")


def test_a_damaged_repository(open_desk):
    path = open_desk.repository / "metadata/1.policy.json"
    path.write_bytes(path.read_bytes().replace(b"policy.toml", b"policy.tolm"))
    for done in (
        open_desk.publish("--renew", on=LATER),
        open_desk.run("bundle", "show", "--city", open_desk.city),
    ):
        is_error(done, 2, "1.policy.json", "restore")
    is_error(
        open_desk.run("bundle", "show", "--city", open_desk.folder),
        2,
        "holds no repository",
        "bundle init",
    )
    is_error(
        open_desk.run("bundle", "show", "--city", open_desk.folder / "gone"),
        2,
        "holds no repository",
    )


def test_a_lost_key_is_replaced_and_what_it_signed_is_signed_again(open_desk):
    done = open_desk.rotate(
        "--role", "policy", "--remove", "Eli Roy", "--add", open_desk.pub("gus")
    )
    assert "policy: Eli Roy signs no more" in done.out
    assert "To be signed again, since too few of its signatures still count: policy" in done.out
    for who in ("ada", "ben"):
        assert "policy: Gus Hale signs" in open_desk.sign(who).out
    is_error(
        open_desk.publish(on=LATER),
        3,
        "bundle-signature-threshold",
        "role policy",
        '"Dora Lind": 1 of 2',
    )
    assert open_desk.publish("--renew", on=LATER).code == 0
    is_error(open_desk.sign("eli", "--role", "policy"), 2, "holds no role")
    for who in ("gus", "dora"):
        open_desk.sign(who, "--role", "policy", on=LATER)
    assert open_desk.publish(on=LATER).code == 0
    assert camera(open_desk, LATER).facts.signed_by["policy"] == ("Dora Lind", "Gus Hale")


def test_whoever_has_the_online_key_pushes_in_vain_what_one_person_signed(open_desk):
    camera(open_desk, FIRST)
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    open_desk.sign("dora")
    city, now = CityRepository(open_desk.city), datetime.fromisoformat(LATER)
    published, pending = city.published(), city.pending()
    pushed = {**published.delegated, "policy": pending["policy"].metadata}
    # What `assemble` would have refused.
    candidate = Candidate(published, published.root, published.targets, pushed, pending, {})
    files = sign_online(
        city, candidate, load_signer(str(open_desk.key("daily")), lambda _what: ""), now
    )
    publish(open_desk.repository, files.metadata, files.targets, files.timestamp)
    refused = camera(open_desk, LATER)
    assert refused.reason == "bundle-signature-threshold"
    assert "Dora Lind" in str(refused)
    is_error(open_desk.publish("--renew", on=NEXT_DAY), 2, "2.policy.json", "not signed by enough")


def test_root_needs_the_old_holders_and_the_new(open_desk):
    camera(open_desk, FIRST)
    open_desk.rotate(
        "--role",
        "root",
        "--remove",
        "Ada Ortiz",
        "--remove",
        "Ben Cho",
        "--add",
        open_desk.pub("gus"),
        "--add",
        open_desk.pub("pd"),
    )
    for who in ("gus", "pd"):
        open_desk.sign(who, "--role", "root")
    is_error(
        open_desk.publish(on=LATER),
        3,
        "role root",
        "0 of 2 (of the present keys)",
        "2 of 2 (of the new keys)",
    )
    for who in ("ada", "ben"):
        assert open_desk.sign(who, "--role", "root").code == 0
    assert open_desk.publish(on=LATER).code == 0
    assert camera(open_desk, LATER).versions["root"] == 2


def test_a_stolen_online_key_publishes_nothing_more(open_desk):
    camera(open_desk, FIRST)
    open_desk.rotate("--role", "online", "--remove", "City IT", "--add", open_desk.pub("gus"))
    for who in ("ada", "cleo"):
        open_desk.sign(who)
    is_error(open_desk.publish(on=LATER), 2, "does not hold role snapshot", "Gus Hale")
    assert open_desk.publish(key="gus", on=LATER).code == 0
    assert camera(open_desk, LATER).versions["root"] == 2
    is_error(open_desk.publish("--renew", on=NEXT_DAY), 2, "Gus Hale")


def test_changes_of_keys_that_are_refused(open_desk):
    before = open_desk.files()
    is_error(open_desk.rotate("--role", "policy", "--threshold", 1), 3, "bundle-threshold-too-low")
    is_error(
        open_desk.rotate("--role", "policy", "--remove", "Nobody"),
        2,
        "nobody of role policy is called so",
        "Dora Lind",
    )
    is_error(
        open_desk.rotate("--role", "policy", "--add", open_desk.pub("eli")),
        2,
        "holds role policy already",
    )
    is_error(
        open_desk.rotate("--role", "policy", "--remove", "Eli Roy", "--remove", "Fay Sun"),
        2,
        "2 signatures of 1",
        "--add",
    )
    is_error(open_desk.rotate("--role", "policy"), 2, "nothing changes")
    is_error(open_desk.rotate("--role", "policy", "--end"), 2, "only a recipient's keys")
    is_error(
        open_desk.rotate("--role", "keys-nobody", "--add", open_desk.pub("gus")),
        2,
        "no such recipient",
        RECIPIENT,
    )
    is_error(
        open_desk.rotate("--role", "policy", "--add", open_desk.key("gus")),
        2,
        "gus.pem",
        "public half",
    )
    namesake = open_desk.folder / "namesake.pub"
    namesake.write_text(open_desk.pub("gus").read_text().replace("Gus Hale", "Eli Roy"))
    is_error(open_desk.rotate("--role", "policy", "--add", namesake), 2, "Eli Roy", "two keys")
    assert open_desk.files() == before


def test_a_recipient_more_and_one_less(open_desk):
    assert (
        open_desk.rotate(
            "--role", "keys-example-county-sheriff", "--add", open_desk.pub("gus")
        ).code
        == 0
    )
    for who in ("ada", "ben"):
        open_desk.sign(who)
    open_desk.publish(on=LATER)
    assert "keys-example-county-sheriff" in camera(open_desk, LATER).versions
    open_desk.rotate("--role", "keys-example-county-sheriff", "--end", on=LATER)
    for who in ("ada", "ben"):
        assert (
            "keys-example-county-sheriff: nobody signs any more"
            in open_desk.sign(who, on=LATER).out
        )
    assert open_desk.publish(on=NEXT_DAY).code == 0
    assert camera(open_desk, NEXT_DAY).versions["targets"] == 3


def test_show_and_the_calendar(open_desk):
    file = open_desk.folder / "expiries.ics"
    done = open_desk.run("bundle", "show", "--city", open_desk.city, "--calendar", file)
    assert "policy     version 1, until 2027-05-29 00:00 UTC; 2 of 3 must sign" in done.out
    assert re.search(r"Dora Lind \(key [0-9a-f]{12}\), signed this version", done.out)
    table = json.loads(
        open_desk.run("bundle", "show", "--city", open_desk.city, "--json", on="2027-01-01").out
    )
    roles = {role["role"]: role for role in table["roles"]}
    assert (roles["timestamp"]["expired"], roles["policy"]["expired"]) == (True, False)
    agreement = {"what": "agreement with example-county-sheriff", "on": "2027-02-01"}
    assert agreement in table["also_ends"]
    data = file.read_bytes()
    assert data.endswith(b"END:VCALENDAR\r\n")
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 75
    text = data.decode().replace("\r\n ", "")
    assert text.count("BEGIN:VEVENT") == text.count("END:VEVENT") == 5 + 1 + 3
    assert "SUMMARY:City of Exampleville: policy expires\r\n" in text
    assert '2 of these sign: "Dora Lind"\\, "Eli Roy"\\, "Fay Sun".' in text
    again = open_desk.run("bundle", "show", "--city", open_desk.city, "--calendar", file, on=LATER)
    assert again.code == 0
    uids = re.findall(r"UID:(.+)\r\n", text)
    assert re.findall(r"UID:(.+)\r\n", file.read_bytes().decode().replace("\r\n ", "")) == uids
    assert len(set(uids)) == len(uids)


def test_show_before_anything_is_published(desk):
    out = desk.run("bundle", "show", "--city", desk.city).out
    assert "nothing published yet" in out
    assert "pending: root, version 1, signed by nobody: 0 of 2" in out
