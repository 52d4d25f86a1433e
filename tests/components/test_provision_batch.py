"""A batch of cameras, and what an enrolment must be: all or nothing, each fault with its line,
nothing put together from two.
"""

import json
import os
import stat
import tomllib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from agent.core.policy import camera_roster
from agent.core.policy.roster_csv import parse_roster_csv
from agent.core.wire.enrolment import fingerprint, parse_enrolment, spoken
from agent.disk import folder as disk_folder
from agent.disk.folder import NewFile, write_folder
from agent.errors import ConfigError, EnvelopeRefusedError, StorageError
from agent.sealing.camera_keys import make_kit
from agent.sealing.device_keys import load_sealing_key
from agent.verifying.device_public_file import load_device_public
from agent.verifying.enrolment_check import verify_enrolment
from tests.support.provisioning import NOW, a_root, tree, typed

pytestmark = pytest.mark.usefixtures("quick_disk")

ROSTER = (
    "id,stands,near,mount\nmain-street-2,Main Street at 2nd Avenue,,fixed\n"
    'oak-street-1,"Oak Street, 60 m from the school",school health-care,\n'
)


@pytest.fixture
def anchor(tmp_path):
    return a_root(tmp_path)


class TestBatch:
    def batch(self, capsys, tmp_path, text=ROSTER, *more):
        (tmp_path / "roster.csv").write_text(text)
        return typed(capsys, "--batch", tmp_path / "roster.csv", "--out", tmp_path / "out", *more)

    def test_forty_cameras_at_once(self, capsys, tmp_path, anchor):
        rows = "".join(f"cam-{number},Street {number},,fixed\n" for number in range(40))
        code, out, _ = self.batch(
            capsys, tmp_path, "id,stands,near,mount\n" + rows, "--anchor", anchor
        )
        assert code == 0
        assert "bundle sign --enrol" in out
        sheet = (tmp_path / "out/enrolments/fingerprints.txt").read_text()
        seals = set()
        for number in range(40):
            folder = tmp_path / f"out/cam-{number}"
            enrolment = verify_enrolment(
                (tmp_path / f"out/enrolments/cam-{number}.json").read_bytes()
            )
            seals.add(enrolment.public.seal)
            assert (
                load_device_public(folder / "device").seal
                == load_sealing_key(folder / "device").public_key().public_bytes_raw()
                == enrolment.public.seal
            )
            assert f"cam-{number} " in sheet
            assert spoken(fingerprint(enrolment)) in sheet
            assert (folder / "trust/root.json").read_bytes() == anchor.read_bytes()
            paths = {"state": "/var/lib/platewarden", "bundles": "/var/lib/platewarden/bundles-in"}
            assert tomllib.loads((folder / "platewarden.toml").read_text()) == {
                "camera_id": f"cam-{number}",
                "paths": paths,
            }
        assert len(seals) == 40
        assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700

    def test_the_roster_for_the_city_is_one(self, capsys, tmp_path):
        self.batch(capsys, tmp_path)
        text = 'city = "Exampleville"\n\n' + (tmp_path / "out/enrolments/roster.toml").read_text()
        cameras = camera_roster.parse_roster(text.encode(), "roster.toml").cameras
        assert cameras["oak-street-1"].near == {"school", "health-care"}
        assert cameras["oak-street-1"].stands == "Oak Street, 60 m from the school"

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (
                ROSTER + "main-street-2,Elsewhere,,\n",
                "line 4: camera 'main-street-2' is there already, in line 2",
            ),
            (ROSTER + "Main Street,x,,\n../etc,x,,\n", "line 5: '../etc' is no camera id"),
            (ROSTER + "cam-3,x,bank,\n", "'bank' is no kind of place"),
            (ROSTER + "cam-3,x,,balloon\n", "`mount` must be"),
            (ROSTER + "cam-3,x\n", "2 columns instead of 4"),
            (ROSTER + "cam-3,,,\n", "`stands` must be"),
            ("camera,place\n", "not the header"),
            ("", "not the header"),
            ("id,stands,near,mount\n\n", "names no camera"),
        ],
    )
    def test_a_bad_roster_makes_nothing(self, capsys, tmp_path, text, told):
        code, _, err = self.batch(capsys, tmp_path, text)
        assert (code, err.count("platewarden:")) == (2, 1)
        assert told in err
        assert tree(tmp_path) == ["roster.csv"]

    def test_as_a_spreadsheet_saves_it(self):
        rows = parse_roster_csv(
            b"\xef\xbb\xbfID;Stands;Near;Mount\r\n"
            b"cam-1;Oak Street, north;school|library;vehicle\r\n",
            "roster.csv",
        )
        assert (rows[0].stands, rows[0].near, rows[0].mount) == (
            "Oak Street, north",
            ("school", "library"),
            "vehicle",
        )
        with pytest.raises(ConfigError, match="UTF-8"):
            parse_roster_csv("id,stands,near,mount\ncam-1,Straße,,".encode("latin-1"), "roster.csv")

    def test_a_folder_in_use_or_missing(self, capsys, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out/mine").write_text("")
        code, _, err = self.batch(capsys, tmp_path)
        assert (code, "it holds mine" in err) == (1, True)
        assert (
            typed(capsys, "--batch", tmp_path / "roster.csv", "--out", tmp_path / "no/such")[0] == 1
        )
        assert tree(tmp_path) == ["out", "out/mine", "roster.csv"]

    def test_a_disk_that_fills_up_leaves_nothing(self, tmp_path, monkeypatch):
        wrote = []

        def full(path, data, mode=0o600, *, final=None):
            wrote.append(path)
            if len(wrote) == 3:
                raise StorageError("cannot write: no space left on device", where=final)
            path.write_bytes(data)

        monkeypatch.setattr(disk_folder, "write_new", full)
        with pytest.raises(StorageError, match="no space"):
            write_folder(tmp_path / "out", {f"{n}/f": NewFile(b"x") for n in range(5)})
        assert tree(tmp_path) == []

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_a_folder_that_cannot_be_written(self, tmp_path):
        tmp_path.chmod(0o500)
        with pytest.raises(StorageError, match="permission"):
            write_folder(tmp_path / "out", {"f": NewFile(b"x")})
        tmp_path.chmod(0o700)


class TestEnrolment:
    def test_every_altered_member_is_refused(self):
        kit, other = make_kit("cam-14", NOW), make_kit("cam-14", NOW)
        data = json.loads(kit.public["enrolment.json"])
        strange = json.loads(other.public["enrolment.json"])
        assert verify_enrolment(json.dumps(data).encode()) == kit.enrolment
        strange |= {
            "v": 2,
            "device": "cam-15",
            "made": "2027-01-16T12:00:00.000Z",
            "replaces": True,
        }
        for member in data:
            with pytest.raises(EnvelopeRefusedError):
                verify_enrolment(json.dumps({**data, member: strange[member]}).encode())
            with pytest.raises(EnvelopeRefusedError):
                verify_enrolment(
                    json.dumps(
                        {name: value for name, value in data.items() if name != member}
                    ).encode()
                )
        for more in (
            {"note": ""},
            {"replaces": 0},
            {"age": "age1" + "b" * 58},
            {"device": "a" * 33},
        ):
            with pytest.raises(EnvelopeRefusedError):
                verify_enrolment(json.dumps({**data, **more}).encode())

    def test_a_request_for_another_name_or_more_than_a_name_is_refused(self, monkeypatch):
        from agent.sealing import camera_keys

        def request(names, extension=None):
            builder = x509.CertificateSigningRequestBuilder().subject_name(
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
            )
            builder = builder.add_extension(extension, critical=False) if extension else builder
            return lambda _device, key: builder.sign(key, hashes.SHA256()).public_bytes(
                camera_keys.Encoding.PEM
            )

        for made in (
            request(["cam-15"]),
            request(["cam-14", "city-hall"]),
            request(["cam-14"], x509.BasicConstraints(ca=True, path_length=None)),
        ):
            monkeypatch.setattr(camera_keys, "_request", made)
            with pytest.raises(EnvelopeRefusedError, match="nothing else"):
                verify_enrolment(make_kit("cam-14", NOW).public["enrolment.json"])

    def test_too_long_or_no_json(self):
        for data in (b" " * 20_000, b"", b"[]", b"\xff"):
            with pytest.raises(EnvelopeRefusedError):
                verify_enrolment(data)

    def test_a_replacement_has_another_fingerprint(self):
        kit = make_kit("cam-14", NOW)
        enrolment, _, _ = parse_enrolment(kit.public["enrolment.json"])
        assert len(fingerprint(enrolment)) == 64
        assert len(spoken(fingerprint(enrolment)).split()) == 8

    def test_keys_do_not_print_themselves(self):
        assert "KEY" not in repr(make_kit("cam-14", NOW))
        assert "secret" not in repr(NewFile(b"secret"))
