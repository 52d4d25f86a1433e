"""A clerk's whole year: the shell blocks of docs/guide/clerk.md, run as they stand, with a camera
that takes in every publication.
"""

import os
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path

import pyrage
import pytest

from agent.bundles.city_folder import CityFolder
from agent.bundles.generation import Generation
from agent.bundles.generation_store import BundleStore
from agent.bundles.hotlist_sealed import open_hotlist
from agent.core.time.instant import Instant
from agent.settings import Limits
from agent.verifying.roster_check import RosterRoot, parse_root, verify_roster
from tests.support.pki import Authority

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/guide/clerk.md"
YEAR = 2025  # long over, so that no day of it lies ahead of this machine's clock
BLOCK = re.compile(r"^```sh\n# (\d+ [A-Z][a-z]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OWN_CITY = re.compile(r"[ -]publish (?!--city (lapsed|short|of-three) )")
JOB = re.compile(r"^```sh\n# every (month|day)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The recipient's machine lives in the same year; it has no `--on`, since keys are destroyed by day.
COMMAND = """\
#!{python}
import os, sys
from datetime import UTC, datetime, time
if sys.argv[1] == "receiver":
    from agent.core.time.instant import ClockTrust, Instant
    from agent.host import clock
    day = datetime.fromisoformat(os.environ["PLATEWARDEN_ON"]).replace(tzinfo=UTC)
    then = lambda _: Instant(day, ClockTrust.TRUSTED, day)
    clock.SystemClock.now = clock.TrustedClock.now = then
    clock.TrustedClock.attest = lambda _: None
from agent.cli import main
main(sys.argv[1:])
"""
HOTLIST = (
    "plate,state,category,agency,case,source_date,expires\n"
    "PWD 0001,US-CA,stolen-vehicle,Exampleville PD,EPD-1,{since},{until}\n"
)
TYPED = "Y"  # the shell's standard input says yes to every question, so to that for a plate too
CAMERAS = (
    "id,stands,near,mount\nmain-street-2,Main Street at 2nd Avenue,,fixed\n"
    "oak-street-1,Oak Street,,fixed\n"
)
# Ninety commands, each a process of its own. Whichever test comes first waits for all.
pytestmark = pytest.mark.timeout(900)


def blocks():
    found = [
        (datetime.strptime(f"{day} {YEAR}", "%d %B %Y").replace(tzinfo=UTC).date(), body)
        for day, body in BLOCK.findall(GUIDE.read_text())
    ]
    assert len(found) >= 15
    assert [day for day, _ in found] == sorted(day for day, _ in found), (
        "the guide's days go backwards"
    )
    return found


@dataclass
class Clerk:
    """A desk with a shell, and a camera that is brought everything."""

    desk: Path
    wanted: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    roots: list[RosterRoot] = field(default_factory=list)  # after each publication

    def __post_init__(self):
        passphrase = self.desk / "passphrase"
        passphrase.write_text("correct horse battery staple\n")
        passphrase.chmod(0o600)
        command = self.desk / "bin/platewarden"
        command.parent.mkdir()
        command.write_text(COMMAND.format(python=sys.executable))
        command.chmod(0o755)
        today = datetime.now(UTC).date()
        (self.desk / "hotlist.csv").write_text(
            HOTLIST.format(since=today - timedelta(days=1), until=today + timedelta(days=30))
        )
        (self.desk / "roster.csv").write_text(CAMERAS)
        (self.desk / "replacement.csv").write_text("\n".join(CAMERAS.splitlines()[::2]) + "\n")
        (self.desk / "city-hall-ca.pem").write_bytes(Authority(self.desk / "pki").pem.read_bytes())

    def run(self, day: date, script: str) -> str:
        """Run a block on that day, answering yes to every question."""
        env = {
            **os.environ,
            "PATH": f"{self.desk / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }
        env |= {
            "PLATEWARDEN_ON": day.isoformat(),
            "PLATEWARDEN_PASSPHRASE_FILE": str(self.desk / "passphrase"),
        }
        shell = ["bash", "-euo", "pipefail", "-c", script]
        # Endless input, because the first command reads ahead.
        with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as yes:
            done = subprocess.run(
                shell,
                cwd=self.desk,
                env=env,
                stdin=yes.stdout,
                capture_output=True,
                text=True,
                timeout=220,
                check=False,
            )
            yes.kill()
        assert done.returncode == 0, f"{day}: {done.stdout[-3000:]}\n{done.stderr}"
        return done.stdout + done.stderr

    def camera(self, day: date) -> Generation | None:
        """What a camera takes in at the end of that day; None: nothing new."""
        store = BundleStore(
            self.desk / "camera",
            self.desk / "city/repository/metadata/1.root.json",
            Limits(),
            rig=False,
            camera="main-street-2",
        )
        return store.take_in(
            self.desk / "city/repository", Instant(datetime.combine(day, time(23, 59, 59), UTC))
        )

    def looks_for(self, generation: Generation) -> list[str]:
        """The cases under which a camera on Main Street looks for the plate that was typed."""
        if not (generation.city / "hotlist.age").exists():
            return []
        keys = (self.desk / "batch").rglob("hotlist.key")
        key = next(path for path in keys if "main-street-2" in path.parts)
        found = open_hotlist(
            generation.city,
            pyrage.x25519.Identity.from_str(key.read_text().strip()),
            datetime.now(UTC).date(),
            ["stolen-vehicle"],
            timedelta(days=7),
            generation.expiry["hotlist"],
            CityFolder(generation.city).charter().hotlist,
        )
        return [entry.case for entry in found.texts(TYPED)]


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    """Every block, and after each publication what the camera made of it: [(day, block, told,
    generation, the policy obeyed then)].
    """
    clerk = Clerk(tmp_path_factory.mktemp("clerk"))
    story, jobs, month = [], dict(JOB.findall(GUIDE.read_text())), 1
    for day, script in blocks():
        online = "daily2.pem" if (day.month, day.day) > (8, 4) else "daily.pem"
        if day.month != month:
            clerk.run(day, jobs["month"])
            clerk.run(day, jobs["day"].replace("daily.pem", online))
            month = day.month
        told = clerk.run(day, script)
        generation = clerk.camera(day) if OWN_CITY.search(script) else None
        if generation is not None:
            clerk.wanted[day.month, day.day] = clerk.looks_for(generation)
            clerk.roots.append(parse_root((generation.city / "root.json").read_bytes()))
        story.append(
            (
                day,
                script,
                told,
                generation,
                (generation.city / "policy.toml").read_text() if generation else "",
            )
        )
    return clerk, story


def test_every_publication_of_the_year_reaches_the_camera(year):
    _, story = year
    published = [generation for _, script, _, generation, _ in story if OWN_CITY.search(script)]
    assert len(published) >= 10
    assert all(published)
    versions = [generation.versions for generation in published]
    for before, after in pairwise(versions):
        assert all(after[role] >= version for role, version in before.items())
    assert [versions[0][role] for role in ("root", "targets", "policy")] == [1, 1, 1]
    assert (versions[-1]["root"], versions[-1]["targets"], versions[-1]["policy"]) == (3, 4, 12)


def test_the_change_of_policy_is_what_the_camera_obeys_from_march(year):
    policies = {day.month: text for day, _, _, _, text in year[1] if text}
    assert "version = 1\n" in policies[1]
    assert "max_per_hour = 20 " in policies[1]
    assert "version = 3\n" in policies[3]
    assert "max_per_hour = 12 " in policies[3]


def test_what_signers_are_shown(year):
    told = defaultdict(str)
    for day, _, text, _, _ in year[1]:
        told[day.month, day.day] += text
    assert "It lets out less" in told[3, 3]
    assert "It lets out more" in told[3, 3], "the stick holds what shows the difference"
    assert "Still pending: policy signed by nobody" in told[3, 3], "the daily job goes on"
    assert 'signature of "Fay Sun, city attorney"; signed by' in told[3, 4]
    assert "oak-street-1: enrolled; fingerprint" in told[1, 20]
    assert "policy: Fay Sun, city attorney signs no more" in told[5, 12]
    assert "To be signed again, since too few of its signatures still count: policy" in told[5, 12]
    assert "oak-street-1: replaced by another device" in told[6, 2]
    assert "timestamp: City IT, daily job signs no more" in told[8, 4]
    assert "of the present keys" in told[9, 15]
    assert "encrypted and published" in told[6, 2]
    assert "the city's root key changes" in told[10, 2]
    assert told[10, 3].count("Published at") == 2, "from the backup nothing is published"


def test_a_wanted_plate_needs_two_hands_and_a_car_that_was_found_is_looked_for_no_more(year):
    clerk, story = year
    told = {(day.month, day.day): " ".join(text.split()) for day, _, text, _, _ in story}
    assert 'two people must sign each entry by hand, of "Ida Moss, detective" (key ' in told[4, 7]
    assert "waits for another person" in told[4, 8]
    assert "approved: Ida Moss, detective added it" in told[4, 8]
    assert "added by hand 1, of them 0 by one person alone" in told[4, 9]
    assert "added by Ida Moss, detective, approved by Jon Wren, watch commander" in told[4, 9]
    assert "withdrawn: 1 entries encrypted and published" in told[4, 10]
    assert "published in version" in told[4, 10]
    assert clerk.wanted[4, 7] == []
    assert clerk.wanted[4, 8] == ["EPD-25-0412"]
    assert clerk.wanted[4, 10] == []
    assert "EPD-25-0412" not in str(clerk.wanted[6, 2])


def test_two_of_three_hold_the_root_and_one_of_them_is_replaced(year):
    clerk, story = year
    told = "".join(text for day, _, text, _, _ in story if (day.month, day.day) == (10, 2))
    assert told.count("Missing: 1") == 2
    assert "the city's root key changes (now 2 of keys " in told
    roots = list(dict.fromkeys(clerk.roots))
    assert [(root.threshold, len(root.keys)) for root in roots] == [(1, 1), (1, 1), (2, 3), (2, 3)]
    assert len(set(roots[2].keys) & set(roots[3].keys)) == 2
    last = (clerk.desk / "city/roster.jws").read_bytes()
    assert len(verify_roster(last, roots[-1]).devices) == 2


def test_a_city_is_founded_with_its_root_in_three_hands(year):
    clerk, story = year
    told = "".join(text for _, script, text, _, _ in story if "--city of-three" in script)
    assert "Now 2 of the 3 who hold the city's root type: platewarden bundle roster" in told
    assert "roster: signed by 1 of 2" in told
    assert "Published at" in told
    root = parse_root((clerk.desk / "of-three/root.json").read_bytes())
    assert (root.threshold, len(root.keys)) == (2, 3)
    assert not verify_roster((clerk.desk / "of-three/roster.jws").read_bytes(), root).devices


def test_a_policy_that_lapsed_and_keys_too_short_are_told_and_mended(year):
    """The daily job's exit code is held by the guide's own lines."""
    told = {script: text for _, script, text, _, _ in year[1]}
    lapsed, mended = (text for script, text in told.items() if "--city lapsed" in script)
    (short,) = (text for script, text in told.items() if "--city short" in script)
    assert "role policy: ENDED 2026-06-28" in lapsed
    assert "policy.toml, version 4: ENDED 2026-01-07" in lapsed
    assert "A camera takes this" in mended
    assert "CANNOT SERVE" in short
    assert "until 2025-09-28" in short, "60 days of new keys, less 21"


def test_the_page_of_a_past_day_says_who_signed_then(year):
    page = (year[0].desk / "main-street-2.html").read_text()
    answer = page.split('id="answer"')[1].split("</section>")[0]
    assert "On 5 March 2025, from main-street-2 (Main Street at 2nd Avenue)" in answer
    assert "<b>Exampleville Police Department</b>" in answer
    assert (
        "<b>signed by</b> &quot;Dora Lind, clerk&quot; and &quot;Fay Sun, city attorney" in answer
    )


def test_the_last_calendar_names_every_role_that_people_renew(year):
    text = (year[0].desk / "expiries.ics").read_bytes().decode().replace("\r\n ", "")
    assert [
        role
        for role in ("root", "targets", "policy", "keys-exampleville-pd")
        if f"City of Exampleville: {role} expires" not in text
    ] == []
    assert "DTSTART;VALUE=DATE:20260628" in text  # the policy, 190 days after 20 December
