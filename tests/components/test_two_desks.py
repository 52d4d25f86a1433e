"""A proposal goes out on sticks and comes back signed: `bundle carry`, `take`, `withdraw`, and a
question that stays open.
"""

import json
import shutil
import threading

import pytest
from tuf.api.metadata import Metadata

from agent.city.city_lock import only_writer
from agent.disk import atomic_file
from tests.support.clerk_city import (
    CAMERA,
    LATER,
    NEXT_DAY,
    RECIPIENT,
    Desk,
    camera,
    found,
    is_error,
)

pytestmark = pytest.mark.usefixtures("quick_disk")
SAME_DAY = "2026-11-20T21:14:07Z"


@pytest.fixture
def edited(open_desk):
    """A new policy is drafted; nobody has signed it."""
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    return open_desk


def stick(desk, name="stick"):
    folder = desk.folder / name
    folder.mkdir(exist_ok=True)
    return folder


def carried(desk, name="stick", *more, on=LATER):
    to = stick(desk, name)
    done = desk.run("bundle", "carry", "--city", desk.city, "--to", to, *more, on=on)
    assert done.code == 0, done.err
    return to


def sign_on(desk, to, who, *more, on=NEXT_DAY):
    there = to / "platewarden-exampleville"
    return desk.run(
        "bundle", "sign", "--city", there, "--key", desk.key(who), "--yes", *more, on=on
    )


def take(desk, to, *more, on=NEXT_DAY):
    return desk.run("bundle", "take", "--city", desk.city, to, *more, on=on)


def signers(desk, role="policy"):
    """Who has signed what is pending, by the ids in its metadata."""
    return set(Metadata.from_file(str(desk.city / f"pending/{role}/metadata.json")).signatures)


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_two_sign_two_sticks_and_both_count_in_any_order(edited, order):
    for name, who in (("one", "dora"), ("two", "fay")):
        done = sign_on(edited, carried(edited, name), who)
        assert done.code == 0, done.err
        assert "policy.toml" in done.out, "the difference is shown from what the stick holds"
    first, second = (take(edited, edited.folder / name) for name in order)
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert "2 of 2" in second.out
    assert edited.publish(on=NEXT_DAY).code == 0
    assert camera(edited, NEXT_DAY).versions["policy"] == 2


def test_two_copies_of_the_folder_signed_on_one_day_are_the_same_version(edited):
    other = Desk(edited.folder / "other", edited.capture)
    shutil.copytree(edited.city, other.city)
    for name in ("dora", "fay"):
        shutil.copy(edited.key(name), other.key(name))
    assert edited.sign("dora", on=LATER).code == 0
    assert other.sign("fay", on=SAME_DAY).code == 0
    to = stick(edited)
    other.city.rename(to / "platewarden-exampleville")
    assert "2 of 2" in take(edited, to).out


def test_the_hot_list_and_keys_stay_where_they_are(edited):
    private = ("hotlist.bin", "hotlist.csv", "hotlist-manual.json", "hotlist-published.json")
    for name in (*private, "hotlist-log.sqlite", "daily.pem", "notes.txt"):
        (edited.city / name).write_text("private")
    (edited.city / "rig-keys").mkdir()
    (edited.city / "rig-keys/rig-1.pem").write_text("private")
    there = carried(edited) / "platewarden-exampleville"
    names = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    assert not any("hotlist" in name or "key" in name.split(".")[-1] for name in names)
    assert {name for name in names if "/" not in name} == {
        "charter.toml",
        "policy.toml",
        "roster.toml",
        "roster.jws",
        "root.json",
    }
    assert {name.split("/")[0] for name in names if "/" in name} == {"ca", "pending", "repository"}
    assert all((there / name).read_bytes() != b"private" for name in names)


def test_a_first_signature_made_on_the_stick_comes_back_with_its_drafts(open_desk):
    to = carried(open_desk)
    there = to / "platewarden-exampleville"
    policy = (there / "policy.toml").read_text().replace("version = 7", "version = 8")
    (there / "policy.toml").write_text(policy)
    assert sign_on(open_desk, to, "dora").code == 0
    done = take(open_desk, to)
    assert done.code == 0, done.err
    assert "policy.toml with it" in done.out
    assert (open_desk.city / "policy.toml").read_text() == policy
    assert open_desk.sign("eli", on=NEXT_DAY).code == 0
    assert "nothing that was not here" in take(open_desk, to).out


def test_cameras_that_are_enrolled_on_the_stick(open_desk):
    """Whoever signs at the desk is shown the fingerprints as well."""
    to = carried(open_desk)
    path, _ = open_desk.enrol()
    enrol = ("--enrol", path, "--roster-key", open_desk.key("roster"))
    file = ("--passphrase-file", open_desk.folder / "passphrase")
    assert sign_on(open_desk, to, "dora", *enrol, *file).code == 0
    planted = to / "platewarden-exampleville/enrolments/county-road-9.json"
    planted.write_bytes(path.read_bytes())
    done = take(open_desk, to)
    assert done.code == 0, done.err
    assert [one.name for one in (open_desk.city / "enrolments").iterdir()] == [f"{CAMERA}.json"]
    assert f"{CAMERA}: enrolled; fingerprint " in open_desk.sign("eli", on=NEXT_DAY).out


def test_a_role_of_the_daily_job_is_not_taken(edited):
    """Attack: a list that came by stick."""
    to = carried(edited)
    pending = to / "platewarden-exampleville/pending"
    for role in ("hotlist", "timestamp", "nobody"):
        shutil.copytree(pending / "policy", pending / role)
    done = take(edited, to)
    assert done.code == 3
    assert done.err.count("is no role that people sign") == 3
    assert not (edited.city / "pending/hotlist").exists()


def test_a_recipient_signs_its_keys_on_a_stick(edited):
    """One role of several: the others are not disturbed."""
    edited.rotate("--role", "policy", "--remove", "Fay Sun", "--add", edited.pub("gus"))
    to = carried(edited)
    assert sign_on(edited, to, "ada").code == 0
    assert sign_on(edited, to, "eli").code == 0
    done = json.loads(take(edited, to, "--json").out)
    assert {one["role"]: one["missing"] for one in done["taken"]} == {"targets": 1, "policy": 1}
    assert done["left"] == []


def test_a_renewal_is_proposed_by_name(open_desk):
    to = carried(open_desk, "stick", "--role", "policy")
    assert "policy, version 2" in sign_on(open_desk, to, "dora").out
    assert take(open_desk, to).code == 0
    is_error(
        open_desk.run("bundle", "carry", "--city", open_desk.city, "--to", to, "--role", "root"),
        2,
        "--role root",
        "bundle rotate",
    )


def test_signatures_that_are_nowhere_else_are_not_written_over(edited):
    to = carried(edited)
    sign_on(edited, to, "dora")
    is_error(
        edited.run("bundle", "carry", "--city", edited.city, "--to", to, on=NEXT_DAY),
        2,
        'a signature of "Dora Lind" for role policy',
        "bundle take",
    )
    take(edited, to)
    carried(edited, on=NEXT_DAY)


class TestLeftOnTheStick:
    def test_another_version_than_the_one_here(self, edited):
        to = carried(edited)
        there = to / "platewarden-exampleville"
        policy = (there / "policy.toml").read_text()
        (there / "policy.toml").write_text(policy.replace("max_per_hour = 20", "max_per_hour = 9"))
        assert sign_on(edited, to, "dora", "--start-again").code == 0
        edited.sign("eli", on=LATER)
        before = edited.files()
        is_error(
            take(edited, to),
            3,
            "another version 2 is pending here than on the stick",
            'here signed by "Eli Roy", there signed by "Dora Lind"',
            "bundle withdraw --role policy",
        )
        assert edited.files() == before

    def test_signatures_of_nobody_who_holds_the_role(self, edited):
        to = carried(edited)
        path = to / "platewarden-exampleville/pending/policy/metadata.json"
        metadata = Metadata.from_file(str(path))
        assert sign_on(edited, to, "eli").code == 0
        good = Metadata.from_file(str(path)).signatures
        (forged,) = good.values()
        forged.signature = forged.signature[:-4] + "0000"
        metadata.signatures |= good
        metadata.to_file(str(path))
        done = take(edited, to)
        assert done.code == 0
        assert "nothing that was not here" in done.out
        assert signers(edited) == set()
        edited.run("bundle", "withdraw", "--city", edited.city, "--role", "policy", "--yes", on="")
        shutil.rmtree(edited.city / "pending/.withdrawn")
        is_error(take(edited, to), 3, "nobody who holds this role has signed it")
        assert not (edited.city / "pending/policy").exists()

    def test_a_root_that_only_its_own_new_keys_have_signed(self, open_desk):
        to = carried(open_desk)
        there = to / "platewarden-exampleville"
        adding = ("--role", "root", "--add", open_desk.pub("gus"))
        assert open_desk.run("bundle", "rotate", "--city", there, *adding).code == 0
        assert sign_on(open_desk, to, "gus", "--role", "root").code == 0
        is_error(take(open_desk, to), 3, "root", "nobody who holds this role has signed it")
        assert sign_on(open_desk, to, "ada", "--role", "root").code == 0
        assert take(open_desk, to).code == 0

    def test_what_was_published_meanwhile(self, edited):
        to = carried(edited)
        sign_on(edited, to, "dora", on=LATER)
        for who in ("eli", "fay"):
            edited.sign(who, on=LATER)
        edited.publish(on=LATER)
        done = take(edited, to)
        assert done.code == 0
        assert "published already" in done.err
        edited.edit("policy.toml", "version = 8", "version = 9")
        for who in ("eli", "fay"):
            edited.sign(who, on=NEXT_DAY)
        edited.publish(on=NEXT_DAY)
        is_error(take(edited, to), 3, "pending is version 2, and version 3 is published")

    def test_a_draft_that_was_edited_here_too(self, open_desk):
        to = carried(open_desk)
        there = to / "platewarden-exampleville"
        policy = (there / "policy.toml").read_text().replace("version = 7", "version = 8")
        (there / "policy.toml").write_text(policy)
        sign_on(open_desk, to, "dora")
        open_desk.edit("policy.toml", "max_per_hour = 20", "max_per_hour = 19")
        is_error(take(open_desk, to), 3, "the draft policy.toml here was changed")
        assert not (open_desk.city / "pending/policy").exists()

    def test_a_clock_that_was_wrong(self, edited):
        to = carried(edited)
        path = to / "platewarden-exampleville/pending/policy/metadata.json"
        metadata = Metadata.from_file(str(path))
        for years, word in ((5, "longer than this role may"), (-1, "would have ended")):
            signed = metadata.signed
            wrong = replace_year(signed.expires, years)
            signed.expires, right = wrong, signed.expires
            metadata.to_file(str(path))
            is_error(take(edited, to), 3, word, "this machine's clock says 2026-11-21")
            is_error(sign_on(edited, to, "dora"), 2, word, "bundle withdraw --role policy")
            signed.expires = right

    def test_a_role_that_is_damaged_costs_that_role(self, edited):
        edited.rotate("--role", "policy", "--remove", "Fay Sun", "--add", edited.pub("gus"))
        to = carried(edited)
        sign_on(edited, to, "ada")
        (to / "platewarden-exampleville/pending/policy/metadata.json").write_bytes(b"half")
        done = take(edited, to)
        assert (done.code, done.err.count("platewarden: ")) == (3, 1)
        assert "policy: not taken" in done.err
        assert 'targets, version 2: signature of "Ada Ortiz"' in done.out

    def test_another_citys_stick(self, edited, tmp_path):
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        other = found(folder, edited.capture)
        for who in ("ada", "ben", "dora", "eli"):
            other.sign(who)
        other.publish()
        other.edit("policy.toml", "version = 7", "version = 8")
        to = carried(other)
        sign_on(other, to, "dora")
        before = edited.files()
        is_error(take(edited, to), 2, "another city's", "bundle show")
        is_error(
            edited.run("bundle", "carry", "--city", edited.city, "--to", to), 2, "another city's"
        )
        shutil.rmtree(to / "platewarden-exampleville/repository")  # as if it were ours
        is_error(take(edited, to), 3, "nobody who holds this role has signed it")
        assert edited.files() == before

    def test_no_stick_and_an_empty_one(self, edited):
        is_error(take(edited, edited.folder / "nowhere"), 2, "is not there", "mounted")
        is_error(take(edited, stick(edited)), 2, "nothing of this city", "bundle carry")


def replace_year(moment, years):
    return moment.replace(year=moment.year + years)


class TestWithdrawn:
    def withdraw(self, desk, *more):
        return desk.run("bundle", "withdraw", "--city", desk.city, *more, on="")

    def test_a_proposal_is_given_up_and_no_stick_brings_it_back(self, edited):
        to = carried(edited)
        for who in ("dora", "fay"):
            sign_on(edited, to, who)
        edited.sign("eli", on=LATER)
        done = self.withdraw(edited, "--role", "policy", "--yes")
        assert done.out == ('Withdrawn: policy, version 2; signatures of "Eli Roy" fall away.\n')
        assert "Nothing new" in edited.publish(on=LATER).out
        is_error(take(edited, to), 3, "this version was withdrawn here", "bundle sign")
        kept = shutil.copytree(to, edited.folder / "kept")
        carried(edited, on=NEXT_DAY)  # what was withdrawn may be written over
        withdrawn = ("--role", "policy", "--yes")
        assert self.withdraw(edited, *withdrawn).code == 0
        shutil.rmtree(to)
        kept.rename(to)
        assert "nothing pending" in edited.run("bundle", "show", "--city", edited.city).out
        edited.sign("eli", on=LATER)  # begun again, the same version: the stick counts again
        assert "3 of 2" in take(edited, to).out

    def test_what_cannot_be_withdrawn(self, desk, monkeypatch):
        is_error(self.withdraw(desk, "--role", "policy", "--yes"), 2, "pending: root, targets")
        is_error(self.withdraw(desk, "--role", "root", "--yes"), 2, "founding", "bundle rotate")
        desk.sign("dora")
        monkeypatch.setattr("typer.confirm", lambda *_args, **_options: False)
        before = desk.files()
        assert self.withdraw(desk, "--role", "policy").code == 1
        assert desk.files() == before


class TestAnOpenQuestion:
    """What happens between the question and its answer."""

    def asked(self, desk, monkeypatch, meanwhile, *more):
        """Dora is asked; then it happens; then she says yes."""

        def confirm(*_args, **_options):
            meanwhile()
            return True

        monkeypatch.setattr("typer.confirm", confirm)
        key = ("--key", desk.key("dora"))
        return desk.run("bundle", "sign", "--city", desk.city, *key, *more, on=LATER)

    def test_the_daily_job_runs_meanwhile(self, edited, monkeypatch):
        ran = []

        def job():
            ran.append(edited.publish("--renew", on=LATER).code)

        done = self.asked(edited, monkeypatch, job)
        assert (ran, done.code) == ([0], 0), done.err
        assert len(signers(edited)) == 1

    def test_another_signs_the_same_meanwhile(self, edited, monkeypatch):
        done = self.asked(edited, monkeypatch, lambda: edited.sign("eli", on=SAME_DAY))
        assert "2 of 2" in done.out
        assert len(signers(edited)) == 2

    def test_what_was_shown_has_changed(self, edited, monkeypatch):
        def another():
            edited.edit("policy.toml", "max_per_hour = 20", "max_per_hour = 200")
            assert edited.sign("eli", on=LATER).code == 0

        is_error(
            self.asked(edited, monkeypatch, another),
            2,
            "while you were asked, somebody began another version of role policy",
            "run it again",
        )
        assert len(signers(edited)) == 1

    def test_the_charter_above_it_was_published(self, edited, monkeypatch):
        edited.edit("charter.toml", 'max_retention = "21d"', 'max_retention = "22d"')
        for who in ("ada", "ben"):
            assert edited.sign(who, on=LATER).code == 0
        is_error(
            self.asked(edited, monkeypatch, lambda: edited.publish("--renew", on=LATER)),
            2,
            "something else was published",
        )

    def test_somebody_enrolled_cameras(self, open_desk, monkeypatch):
        options = ("--roster-key", open_desk.key("roster"))
        options += ("--passphrase-file", open_desk.folder / "passphrase")
        first, second = open_desk.enrol()[0], open_desk.enrol("county-road-9")[0]
        is_error(
            self.asked(
                open_desk,
                monkeypatch,
                lambda: open_desk.sign("eli", "--enrol", second, *options, on=LATER),
                "--enrol",
                first,
                *options,
            ),
            2,
            "while you were asked",
        )

    def test_a_passphrase_is_asked_for_without_the_lock(self, edited, monkeypatch):
        """The daily job's own key, too: whoever types it may be called away."""
        asked = []

        def load(*_):
            with only_writer(edited.city):
                asked.append(True)
            raise KeyboardInterrupt

        monkeypatch.setattr("agent.bundles.repository.signing_keys.load_signer", load)
        for command in (("sign",), ("publish", "--renew")):
            edited.run("bundle", *command, "--city", edited.city, "--key", edited.key("dora"))
        edited.run("hotlist", "publish", "--city", edited.city, "--key", edited.key("list"))
        assert len(asked) == 3

    def test_the_job_waits_for_a_command_that_writes(self, edited, monkeypatch):
        monkeypatch.setattr("agent.city.city_lock._PAUSE_S", 0.01)
        held, free = threading.Event(), threading.Event()

        def other():
            with only_writer(edited.city):
                held.set()
                free.wait(5)

        writer = threading.Thread(target=other)
        writer.start()
        held.wait(5)
        monkeypatch.setattr("agent.city.city_lock.time.sleep", lambda _: free.set())
        assert edited.publish("--renew", on=LATER).code == 0
        writer.join()


def test_a_disk_that_is_full_at_any_write(edited, monkeypatch):
    to = carried(edited)
    edited.run("bundle", "withdraw", "--city", edited.city, "--role", "policy", "--yes", on="")
    shutil.rmtree(edited.city / "pending/.withdrawn")
    open_policy = (edited.city / "policy.toml").read_text().replace("version = 8", "version = 7")
    (edited.city / "policy.toml").write_text(open_policy)
    sign_on(edited, to, "dora")
    before, failures, real = edited.files(), 0, atomic_file.write_new
    while True:
        left = failures

        def fail(path, *arguments, left_before=left, seen=[], **options):  # noqa: B006
            seen.append(path)
            if len(seen) > left_before:
                raise atomic_file.storage_error(OSError(28, "full"), path, "cannot write")
            real(path, *arguments, **options)

        monkeypatch.setattr(atomic_file, "write_new", fail)
        done = take(edited, to)
        monkeypatch.setattr(atomic_file, "write_new", real)
        if done.code == 0:
            break
        is_error(done, 1, "disk is full")
        assert edited.files() == before or signers(edited)
        failures += 1
    assert failures >= 3
    assert (edited.city / "policy.toml").read_text().count("version = 8") == 1
    assert RECIPIENT in (edited.city / "policy.toml").read_text()
    assert edited.sign("eli", on=NEXT_DAY).code == 0
