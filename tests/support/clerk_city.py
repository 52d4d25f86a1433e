"""A published city on disk, made by the city's own functions, for tests of the `bundle` commands:
key files without passphrases, two cameras, one recipient.
"""

import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent import cli
from agent.bundles.generation_store import BundleStore
from agent.bundles.repository.signing_keys import format_public, make_key
from agent.core.time.instant import Instant
from agent.errors import RefusedError
from agent.sealing.camera_keys import make_kit
from agent.settings import Limits
from tests.support.judging import EXAMPLE
from tests.support.pki import Authority

PEOPLE = {
    "ada": "Ada Ortiz",
    "ben": "Ben Cho",
    "cleo": "Cleo Park",
    "dora": "Dora Lind",
    "eli": "Eli Roy",
    "fay": "Fay Sun",
    "daily": "City IT",
    "list": "Police list",
    "pd": "Police keys",
    "gus": "Gus Hale",  # holds nothing yet
}
RECIPIENT, CAMERA, OTHER = "exampleville-pd", "main-street-2", "county-road-9"
FIRST = "2026-11-20T06:00:00Z"  # the example's policy is in force from 1 November 2026 on
LATER, NEXT_DAY = "2026-11-20T07:00:00Z", "2026-11-21T06:00:00Z"


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


@dataclass
class Desk:
    """`run` calls a subcommand here; `key` names a key file."""

    folder: Path
    capture: pytest.CaptureFixture

    @property
    def city(self):
        return self.folder / "city"

    @property
    def lists(self):
        """Where the hot list lies."""
        (self.folder / "city-hotlist").mkdir(exist_ok=True)
        return self.folder / "city-hotlist"

    @property
    def repository(self):
        return self.city / "repository"

    def key(self, name):
        return self.folder / f"{name}.pem"

    def pub(self, name):
        return self.folder / f"{name}.pub"

    def run(self, *arguments, on=FIRST):
        """A command of platewarden, at a time."""
        with pytest.raises(SystemExit) as stop:
            cli.main([*map(str, arguments), *(["--on", on] if on else [])])
        told = self.capture.readouterr()
        return Done(stop.value.code or 0, told.out, told.err)

    def sign(self, who, *more, on=FIRST):
        return self.run(
            "bundle", "sign", "--city", self.city, "--key", self.key(who), "--yes", *more, on=on
        )

    def publish(self, *more, key="daily", on=FIRST):
        return self.run(
            "bundle", "publish", "--city", self.city, "--key", self.key(key), *more, on=on
        )

    def rotate(self, *more, on=FIRST):
        return self.run("bundle", "rotate", "--city", self.city, *more, on=on)

    def edit(self, name, old, new):
        path = self.city / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def enrol(self, name=CAMERA, file=None):
        """A new camera's enrolment file and its kit."""
        kit = make_kit(name, datetime(2026, 11, 20, tzinfo=UTC))
        path = self.folder / (file or f"{name}.json")
        path.write_bytes(kit.public["enrolment.json"])
        return path, kit

    def files(self):
        """Everything in the repository and pending, by path."""
        roots = (self.repository, self.city / "pending")
        return {
            path.relative_to(self.city).as_posix(): path.read_bytes()
            for root in roots
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }


def found(folder, capture):
    """A city as `bundle init` leaves it, signed by nobody yet."""
    desk = drafted(folder, capture)
    made = desk.run(*init(desk))
    assert made.code == 0, made.err
    return desk


def drafted(folder, capture):
    """The drafts, everybody's keys, and a passphrase."""
    desk = Desk(folder, capture)
    shutil.copytree(EXAMPLE, desk.city)
    (desk.city / "README.md").unlink()
    (desk.city / "ca").mkdir()
    (desk.city / "ca/city-hall-ca.pem").write_bytes(Authority(folder / "pki").pem.read_bytes())
    for name, holder in PEOPLE.items():
        desk.pub(name).write_bytes(format_public(make_key(desk.key(name), "", holder)))
    passphrase = folder / "passphrase"
    passphrase.write_text("correct horse battery\n")
    passphrase.chmod(0o600)
    return desk


def init(desk, root=None):
    """The command line of `bundle init`. `root`: who holds the city's root; without, one key."""
    signers = [
        part for name in ("ada", "ben", "cleo") for part in ("--charter-signer", desk.pub(name))
    ]
    signers += [
        part for name in ("dora", "eli", "fay") for part in ("--policy-signer", desk.pub(name))
    ]
    others = [
        "--online",
        desk.pub("daily"),
        "--hotlist-owner",
        desk.pub("list"),
        "--recipient",
        f"{RECIPIENT}={desk.pub('pd')}",
    ]
    names = [
        "--id",
        "exampleville",
        "--name",
        "City of Exampleville",
        *(["--roster-key", desk.key("roster")] if root is None else root),
        "--passphrase-file",
        desk.folder / "passphrase",
    ]
    return ["bundle", "init", "--city", desk.city, *names, *signers, *others]


def publish_first(desk):
    """The first publication."""
    for who in ("ada", "ben", "dora", "eli"):
        done = desk.sign(who)
        assert done.code == 0, done.err
    done = desk.publish()
    assert done.code == 0, done.err
    return desk


def camera(desk, at, *, rig=False, folder="camera", name=CAMERA):
    """What a camera takes in; the refusal where it refuses."""
    store = BundleStore(
        desk.folder / folder,
        desk.repository / "metadata/1.root.json",
        Limits(),
        rig=rig,
        camera=name,
    )
    try:
        return store.take_in(desk.repository, Instant(datetime.fromisoformat(at)))
    except RefusedError as refused:
        return refused


def is_error(done, code, *words):
    """One line on stderr, with all that a person needs."""
    assert done.code == code, done.err
    lines = [line for line in done.err.splitlines() if line.startswith("platewarden: ")]
    assert len(lines) == 1
    assert "Traceback" not in done.err
    for word in words:
        assert word in lines[0]
    assert re.search(r"\(.+\)$", lines[0]), f"no next step: {lines[0]}"


def copied(cities, name, to, capsys, make):
    """The city of that name, copied; made if this is the first who asks."""
    if not (cities / name).exists():
        made = to / "made"
        made.mkdir()
        make(made)
        made.rename(cities / name)  # whole, or not there for the next test either
    shutil.copytree(cities / name, to / "desk")
    return Desk(to / "desk", capsys)
