"""What is told of the software: the log's leaves, `status`, the START leaf. And how its package
comes to the camera.
"""

import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import agent
from agent import cli
from agent.audit.log_report import Described, LogReport
from agent.audit.questions.ask import Asking
from agent.audit.shown_leaves import ShownLeaf
from agent.bundles.fetcher import FolderSource
from agent.bundles.layout import package_path
from agent.bundles.package_fetch import fetch_package
from agent.city.report.figures import of_logs
from agent.city.report.log_tally import Tally
from agent.city.report.log_work import LogDone
from agent.city.report.report_tables import Period
from agent.core.log.leaf import LeafKind
from agent.core.software.installed import FOLDER, Installed, Memory
from agent.core.software.signed_release import PackageFile
from agent.core.software.software_version import SoftwareVersion
from agent.core.time.instant import Instant
from agent.errors import BundleRefusedError, NetworkError
from agent.sides import update as update_side
from agent.software import running_version
from agent.software.memory_file import keep_memory
from agent.software.running_version import running, this_machine, told
from agent.software.step_leaves import StepLeaves
from agent.storage.audit_log import AuditLog
from tests.support.camera_rig import copy_of
from tests.support.signed_camera import leaves, signed_camera
from tests.support.software_camera import HERE, software_camera

pytestmark = pytest.mark.usefixtures("quick_disk")

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
NEW = Installed(SoftwareVersion(1, 4, 0), "a" * 64, 1)


@pytest.fixture
def log(tmp_path):
    key = Ed25519PrivateKey.generate()

    def opened():
        path = tmp_path / "watch/log.sqlite"
        return AuditLog(path, "platewarden/x/watch", key, lambda: Instant(NOW))

    return opened


def said(folder: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(folder / "watch/log.sqlite")) as log:
        rows = log.execute("SELECT details FROM leaf ORDER BY n").fetchall()
    found = [json.loads(details) for (details,) in rows]
    return [(one["what"], one.get("reason", "")) for one in found if one["kind"] == "software"]


def test_each_step_is_a_leaf_once_over_a_restart_too(log, tmp_path):
    memory = Memory().noted(NOW, "trial begins", NEW)
    keep_memory(tmp_path, memory)
    with log() as opened:
        steps = StepLeaves(tmp_path, opened)
        steps.tell()
        steps.tell()
        memory = memory.noted(NOW, "rolled back", NEW, "software-unhealthy", "watch has failed")
        keep_memory(tmp_path, memory)
        steps.tell()
    with log() as opened:
        StepLeaves(tmp_path, opened).tell()
    assert said(tmp_path) == [("trial begins", ""), ("rolled back", "software-unhealthy")]


def test_a_file_that_was_lost_and_begins_anew_is_told_from_its_first_step(log, tmp_path):
    keep_memory(tmp_path, Memory().noted(NOW, "one", NEW).noted(NOW, "two", NEW))
    with log() as opened:
        steps = StepLeaves(tmp_path, opened)
        steps.tell()
        keep_memory(tmp_path, Memory().noted(NOW, "anew", NEW))
        steps.tell()
    assert [what for what, _ in said(tmp_path)] == ["one", "two", "anew"]


def test_no_file_and_an_odd_file_are_no_steps(log, tmp_path):
    with log() as opened:
        StepLeaves(tmp_path, opened).tell()
        (tmp_path / "trial.json").write_bytes(b"odd")
        StepLeaves(tmp_path, opened).tell()
    assert said(tmp_path) == []


def test_which_version_runs_is_told_by_the_folder_it_was_started_from(monkeypatch):
    assert running() == Installed(running().version, "", 1)
    assert str(running().version) == agent.__version__
    there = f"/var/lib/platewarden/software/versions/{'a' * 64}/usr/lib/platewarden/agent/x.py"
    assert running(there).sha256 == "a" * 64
    assert told(NEW) == {"software": "1.4.0", "software_sha256": "a" * 64}
    for kind, size, architecture in (
        ("aarch64", 8, "arm64"),
        ("aarch64", 4, "armhf"),
        ("x86_64", 8, "amd64"),
        ("riscv64", 8, "riscv64"),
    ):
        monkeypatch.setattr(running_version.platform, "machine", lambda kind=kind: kind)
        monkeypatch.setattr(running_version.struct, "calcsize", lambda _p, size=size: size)
        assert this_machine("x").architecture == architecture


def told_by(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        cli.main(list(map(str, words)))
    assert not stop.value.code
    return capsys.readouterr().out


def test_status_names_version_trial_and_the_last_steps(tmp_path, capsys):
    camera = software_camera(tmp_path)
    camera.release("0.9.5")
    camera.software.apply()
    config = ("--config", tmp_path / "platewarden.toml")
    text = told_by(capsys, "software", "status", *config)
    assert f"Software  {agent.__version__}, as the machine's package has it" in text
    assert "0.9.5 refused [software-older]" in text
    table = json.loads(told_by(capsys, "software", "status", *config, "--json"))
    assert table["runs"] == {"version": agent.__version__, "sha256": ""}
    assert table["steps"][-1]["reason"] == "software-older"
    assert "0.9.5 refused [software-older]" in told_by(capsys, "status", *config)


def test_the_report_tells_which_software_ran_and_when():
    tally, november = Tally("camera-1", "watch"), Period("2026-11")
    story = [
        ("01", "1.3.0", ""),
        ("02", "1.4.0", "a" * 64),
        ("09", "1.4.0", "a" * 64),
        ("20", 7, 7),
    ]
    for day, version, sha256 in story:
        said = {"software": version, "software_sha256": sha256}
        at = f"2026-11-{day}T10:00:00.000Z"
        tally.take(ShownLeaf("x", "", "", 0, at, LeafKind.START, "", said), november)
    tables = {table.code: table for table in of_logs([_done(tally)], [], [])}
    first, last = "2026-11-02T10:00:00.000Z", "2026-11-09T10:00:00.000Z"
    assert tables["software"].rows == (
        ("camera-1", "watch", "1.3.0", "", *["2026-11-01T10:00:00.000Z"] * 2),
        ("camera-1", "watch", "1.4.0", "a" * 64, first, last),
    )


def _done(tally):
    nothing = Described(0, 0, 0, {}, "", "")
    report = LogReport(Path(), "camera-1/watch", nothing, None, (), ())
    return LogDone(report, 0, "", {}, tally, Asking("camera-1/watch").story, [])


class TestFetch:
    """The package comes by the same way as the bundles."""

    def test_a_stick_brings_the_package_of_this_machine_and_the_old_one_goes(
        self, tmp_path, monkeypatch
    ):
        camera = software_camera(tmp_path)
        inbox, stick = camera.software.settings.bundles, tmp_path / "stick"
        package = camera.release("1.4.0")
        inbox.rename(stick)
        old = inbox / package_path("b" * 64)
        old.parent.mkdir(parents=True)
        old.write_bytes(b"old")
        clock = camera.software.clock
        monkeypatch.setattr(update_side, "TrustedClock", lambda *_, **__: clock)
        monkeypatch.setattr(update_side, "this_machine", lambda _camera: HERE)
        update_side.from_folder(camera.software.settings, stick)
        (came,) = (inbox / "packages").iterdir()
        assert came.read_bytes() == (stick / "packages" / package.name).read_bytes()
        assert camera.software.apply().refused is None
        assert camera.runs() == "1.4.0"

    def test_a_stick_without_it_is_told_and_the_bundles_have_come(self, tmp_path, monkeypatch):
        camera = software_camera(tmp_path)
        inbox, stick = camera.software.settings.bundles, tmp_path / "stick"
        camera.release("1.4.0").unlink()
        inbox.rename(stick)
        clock = camera.software.clock
        monkeypatch.setattr(update_side, "TrustedClock", lambda *_, **__: clock)
        monkeypatch.setattr(update_side, "this_machine", lambda _camera: HERE)
        with pytest.raises(BundleRefusedError, match=r"bundle-incomplete.*is not there"):
            update_side.from_folder(camera.software.settings, stick)
        assert (inbox / "metadata/timestamp.json").is_file()

    def test_a_machine_for_which_there_is_none_fetches_none(self, tmp_path, monkeypatch):
        camera = software_camera(tmp_path)
        inbox, stick = camera.software.settings.bundles, tmp_path / "stick"
        camera.release("1.4.0")
        inbox.rename(stick)
        clock = camera.software.clock
        monkeypatch.setattr(update_side, "TrustedClock", lambda *_, **__: clock)
        update_side.from_folder(camera.software.settings, stick)
        assert not (inbox / "packages").exists()

    def test_what_is_not_what_its_name_says_does_not_stay(self, tmp_path):
        (tmp_path / "stick/packages").mkdir(parents=True)
        (tmp_path / "stick" / package_path("a" * 64)).write_bytes(b"another")
        package = PackageFile("arm64", "3.11", "a" * 64, 7)
        with pytest.raises(BundleRefusedError, match="bundle-target-altered"):
            fetch_package(FolderSource(tmp_path / "stick"), tmp_path / "in", package)
        assert list((tmp_path / "in/packages").iterdir()) == []

    def test_one_that_broke_off_goes_on_where_it_ended_and_other_parts_go(self, tmp_path):
        content, inbox = b"the package" * 9, tmp_path / "in"
        wanted = PackageFile("arm64", "3.11", hashlib.sha256(content).hexdigest(), len(content))
        network, asked = {"ends": 40}, []

        class Network:
            def chunks(self, _name, _max_bytes, begin=0):
                asked.append(begin)
                yield content[begin : network["ends"]]
                if network["ends"] < len(content):
                    raise NetworkError("broke off", where="the source")

        for sha256 in ("b" * 64, wanted.sha256):
            other = replace(wanted, sha256=sha256)
            with pytest.raises(NetworkError):
                fetch_package(Network(), inbox, other)
        network["ends"] = len(content)
        assert fetch_package(Network(), inbox, wanted)
        assert asked == [0, 0, 40]
        (came,) = (inbox / "packages").iterdir()
        assert (came.name, came.read_bytes()) == (f"{wanted.sha256}.deb", content)


def test_the_start_leaf_names_version_and_digest_and_watch_tells_the_steps(
    installed, tmp_path, monkeypatch
):
    camera = signed_camera(copy_of(installed, tmp_path))
    folder = camera.settings.state / FOLDER
    folder.mkdir(parents=True)
    keep_memory(folder, Memory().noted(NOW, "confirmed", NEW))
    camera.watch(monkeypatch, cars=1)
    (begun,) = leaves(camera.settings, "start")
    assert (begun["software"], begun["software_sha256"]) == (agent.__version__, "")
    (step,) = leaves(camera.settings, "software")
    assert (step["what"], step["software"]) == ("confirmed", "1.4.0")
    assert step["software_sha256"] == "a" * 64
