"""Older and newer copies of a city's repository: a publish never goes on from an older one, never
writes over a newer one, and never removes what the timestamp names.
"""

import json
import shutil

import pytest

from tests.support.clerk_city import FIRST, LATER, NEXT_DAY, camera, is_error

pytestmark = pytest.mark.usefixtures("quick_disk")
DAYS = tuple(f"2026-11-{day}T06:00:00Z" for day in range(21, 26))


def renew(desk, *days):
    for day in days:
        done = desk.publish("--renew", on=day)
        assert done.code in {0, 3}, done.err


def backup(desk):
    return shutil.copytree(desk.city, desk.folder / "backup")


def gone_back(desk, part="."):
    """A day is published and copied to a stick; then this machine, or a part of its folder, is
    what it was before. The stick.
    """
    stick, kept = desk.folder / "stick", backup(desk)
    desk.publish("--renew", "--to", stick, on=NEXT_DAY)
    shutil.rmtree(desk.city / part)
    shutil.copytree(kept / part, desk.city / part)
    return stick


def lay_over(source, to):
    """As a restore does: files are replaced, and what is newer is left lying there."""
    shutil.copytree(source, to, dirs_exist_ok=True)


def refused_as_older(desk, *more, on=DAYS[-1]):
    before = desk.files()
    is_error(desk.publish("--renew", *more, on=on), 3, "bundle-rollback", "newer")
    assert desk.files() == before, "nothing is changed"


@pytest.mark.parametrize("later", [1, 2, 4])
def test_an_older_copy_laid_over_a_newer_repository_is_not_gone_on_from(open_desk, later):
    """It would be given versions that cameras have seen with other contents."""
    kept = backup(open_desk)
    renew(open_desk, *DAYS[:later])
    lay_over(kept, open_desk.city)
    refused_as_older(open_desk)


def test_what_the_timestamp_names_is_kept_whatever_else_lies_there(open_desk):
    """Snapshots with higher numbers were taken for the newest, and its own was removed."""
    renew(open_desk, NEXT_DAY)
    metadata = open_desk.repository / "metadata"
    snapshot = (metadata / "2.snapshot.json").read_bytes()
    (metadata / "3.snapshot.json").write_bytes(snapshot)  # as an interrupted publish leaves it
    renew(open_desk, DAYS[1])
    assert camera(open_desk, DAYS[1]).versions["snapshot"] == 3


def test_higher_numbers_in_a_copy_do_not_cost_it_the_snapshot_that_it_needs(open_desk):
    """The three highest numbers were kept, so publishing removed what it had just written."""
    stick = open_desk.folder / "stick"
    assert open_desk.publish("--renew", "--to", stick, on=NEXT_DAY).code == 0
    for number in (7, 8, 9):
        shutil.copy(stick / "metadata/2.snapshot.json", stick / f"metadata/{number}.snapshot.json")
    done = open_desk.publish("--renew", "--to", stick, on=DAYS[1])
    assert done.code == 0, done.err
    assert (stick / "metadata/3.snapshot.json").is_file()
    assert "A camera takes this" in done.out


@pytest.mark.parametrize("part", ["repository", "."])
def test_a_newer_copy_elsewhere_is_not_written_over(open_desk, part):
    """The web server has what this machine lost: going on from here would end every camera."""
    stick = gone_back(open_desk, part)
    there = {path: path.read_bytes() for path in stick.rglob("*") if path.is_file()}
    refused_as_older(open_desk, "--to", stick)
    assert there == {path: path.read_bytes() for path in stick.rglob("*") if path.is_file()}


def test_two_machines_that_published_the_same_version_are_told(open_desk):
    stick = gone_back(open_desk)
    renew(open_desk, DAYS[1])
    before = open_desk.files()
    done = open_desk.publish("--renew", "--to", stick, on=DAYS[2])
    is_error(done, 3, "bundle-rollback", "another")
    assert open_desk.files() == before


def test_the_newest_copy_put_back_is_gone_on_from(open_desk):
    """The next step that the refusals name."""
    stick = gone_back(open_desk)
    lay_over(stick, open_desk.repository)
    renew(open_desk, DAYS[2])
    assert camera(open_desk, DAYS[2]).versions["timestamp"] == 3


def test_one_copy_that_cannot_be_written_costs_that_copy_only(open_desk):
    good, bad = open_desk.folder / "stick", open_desk.folder / "bad"
    bad.write_bytes(b"a file in the folder's place")
    done = open_desk.publish("--renew", "--to", bad, "--to", good, "--json", on=NEXT_DAY)
    assert done.code == 1
    table = json.loads(done.out)
    assert table["published"]
    assert table["copied_to"] == [str(good)]
    assert [each["folder"] for each in table["not_copied"]] == [str(bad)]
    assert (good / "metadata/timestamp.json").exists()
    assert camera(open_desk, NEXT_DAY).versions["timestamp"] == 2


def test_every_version_that_was_published_stays(open_desk):
    """The archive: who was listed when, signed by whom (docs/ref/bundles.md)."""
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    for who in ("dora", "eli"):
        open_desk.sign(who, on=LATER)
    open_desk.publish(on=LATER)
    renew(open_desk, *DAYS)
    metadata = open_desk.repository / "metadata"
    assert {path.name for path in metadata.glob("*.policy.json")} == {
        "1.policy.json",
        "2.policy.json",
    }
    assert len(list(metadata.glob("*.timestamp.json"))) == 2 + len(DAYS)
    assert len(list(metadata.glob("*.snapshot.json"))) == 2 + len(DAYS)
    assert len(list((open_desk.repository / "targets/policy").glob("*.policy.toml"))) == 2
    stick = open_desk.folder / "stick"
    renew_to = open_desk.publish("--renew", "--to", stick, on="2026-11-26T06:00:00Z")
    assert renew_to.code == 0, renew_to.err
    assert {path.relative_to(stick) for path in stick.rglob("*") if path.is_file()} == {
        path.relative_to(open_desk.repository)
        for path in open_desk.repository.rglob("*")
        if path.is_file()
    }


def test_a_first_publish_over_what_a_lost_one_left_is_refused(open_desk):
    (open_desk.repository / "metadata/timestamp.json").unlink()
    done = open_desk.publish("--renew", on=FIRST)
    assert done.code in {2, 3}, done.out
