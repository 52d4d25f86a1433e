"""The archive: who was listed on a day, signed by whom, out of what was published; held against a
replay that only counts publications.
"""

import json
import os
import random
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest

from agent.bundles.layout import POLICY, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from agent.city.in_force import history, in_force
from agent.core.judging.explain.answers import explain
from agent.errors import ConfigError, UsageError
from tests.support.bundle_city import FIRST, BundleCity
from tests.support.clerk_city import CAMERA, LATER, NEXT_DAY, RECIPIENT, is_error

pytestmark = pytest.mark.usefixtures("quick_disk")
HISTORIES = int(os.environ.get("PLATEWARDEN_HISTORIES", "40"))
NEEDED = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP, POLICY)
AHEAD = datetime(2027, 12, 1, tzinfo=UTC)


@dataclass
class Published:
    """What a replay notes down."""

    at: datetime
    lapses: datetime
    number: int
    budget: int
    signed_by: tuple[str, ...]


@dataclass
class Kept:
    """A city with every timestamp kept, and the notes of a replay."""

    folder: object
    city: BundleCity
    notes: list[Published]

    def publish(self):
        self.city.online()
        version = self.city.metadata[TIMESTAMP].signed.version
        current = self.city.published["metadata/timestamp.json"]
        self.city.published[f"metadata/{version}.timestamp.json"] = current
        policy = self.city.metadata[POLICY]
        holders = {
            signer.public_key.keyid: signer.public_key.unrecognized_fields["x-platewarden-holder"]
            for signer in self.city.signers[POLICY]
        }
        self.notes.append(
            Published(
                self.city.now,
                min(self.city.metadata[role].signed.expires for role in NEEDED),
                version,
                self.budget(),
                tuple(sorted(holders[keyid] for keyid in policy.signatures)),
            )
        )
        self.city.write(self.folder / "repository")

    def budget(self):
        text = self.city.files[POLICY]["policy/policy.toml"]
        line = next(line for line in text.splitlines() if line.startswith(b"max_per_hour"))
        return int(line.split(b"=")[1].split(b"#")[0])

    def change(self, budget, signers):
        text = self.city.files[POLICY]["policy/policy.toml"]
        old = f"max_per_hour = {self.budget()}".encode()
        new = f"max_per_hour = {budget}".encode()
        self.city.files[POLICY]["policy/policy.toml"] = text.replace(old, new, 1)
        self.city.release(POLICY, signers=signers)


def some_history(folder, chance):
    """A few weeks: daily jobs, days without, new policies by any two of three, twice a day too."""
    kept = Kept(folder, BundleCity(), [])
    kept.publish()
    for _ in range(chance.randrange(1, 7)):
        kept.city.now += timedelta(hours=chance.choice((1, 5, 11, 24, 24, 60, 100, 4700)))
        if chance.random() < 0.6:
            signers = chance.sample(kept.city.signers[POLICY], 2)
            kept.change(chance.randrange(1, 100), signers)
        kept.publish()
    return kept


def replayed(notes, day, now):
    """What a plain count says: the last publication until the day's end, and when that policy came
    first.
    """
    moment = min(datetime.combine(day, time(23, 59, 59, 999000), UTC), now)
    index = bisect_right([note.at for note in notes], moment) - 1
    if index < 0 or day > now.date():
        return None
    midnight = datetime.combine(day, time(), UTC)
    of_day = [note for note in notes[: index + 1] if note.at > midnight]
    held = [*notes[: index + 1 - len(of_day)][-1:], *of_day]
    changed = sum(one.budget != after.budget for one, after in pairwise(held))
    paused = sum(one.lapses < after.at for one, after in pairwise(held))
    last = first = notes[index]
    for note in reversed(notes[:index]):
        if (note.budget, note.signed_by) != (last.budget, last.signed_by):
            break
        first = note
    return last, first, last.lapses if last.lapses <= moment else None, (changed, paused)


def test_any_day_of_any_history_is_what_a_replay_says(tmp_path):
    seed = int(os.environ.get("PLATEWARDEN_SEED", "20261129"))
    chance = random.Random(seed)
    asked = dict.fromkeys(("known", "unknown", "lapsed", "ended policy", "two rules"), 0)
    for number in range(HISTORIES):
        kept = some_history(tmp_path / str(number), chance)
        now = kept.city.now + timedelta(hours=chance.choice((0, 3, 200)))
        for _ in range(3):
            about = chance.choice([FIRST, *(note.at for note in kept.notes)]).date()
            day = about + timedelta(days=chance.randrange(-2, 7))
            expected, where = replayed(kept.notes, day, now), f"{seed}, history {number}, {day}"
            if expected is None:
                asked["unknown"] += 1
                with pytest.raises(UsageError):
                    in_force(kept.folder, day, now)
                continue
            last, first, lapsed, others = expected
            asked["known"] += 1
            asked["lapsed"] += lapsed is not None
            asked["ended policy"] += lapsed is not None and lapsed < last.at
            asked["two rules"] += others[0] > 0
            files = in_force(kept.folder, day, now)
            standing = files.standing
            assert files.policy.releases[0].max_per_hour == last.budget, where
            assert (standing.publish, standing.policy_by) == (last.number, last.signed_by), where
            if first.budget != last.budget or first is last:
                assert standing.at == first.at, where
            assert standing.lapsed == lapsed, where
            told = [sum(word in note for note in standing.notes) for word in ("rules", "nothing")]
            assert (*told,) == others, where
    assert min(asked.values()) > 0, asked


def test_a_publication_that_is_missing_makes_its_days_unknown(tmp_path):
    kept = Kept(tmp_path, BundleCity(), [])
    kept.publish()
    for budget in (7, 8):
        kept.city.now += timedelta(days=1)
        kept.change(budget, kept.city.signers[POLICY][:2])
        kept.publish()
    first = kept.notes[0].number
    (tmp_path / f"repository/metadata/{first + 1}.timestamp.json").unlink()
    with pytest.raises(UsageError, match=f"publish {first + 1}, the next after"):
        in_force(tmp_path, FIRST.date(), AHEAD)
    day = FIRST.date() + timedelta(days=2)
    assert in_force(tmp_path, day, AHEAD).policy.releases[0].max_per_hour == 8


def test_what_was_altered_in_the_archive_is_told(tmp_path):
    kept = Kept(tmp_path, BundleCity(), [])
    kept.publish()
    kept.city.now += timedelta(days=1)
    kept.change(9, kept.city.signers[POLICY][:2])
    kept.publish()
    path = tmp_path / "repository/metadata/1.policy.json"
    path.write_bytes(path.read_bytes().replace(b"2027", b"2028"))
    with pytest.raises(ConfigError, match="not what was published"):
        in_force(tmp_path, FIRST.date(), AHEAD)
    with pytest.raises(ConfigError, match="not what was published"):
        list(history(tmp_path))


def test_why_is_this_agency_listed(open_desk):
    """The question that a listed city could not get answered."""
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    open_desk.edit("policy.toml", 'retention = "21d"', 'retention = "20d"')
    for who in ("dora", "fay"):
        open_desk.sign(who, on=LATER)
    open_desk.publish(on=LATER)
    open_desk.publish("--renew", on=NEXT_DAY)
    city = open_desk.city
    told = open_desk.run("bundle", "history", "--city", city, on="").out.splitlines()
    listed = next(line for line in told if f"recipient {RECIPIENT} is listed" in line)
    assert "Ordinance" in listed
    assert 'signed by "Dora Lind", "Eli Roy"' in listed
    changed = next(line for line in told if "stolen-and-amber is changed" in line)
    assert 'kept for 20 days; signed by "Dora Lind", "Fay Sun"' in changed
    only = open_desk.run(
        "bundle", "history", "--city", city, "--recipient", RECIPIENT, "--json", on=""
    )
    events = json.loads(only.out)["events"]
    assert {event["recipient"] for event in events} == {RECIPIENT}
    assert [event["publish"] for event in events] == [1, 1, 2]


def test_explain_answers_from_what_was_in_force(open_desk):
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    for who in ("dora", "fay"):
        open_desk.sign(who, on=LATER)
    open_desk.publish(on=LATER)
    explain = ("policy", "explain", "--city", open_desk.city)
    told = open_desk.run(*explain, "--camera", CAMERA, on="2026-11-20")
    assert told.code == 0, told.err
    assert "In force: published on 20 November 2026 at 07:00 UTC (publish 2)" in told.out
    assert 'signed by "Dora Lind", "Fay Sun"; the charter by "Ada Ortiz", "Ben Cho".' in " ".join(
        told.out.split()
    )
    table = json.loads(open_desk.run(*explain, "--camera", CAMERA, "--json", on="2026-11-20").out)
    assert table["in_force"]["policy_signed_by"] == ["Dora Lind", "Fay Sun"]
    assert table["cameras"] == [CAMERA]
    given = {answer["recipient"]: answer["may_receive"] for answer in table["answers"]}
    assert given[RECIPIENT]
    assert not given["example-county-sheriff"], "that rule is for other cameras"
    is_error(open_desk.run(*explain, on="2026-11-19"), 2, "is not known here", "archive begins")
    is_error(open_desk.run(*explain, on="2126-11-19"), 2, "lies ahead")
    is_error(open_desk.run(*explain, "--camera", "no-such", on="2026-11-20"), 2, "does not list")
    policy = open_desk.city / "policy.toml"
    is_error(
        open_desk.run("policy", "explain", policy, "--city", open_desk.city, on=""), 2, "--city"
    )
    is_error(open_desk.run("policy", "explain", on=""), 2, "no policy is named")


def test_a_draft_is_called_a_draft(open_desk):
    page = open_desk.folder / "page.html"
    told = open_desk.run("policy", "explain", open_desk.city / "policy.toml", "--html", page, on="")
    assert "A draft: nobody's signature was looked at." in told.out
    assert "A draft:" in page.read_text()


def test_a_difference_tells_what_is_in_force_and_what_is_a_draft(open_desk):
    """A signer must not take a draft for what cameras obey."""
    page = open_desk.folder / "page.html"
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    told = open_desk.run("policy", "diff", "--city", open_desk.city, "--html", page, on="")
    assert told.code == 0, told.err
    text = " ".join(told.out.split())
    assert 'signed by "Dora Lind", "Eli Roy"; the charter by' in text
    assert "version 8" in text
    assert text.count("A draft: nobody's signature was looked at.") == 1
    assert "New: A draft: nobody" in page.read_text()
    assert "Old: In force: published on" in page.read_text()


def test_a_day_on_which_two_policies_were_in_force(open_desk):
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    for who in ("dora", "fay"):
        open_desk.sign(who, on=NEXT_DAY)
    open_desk.publish(on=NEXT_DAY)
    told = open_desk.run("policy", "explain", "--city", open_desk.city, on="2026-11-21").out
    assert "Until 06:00 UTC on that day other rules were in force: as on the day before." in told
    before = open_desk.run("policy", "explain", "--city", open_desk.city, on="2026-11-20").out
    assert "version 7, on 20 November 2026" in before
    assert "other rules" not in before


def explained(desk, day, *more):
    done = desk.run("policy", "explain", "--city", desk.city, *more, on=day)
    assert done.code == 0, done.err
    return done.out


def test_on_a_day_on_which_all_had_lapsed_nobody_could_receive_anything(open_desk):
    """The daily job was down: what the rules would have let out, no camera did."""
    told = explained(open_desk, "2026-11-25")
    assert "Who may receive\n  nobody\n" in told
    assert "YES" not in told
    ended = "what was published had ended on 23 November 2026 at 06:00 UTC"
    assert ended in " ".join(told.split())
    table = json.loads(explained(open_desk, "2026-11-25", "--json"))
    assert table["in_force"]["lapsed"] == "2026-11-23T06:00:00+00:00"
    police = next(one for one in table["answers"] if one["recipient"] == RECIPIENT)
    assert (police["may_receive"], police["rules"]) == (False, [])
    assert police["refused_by"][0]["reason"] == "bundle-lapsed"
    page = open_desk.folder / "page.html"
    explained(open_desk, "2026-11-25", "--camera", CAMERA, "--html", page)
    assert f"<p>Nobody could receive anything: {ended}" in page.read_text()
    assert "From then on" not in page.read_text(), "it was said already"


def test_a_day_in_the_course_of_which_all_lapsed_tells_until_when(open_desk):
    told = explained(open_desk, "2026-11-23")
    assert f"YES  {RECIPIENT}" in told
    assert "From then on cameras released nothing to anybody" in " ".join(told.split())


def test_a_policy_that_nobody_signed_again_ends_though_the_daily_job_goes_on(tmp_path):
    """The timestamp was fresh every day, and the answer was yes."""
    kept = Kept(tmp_path, BundleCity(), [])
    kept.publish()
    ends = kept.city.metadata[POLICY].signed.expires
    kept.city.now = ends + timedelta(days=2)
    kept.publish()
    kept.city.now += timedelta(hours=20)
    kept.publish()
    files = in_force(kept.folder, kept.city.now.date(), kept.city.now)
    assert files.standing.lapsed == ends
    told = explain(files, kept.city.now.date())
    assert not told.grants


def test_a_day_that_begins_without_anything_in_force_tells_until_when(open_desk):
    """The job came back in the evening."""
    done = open_desk.publish("--renew", on="2026-11-25T18:30:00Z")
    assert done.code == 0, done.err
    told = explained(open_desk, "2026-11-25")
    assert f"YES  {RECIPIENT}" in told
    assert "Until 18:30 UTC on that day cameras released nothing to anybody" in " ".join(
        told.split()
    )
