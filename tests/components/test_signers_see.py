"""A signer sees what is signed: the charter in words, whose key is whose, fingerprints, what was
left open.
"""

import json
import shutil

import pytest

from tests.support.clerk_city import CAMERA, LATER, NEXT_DAY, is_error

pytestmark = pytest.mark.usefixtures("quick_disk")


def key_id(desk, name):
    return json.loads(desk.pub(name).read_text())["key"]["keyval"]["public"] and next(
        holder["key"]
        for role in json.loads(desk.run("bundle", "show", "--city", desk.city, "--json").out)[
            "roles"
        ]
        for holder in role["holders"]
        if holder["name"] == {"ada": "Ada Ortiz", "dora": "Dora Lind"}[name]
    )


def test_key_tells_its_id_and_sign_says_which_is_yours(desk):
    file = ("--passphrase-file", desk.folder / "passphrase")
    made = desk.run("bundle", "key", desk.folder / "hana", "--holder", "Hana", *file, on="")
    told = made.out.split("Key id ")[1][:12]
    again = desk.run(
        "bundle",
        "key",
        desk.folder / "again",
        "--holder",
        "Hana",
        "--from",
        desk.key("hana"),
        *file,
        on="",
    )
    assert f"Key id {told}:" in again.out
    own = key_id(desk, "ada")[:12]
    shown = desk.sign("ada").out
    assert f"You are Ada Ortiz: key {own} is yours." in shown
    assert shown.count("this key is yours") == 2, "in root and in targets, and nowhere else"
    assert f"root: Ada Ortiz signs (key {own}; this key is yours)" in shown


def test_whoever_signs_the_charter_alone_reads_it_in_words(desk):
    shown = desk.sign("ada").out
    assert 'no reading may be used for "commercial-use"' in " ".join(shown.split())
    assert "no camera watches near a food-bank or near a health-care" in shown
    assert "near a school at 14:30-16:30Z" in shown
    table = json.loads(desk.sign("ben", "--json").out)
    assert any(
        "no reading is kept longer than 21 days" in one for one in table["change"]["charter"]
    )


def test_the_charters_signers_are_told_of_a_brokers_certificate_that_is_missing(desk):
    shutil.rmtree(desk.city / "ca")
    assert "ca/city-hall-ca.pem is missing" in desk.sign("ada").out
    is_error(desk.sign("dora"), 2, "city-hall-ca.pem", "broker 'city-hall' needs it")


def test_placeholders_and_what_the_check_finds_are_shown(desk, monkeypatch):
    from agent.core.judging.policy_draft import PLACEHOLDER_KEY

    text = (desk.city / "policy.toml").read_text()
    desk.edit("policy.toml", "sI1nMPJZ6evdIREavn5Qr622fHnFKns8v_9KHtjTy_8", PLACEHOLDER_KEY)
    assert text != (desk.city / "policy.toml").read_text()
    shown = desk.sign("dora").out
    assert "What policy check finds" in shown
    line = (desk.city / "policy.toml").read_text()[:-1].split(PLACEHOLDER_KEY)[0].count("\n") + 1
    assert f"  policy.toml:{line}:" in shown
    assert "a placeholder that no one holds: nothing can be sealed to it" in shown


def test_a_fault_of_the_law_is_shown_and_does_not_forbid_to_sign(desk):
    """Whether it is lawful is for people; that it was told is for us."""
    desk.edit("policy.toml", 'kind = "joint-center"', 'kind = "federal-agency"')
    shown = desk.sign("dora").out
    assert 'fault: a recipient of kind "federal-agency" may not have reads in' in shown


def test_a_purpose_that_is_nearly_a_forbidden_one_is_signed_only_by_its_name(desk):
    desk.edit("policy.toml", '"missing-child-search"', '"immigration-enforcment"')
    is_error(desk.sign("dora"), 3, 'near "immigration-enforcement"', "--other-purpose NAME")
    is_error(desk.sign("dora", "--other-purpose", "another"), 3, "purpose-near-forbidden")
    done = desk.sign("dora", "--other-purpose", "immigration-enforcment")
    assert done.code == 0, done.err
    assert "is near" in done.out, "it is shown all the same"


def enrolled(desk, *more):
    path, _ = desk.enrol()
    options = ("--roster-key", desk.key("roster"), "--passphrase-file", desk.folder / "passphrase")
    return desk.sign("dora", "--enrol", path, *options, *more, on=LATER)


def fingerprint(done):
    (line,) = [line for line in done.out.splitlines() if f"{CAMERA}: enrolled" in line]
    return line.split("; ")[1]


def test_every_signer_is_shown_the_fingerprints(open_desk):
    first = fingerprint(enrolled(open_desk))
    assert first.startswith("fingerprint ")
    to = open_desk.folder / "stick"
    to.mkdir()
    assert (
        open_desk.run("bundle", "carry", "--city", open_desk.city, "--to", to, on=LATER).code == 0
    )
    there = to / "platewarden-exampleville"
    second = open_desk.run(
        "bundle", "sign", "--city", there, "--key", open_desk.key("eli"), "--yes", on=NEXT_DAY
    )
    assert fingerprint(second) == first


def test_a_file_that_does_not_fit_the_roster_gives_no_fingerprint(open_desk):
    """Attack: the true camera's file beside a roster with another key."""
    enrolled(open_desk)
    file = open_desk.city / f"enrolments/{CAMERA}.json"
    other, _ = open_desk.enrol(file="other.json")
    for planted in (other.read_bytes(), b"{}", None):
        file.unlink()
        if planted is not None:
            file.write_bytes(planted)
        done = open_desk.run(
            "bundle", "sign", "--city", open_desk.city, "--key", open_desk.key("eli"), on=LATER
        )
        assert fingerprint(done).startswith("no enrolment file that fits is here")
        file.write_bytes(b"")


def test_what_is_in_force_is_told_with_its_signers(open_desk):
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    shown = " ".join(open_desk.sign("eli", on=LATER).out.split())
    assert 'signed by "Dora Lind", "Eli Roy"; the charter by "Ada Ortiz", "Ben Cho"' in shown
    assert "A draft: nobody's signature was looked at" not in shown
