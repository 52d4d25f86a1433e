"""Sealing: what goes in, what stays out, and keys that stay private."""

import base64
import json
import stat

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core.wire.device_public import parse_device_public
from agent.core.wire.epochs import EpochKeys
from agent.core.wire.sealed_read import PADDING_BUCKETS_BYTES
from agent.errors import ConfigError, EnvelopeRefusedError, PlatewardenError, StorageError
from agent.sealing import crop, device_keys
from agent.sealing.payload import padded_payload
from agent.sealing.sealer import Sealer
from agent.verifying.device_public_file import load_device_public
from tests.support.sealed import (
    CAPTURED,
    DEVICE,
    EVERYTHING,
    PLATE,
    RECIPIENT,
    Parties,
    release,
    sighting,
)

ALWAYS = {"v", "match"}
BROUGHT = {
    "plate": {
        "plate",
        "confidence",
        "char_confidence",
        "alternatives",
        "state",
        "region",
        "frames",
    },
    "crop": {"crop"},
    "captured_at": {"captured_at"},
    "camera": {"camera"},
}


def content(seen=None, **more):
    return json.loads(padded_payload(seen or sighting(), release(**more), 1))


class TestContent:
    @pytest.mark.parametrize("left_out", sorted(EVERYTHING))
    def test_what_include_does_not_name_is_absent(self, left_out):
        kept = EVERYTHING - {left_out}
        assert content(include=kept).keys() == ALWAYS.union(*(BROUGHT[name] for name in kept))

    def test_without_the_plate_its_text_is_nowhere(self):
        assert PLATE not in json.dumps(content(include=frozenset({"camera", "captured_at"})))

    def test_the_lead_is_traceable(self):
        told = {
            "level": "exact",
            "agency": "Exampleville PD",
            "case": "2026-0118",
            "source_date": "2027-01-10",
            "posterior": 0.9744,
        }
        assert content()["match"] == told

    def test_what_nobody_estimated_is_no_number(self):
        import dataclasses

        leave = release()
        unknown = dataclasses.replace(leave, match=leave.match._replace(posterior=None))
        assert json.loads(padded_payload(sighting(), unknown, 1))["match"]["posterior"] is None

    def test_numbers_of_a_model_are_numbers(self):
        import dataclasses

        seen = dataclasses.replace(
            sighting(),
            confidence=np.float32(0.5),
            char_confidence=tuple(np.full(7, 0.25, np.float32)),
        )
        assert content(seen)["confidence"] == 0.5
        assert content(seen)["char_confidence"] == [0.25] * 7


class TestPadding:
    @pytest.mark.parametrize("width", [0, 8, 64, 160, 400, 2000])
    def test_every_size_of_picture_ends_at_a_bucket(self, width):
        assert (
            len(padded_payload(sighting(width=width, height=width * 3 // 10), release(), 1))
            in PADDING_BUCKETS_BYTES
        )

    def test_two_plates_cannot_be_told_apart_by_length(self):
        without = EVERYTHING - {"crop"}
        assert len(padded_payload(sighting(), release(include=without), 1)) == len(
            padded_payload(sighting(), release(include=without - {"camera"}), 1)
        )


class TestCrop:
    def test_a_noisy_picture_gives_way_until_it_fits(self):
        jpeg = base64.b64decode(content(sighting(width=2000, height=600))["crop"])
        assert 1000 < len(jpeg) < PADDING_BUCKETS_BYTES[-1]

    def test_no_metadata(self):
        for jpeg in crop.encodings(sighting().crop):
            assert jpeg.startswith(b"\xff\xd8\xff\xe0\x00\x10JFIF")
            # The segments of EXIF and XMP, ICC, Photoshop and comments.
            assert not {0xE1, 0xE2, 0xED, 0xFE} & set(segments(jpeg))

    @pytest.mark.parametrize("shape", [(0, 10, 3), (10, 0, 3), (10, 10)])
    def test_an_empty_picture_is_left_out(self, shape):
        assert not list(crop.encodings(np.zeros(shape, np.uint8)))


def segments(jpeg):
    """The JPEG markers up to the start of the scan."""
    at = 2
    while jpeg[at + 1] != 0xDA:
        yield jpeg[at + 1]
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")


class TestSealer:
    def test_no_error_repeats_what_was_being_sealed(self):
        parties = Parties.make(days=1)
        # Points of low order cannot be sealed to.
        keys = EpochKeys(RECIPIENT, CAPTURED, dict.fromkeys(Parties.make().epochs, bytes(32)))
        with pytest.raises(PlatewardenError) as failed:
            Sealer(DEVICE, parties.device_key, {RECIPIENT: keys}).seal(sighting(), release(), 1)
        assert PLATE not in str(failed.value)
        assert failed.value.__suppress_context__

    def test_a_sequence_of_zero_never_leaves(self):
        with pytest.raises(EnvelopeRefusedError):
            Parties.make().sealer().seal(sighting(), release(), 0)

    def test_the_same_sighting_twice_shares_no_byte_but_the_tags(self):
        sealer = Parties.make().sealer()
        first, second = (sealer.seal(sighting(), release(), 1).wire.split(b".") for _ in range(2))
        assert all(one != other for one, other in zip(first[:5], second[:5], strict=True))


class TestDeviceKeys:
    def test_made_once(self, tmp_path):
        public = device_keys.create(tmp_path / "device", DEVICE)
        assert load_device_public(tmp_path / "device") == public
        assert (
            device_keys.load_sealing_key(tmp_path / "device").public_key().public_bytes_raw()
            == public.seal
        )
        before = {path.name: path.read_bytes() for path in (tmp_path / "device").iterdir()}
        with pytest.raises(StorageError, match="never overwritten"):
            device_keys.create(tmp_path / "device", DEVICE)
        assert before == {path.name: path.read_bytes() for path in (tmp_path / "device").iterdir()}

    def test_half_a_set_is_not_completed(self, tmp_path):
        (tmp_path / "public.json").write_text("{}")
        with pytest.raises(StorageError, match=r"public\.json"):
            device_keys.create(tmp_path, DEVICE)
        assert [path.name for path in tmp_path.iterdir()] == ["public.json"]

    def test_private_keys_are_private_and_public_json_holds_none(self, tmp_path):
        device_keys.create(tmp_path, DEVICE)
        for name in ("seal.key", "watch-log.key", "deliver-log.key"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        assert '"d"' not in (tmp_path / "public.json").read_text()

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
    def test_a_key_that_others_can_read_is_refused(self, tmp_path, mode):
        device_keys.create(tmp_path, DEVICE)
        (tmp_path / "seal.key").chmod(mode)
        with pytest.raises(StorageError, match="chmod 600"):
            device_keys.load_sealing_key(tmp_path)

    @pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "-a", "x" * 65])
    def test_odd_names_are_refused(self, tmp_path, name):
        with pytest.raises(ConfigError):
            device_keys.create(tmp_path, name)
        assert not list(tmp_path.iterdir())

    def test_a_missing_damaged_linked_or_foreign_key_is_one_clear_error(self, tmp_path):
        def refused():
            with pytest.raises(StorageError, match=r"seal\.key"):
                device_keys.load_sealing_key(tmp_path)

        refused()
        key = tmp_path / "seal.key"
        key.touch(0o600)
        refused()
        key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        refused()
        pem = (
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        key.write_bytes(X25519PrivateKey.generate().private_bytes(*pem))
        refused()
        key.unlink()
        key.symlink_to(tmp_path / "elsewhere")
        refused()
        key.unlink()
        key.mkdir(0o700)
        refused()

    @pytest.mark.parametrize("text", ["", "{}", '{"device":"a"}', "[" * 9000])
    def test_a_broken_public_json_is_refused(self, tmp_path, text):
        (tmp_path / "public.json").write_text(text)
        with pytest.raises(PlatewardenError, match=r"public\.json"):
            load_device_public(tmp_path)

    def test_a_private_key_in_public_json_is_refused(self, tmp_path):
        device_keys.create(tmp_path, DEVICE)
        table = json.loads((tmp_path / "public.json").read_text())
        table["seal"]["d"] = table["seal"]["x"]
        with pytest.raises(EnvelopeRefusedError):
            parse_device_public(json.dumps(table).encode())
