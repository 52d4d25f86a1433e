"""`platewarden provision`: keys and enrolment whole or not at all, one camera or forty; nothing
overwritten; what is taken out of service is gone.
"""

import json
import os
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from agent.audit.log_verify import verify as verify_log
from agent.core.wire.enrolment import fingerprint, qr_text, spoken
from agent.disk import folder as disk_folder
from agent.sealing.device_keys import load_sealing_key
from agent.sealing.hotlist_key import load_hotlist_identity
from agent.storage.log_key import load_signing_key, load_trusted_keys
from agent.verifying.device_public_file import load_device_public
from agent.verifying.enrolment_check import verify_enrolment
from agent.verifying.envelope_check import EnvelopeVerifier
from tests.support.camera_rig import camera_rig, copy_of
from tests.support.provisioning import a_root, tree, typed


@pytest.fixture
def camera(tmp_path):
    """A settings file, and nothing else."""
    path = tmp_path / "platewarden.toml"
    path.write_text('camera_id = "cam-14"\n')
    return path


@pytest.fixture
def anchor(tmp_path):
    return a_root(tmp_path)


class TestOne:
    def test_makes_keys_request_enrolment_and_picture(self, capsys, camera):
        code, out, _ = typed(capsys, "--config", camera)
        device = camera.parent / "device"
        assert code == 0
        private = {"seal.key", "watch-log.key", "deliver-log.key", "hotlist.key", "tls-waiting.key"}
        assert {path.name for path in device.iterdir()} == private | {
            "public.json",
            "tls.csr",
            "enrolment.json",
            "enrolment.svg",
            "enrolment.png",
        }
        assert {stat.S_IMODE((device / name).stat().st_mode) for name in private} == {0o600}
        enrolment = verify_enrolment((device / "enrolment.json").read_bytes())
        assert enrolment.public == load_device_public(device)
        assert load_sealing_key(device).public_key().public_bytes_raw() == enrolment.public.seal
        assert (
            load_signing_key(device / "deliver-log.key").public_key().public_bytes_raw()
            == enrolment.public.deliver_log
        )
        assert spoken(fingerprint(enrolment)) in out
        assert not list(camera.parent.glob(".*"))

    def test_the_hot_list_opens_with_its_identity_and_no_other(self, capsys, camera):
        typed(capsys, "--config", camera)
        device = camera.parent / "device"
        enrolment = verify_enrolment((device / "enrolment.json").read_bytes())
        sealed = pyrage.encrypt(b"list", [pyrage.x25519.Recipient.from_str(enrolment.age)])
        assert pyrage.decrypt(sealed, [load_hotlist_identity(device)]) == b"list"
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(sealed, [pyrage.x25519.Identity.generate()])

    def test_the_picture_says_the_fingerprint(self, capsys, camera):
        cv2 = pytest.importorskip("cv2")
        typed(capsys, "--config", camera)
        device = camera.parent / "device"
        picture = cv2.imread(str(device / "enrolment.png"))
        sizes = (
            cv2.resize(picture, None, fx=by, fy=by, interpolation=cv2.INTER_AREA)
            for by in (1, 0.9, 0.8, 0.7, 0.6, 0.5)
        )
        read = [cv2.QRCodeDetectorAruco().detectAndDecode(size)[0] for size in sizes]
        assert set(read) == {qr_text(verify_enrolment((device / "enrolment.json").read_bytes()))}

    def test_never_overwrites(self, capsys, camera):
        typed(capsys, "--config", camera)
        before = {path.name: path.read_bytes() for path in (camera.parent / "device").iterdir()}
        for more in ((), ("--replace", "cam-14")):
            code, _, err = typed(capsys, "--config", camera, *more)
            assert (code, "nothing is ever overwritten" in err) == (1, True)
        assert {
            path.name: path.read_bytes() for path in (camera.parent / "device").iterdir()
        } == before

    def test_an_empty_folder_made_by_the_system_is_filled(self, capsys, camera):
        (camera.parent / "device").mkdir()
        assert typed(capsys, "--config", camera)[0] == 0

    def test_replaces_by_name(self, capsys, camera):
        code, _, err = typed(capsys, "--config", camera, "--replace", "cam-15")
        assert (code, "correct one of the two" in err) == (2, True)
        assert typed(capsys, "--config", camera, "--replace", "cam-14", "--json")[0] == 0
        assert verify_enrolment((camera.parent / "device/enrolment.json").read_bytes()).replaces

    def test_an_id_that_no_roster_could_hold(self, capsys, camera):
        camera.write_text('camera_id = "CAM-14"\n')
        code, _, err = typed(capsys, "--config", camera)
        assert (code, "no camera id" in err) == (2, True)
        assert tree(camera.parent) == ["platewarden.toml"]

    def test_json(self, capsys, camera):
        _, out, _ = typed(capsys, "--config", camera, "--json")
        told = json.loads(out)
        assert told["sha256"] == fingerprint(verify_enrolment(Path(told["enrolment"]).read_bytes()))

    def test_tasks_do_not_mix(self, capsys, camera, tmp_path):
        for more in (
            ("--decommission", "--replace", "cam-14"),
            ("--batch", "roster.csv"),
            ("--out", "x"),
            ("--batch", "x", "--out", "y", "--decommission"),
        ):
            assert typed(capsys, "--config", camera, *more)[0] == 2


class TestAnchor:
    def test_is_put_there(self, capsys, camera, anchor):
        assert typed(capsys, "--config", camera, "--anchor", anchor)[0] == 0
        assert (camera.parent / "trust/root.json").read_bytes() == anchor.read_bytes()

    @pytest.mark.parametrize("change", [b"", b"{}", b"signature", b"version", b"targets"])
    def test_a_wrong_one_leaves_nothing(self, capsys, camera, anchor, change):
        data = json.loads(anchor.read_bytes())
        if change == b"signature":
            data["signatures"][0]["sig"] = "00" * 64
        elif change == b"version":
            data["signed"]["version"] = 2
        elif change == b"targets":
            data["signed"] = {
                "_type": "targets",
                "version": 1,
                "spec_version": "1.0.31",
                "expires": "2028-01-01T00:00:00Z",
                "targets": {},
            }
        anchor.write_bytes(
            json.dumps(data).encode()
            if change in (b"signature", b"version", b"targets")
            else change
        )
        code, _, err = typed(capsys, "--config", camera, "--anchor", anchor)
        assert (code, "1.root.json" in err) == (2, True)
        assert not (camera.parent / "device").exists()
        assert not (camera.parent / "trust").exists()

    def test_a_later_version_is_none_however_well_it_is_signed(self, capsys, camera, tmp_path):
        code, _, err = typed(capsys, "--config", camera, "--anchor", a_root(tmp_path, version=2))
        assert (code, "not version 1" in err) == (2, True)
        assert not (camera.parent / "device").exists()

    def test_another_citys_is_never_replaced(self, capsys, camera, anchor):
        (camera.parent / "trust").mkdir()
        (camera.parent / "trust/root.json").write_text("another city")
        code, _, err = typed(capsys, "--config", camera, "--anchor", anchor)
        assert (code, "another city's root" in err) == (1, True)
        assert not (camera.parent / "device").exists()

    def test_it_is_taken_back_when_the_keys_cannot_be_written(
        self, capsys, camera, anchor, monkeypatch
    ):
        monkeypatch.setattr(
            disk_folder.os,
            "rename",
            lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")),
        )
        code, _, err = typed(capsys, "--config", camera, "--anchor", anchor)
        assert (code, "free space" in err) == (1, True)
        assert [name for name in tree(camera.parent) if name != "trust"] == [
            "1.root.json",
            "platewarden.toml",
        ]


class TestCertificate:
    def issue(self, camera, device, *, key=None, days=30):
        """A certificate as the broker's CA makes it."""
        request = x509.load_pem_x509_csr((device / "tls.csr").read_bytes())
        authority = Ed25519PrivateKey.generate()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "City Hall CA")])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(name)
            .public_key(key or request.public_key())
        )
        builder = (
            builder.serial_number(1)
            .not_valid_before(now - timedelta(days=40))
            .not_valid_after(now + timedelta(days=days))
        )
        path = camera.parent / "cam.crt"
        path.write_bytes(builder.sign(authority, None).public_bytes(Encoding.PEM))
        return path

    def test_installed_and_renewed(self, capsys, camera):
        from agent import settings
        from agent.sides.deliver import client_certificate

        typed(capsys, "--config", camera)
        device = camera.parent / "device"
        # Until then deliver runs without one.
        assert client_certificate(settings.load(camera)) is None
        for _ in range(2):
            assert (
                typed(capsys, "--config", camera, "--certificate", self.issue(camera, device))[0]
                == 0
            )
        assert client_certificate(settings.load(camera)) == (device / "tls.crt", device / "tls.key")
        assert stat.S_IMODE((device / "tls.key").stat().st_mode) == 0o600

    def test_with_notes_it_is_installed_without_them(self, capsys, camera):
        typed(capsys, "--config", camera)
        device = camera.parent / "device"
        path = self.issue(camera, device)
        plain = path.read_bytes()
        path.write_bytes("\ufeffFür cam\r\n".encode() + plain.replace(b"\n", b"\r"))
        assert typed(capsys, "--config", camera, "--certificate", path)[0] == 0
        assert (device / "tls.crt").read_bytes() == plain

    def test_not_ours_or_over(self, capsys, camera):
        typed(capsys, "--config", camera)
        device = camera.parent / "device"
        before = tree(device)
        for made, told in (
            (
                lambda: self.issue(camera, device, key=Ed25519PrivateKey.generate().public_key()),
                "another key",
            ),
            (lambda: self.issue(camera, device, days=-1), "expired"),
            (lambda: device / "tls.csr", "not a certificate"),
        ):
            code, _, err = typed(capsys, "--config", camera, "--certificate", made())
            assert (code, told in err) == (2, True), err
        assert tree(device) == before


class TestCredential:
    def test_without_systemd_creds_nothing_is_made(self, capsys, camera, monkeypatch):
        monkeypatch.setenv("PATH", str(camera.parent))
        code, _, err = typed(capsys, "--config", camera, "--credential")
        assert (code, "not installed" in err) == (1, True)
        assert tree(camera.parent) == ["platewarden.toml"]

    @pytest.mark.parametrize("script", ["exit 1", "exit 0", "cat"])
    def test_one_that_fails_or_encrypts_nothing_is_noticed(
        self, capsys, camera, monkeypatch, script, tmp_path_factory
    ):
        folder = tmp_path_factory.mktemp("bin")
        program = folder / "systemd-creds"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        code, _, err = typed(capsys, "--config", camera, "--credential")
        assert (code, "systemd-creds failed" in err) == (1, True)
        assert tree(camera.parent) == ["platewarden.toml"]

    @pytest.mark.skipif(
        shutil.which("systemd-creds") is None or os.geteuid() != 0,
        reason="needs systemd-creds, as root",
    )
    def test_only_this_machine_can_read_them_and_a_unit_gets_them(
        self, capsys, camera, monkeypatch, tmp_path_factory
    ):
        import subprocess

        code, _, err = typed(capsys, "--config", camera, "--credential")
        if code:
            pytest.skip(f"systemd-creds does not work here: {err}")
        device = camera.parent / "device"
        assert {path.name for path in device.glob("*.key")} == {"tls-waiting.key"}
        given = tmp_path_factory.mktemp("credentials")  # as systemd hands them to the unit
        for name in ("seal.key", "watch-log.key", "hotlist.key"):
            subprocess.run(
                [
                    "systemd-creds",
                    "decrypt",
                    f"--name={name}",
                    device / f"{name}.cred",
                    given / name,
                ],
                check=True,
                timeout=60,
                capture_output=True,
            )
            (given / name).chmod(0o400)
        public = load_device_public(device)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
        assert load_sealing_key(device).public_key().public_bytes_raw() == public.seal
        assert (
            load_signing_key(device / "watch-log.key").public_key().public_bytes_raw()
            == public.watch_log
        )
        assert (
            str(load_hotlist_identity(device).to_public())
            == verify_enrolment((device / "enrolment.json").read_bytes()).age
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A camera that has watched: keys, logs, reads that wait, a hot list in the clear."""
    rig = camera_rig(tmp_path_factory.mktemp("rig"), frames=3)
    done = rig.watch("--allow-unsigned")
    assert done.returncode == 0, done.stderr
    return rig


class TestWatch:
    def test_watch_runs_on_what_was_provisioned(self, capsys, installed, tmp_path):
        rig = copy_of(installed, tmp_path)
        work = rig.installation.work
        shutil.rmtree(work / "device")
        shutil.rmtree(work / "state")
        code, _, err = typed(capsys, "--config", work / "platewarden.toml")
        assert code == 0, err
        done = rig.watch("--allow-unsigned")
        assert done.returncode == 0, done.stderr
        public = load_device_public(work / "device")
        verifier = EnvelopeVerifier({public.device: public.seal})
        assert [
            verifier.verify(path.read_bytes()).device
            for path in (work / "state/outbox").glob("*.sealed")
        ] == [public.device]
        assert not verify_log(
            work / "state/watch", load_trusted_keys(work / "device/public.json"), ()
        ).faults


class TestDecommission:
    @pytest.fixture
    def work(self, installed, tmp_path):
        shutil.copytree(installed.installation.work, tmp_path / "work")
        return tmp_path / "work"

    def test_keys_reads_and_list_are_gone_and_the_log_says_so(self, capsys, work):
        settings = work / "platewarden.toml"
        secrets = [path.read_bytes() for path in (work / "device").glob("*.key")]
        reads = len([path for path in (work / "state/outbox").iterdir() if path.is_file()])
        assert secrets
        code, out, err = typed(capsys, "--config", settings, "--decommission", "--yes", "--json")
        assert code == 0, err
        assert json.loads(out)["camera"]
        left = [
            path
            for folder in ("city", "device", "state")
            for path in (work / folder).rglob("*")
            if path.is_file()
        ]
        assert not [
            path for path in left if path.suffix in {".key", ".sealed"} or "hotlist" in path.name
        ]
        assert not [path for path in left if any(secret in path.read_bytes() for secret in secrets)]
        report = verify_log(
            work / "state/watch", load_trusted_keys(work / "device/public.json"), ()
        )
        assert not report.faults
        assert report.kinds["decommission"] == 1
        assert reads > 0

    def test_can_be_run_again_and_writes_no_second_leaf(self, capsys, work):
        settings = work / "platewarden.toml"
        (work / "state/later").mkdir()
        (work / "state/later/x").write_text("left by a first attempt that was cut short")
        for _ in range(2):
            assert typed(capsys, "--config", settings, "--decommission", "--yes")[0] == 0
        report = verify_log(
            work / "state/watch", load_trusted_keys(work / "device/public.json"), ()
        )
        assert report.kinds["decommission"] == 1

    def test_asks_first(self, capsys, work, monkeypatch):
        before = tree(work)
        code, _, err = typed(capsys, "--config", work / "platewarden.toml", "--decommission")
        assert (code, "--yes" in err) == (2, True)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("typer.prompt", lambda *_args, **_more: "another-camera")
        code, _, err = typed(capsys, "--config", work / "platewarden.toml", "--decommission")
        assert (code, "nothing was done" in err) == (1, True)
        assert tree(work) == before

    def test_not_while_watch_runs(self, capsys, work):
        from agent.core.log.checkpoint import origin_of
        from agent.storage.audit_log import AuditLog
        from tests.fakes.clock import FakeClock

        public = load_device_public(work / "device")
        key = load_signing_key(work / "device/watch-log.key")
        before = tree(work / "device")
        with AuditLog(
            work / "state/watch/log.sqlite", origin_of(public.device, "watch"), key, FakeClock().now
        ):
            code, _, _ = typed(
                capsys, "--config", work / "platewarden.toml", "--decommission", "--yes"
            )
        assert code == 1
        assert tree(work / "device") == before
