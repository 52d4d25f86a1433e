"""Opening: only what is whole, for us and in time; shown as a lead; never a traceback, never a
plate in an error.
"""

import dataclasses
import json
from base64 import b64encode

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe, jws
from joserfc.jwk import OKPKey
from joserfc.registry import HeaderParameter

from agent.commands.receiver import lead_display
from agent.core.policy.policy import Match
from agent.core.reading.plate_text import PlateText
from agent.core.text.encoding import b64url, from_b64url
from agent.core.wire.match_level import MatchLevel
from agent.core.wire.sealed_read import SealedRead, join, jwe_header, jws_header, pad
from agent.core.wire.test_plate import plate_for
from agent.errors import EnvelopeRefusedError, PlatewardenError
from agent.receiver.opener import Opener, _decrypt_jwe, _unwrapped, parse_content
from agent.sealing.sealer import Sealer, encrypt, sign
from agent.verifying.envelope_check import EnvelopeVerifier
from tests.golden.alterations import alterations, altered
from tests.support.contents import CONTENT, ODD_CONTENTS, ODD_TEXTS, jpeg, sealed_content
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

PARTIES = Parties.make()
SEALED = PARTIES.sealer().seal(sighting(), release(), 42)


class Keys:
    def __init__(self, keys):
        self.key = keys.get


# The defaults are never changed.
def opener(recipient=RECIPIENT, keys=PARTIES.epochs, enrolled=PARTIES.enrolled()):  # noqa: B008
    return Opener(recipient, EnvelopeVerifier(enrolled), Keys(keys))


def refusal(wire, **more):
    with pytest.raises(EnvelopeRefusedError) as refused:
        opener(**more).open(wire)
    assert PLATE not in str(refused.value)
    return refused.value.reason


def with_content(table) -> SealedRead:
    """A read with other content, sealed and signed as a camera gone wrong would."""
    return sealed_content(PARTIES, SEALED.tags, table)


class TestOpening:
    def test_everything_arrives(self):
        seen, opened = sighting(), opener().open(SEALED.wire)
        assert opened.tags == SEALED.tags
        assert (opened.plate.text, opened.plate.confidence, opened.plate.char_confidence) == (
            seen.text,
            seen.confidence,
            seen.char_confidence,
        )
        assert opened.plate.alternatives == tuple(
            (other.text, other.probability) for other in seen.alternatives
        )
        assert (opened.plate.state, opened.plate.region, opened.plate.frames) == ("CA", "us", 9)
        assert (opened.camera, opened.captured_at, opened.entry_agency) == (
            DEVICE,
            seen.captured.utc,
            "Exampleville PD",
        )
        assert opened.posterior == 0.9744
        assert opened.crop.startswith(b"\xff\xd8\xff")

    @pytest.mark.parametrize("left_out", sorted(EVERYTHING))
    def test_what_was_not_released_is_none(self, left_out):
        opened = opener().open(
            PARTIES.sealer().seal(sighting(), release(include=EVERYTHING - {left_out}), 1).wire
        )
        assert {name for name in EVERYTHING if getattr(opened, name) is None} == {left_out}

    def test_it_does_not_print_itself(self):
        opened = opener().open(SEALED.wire)
        assert PLATE not in repr(opened)
        assert "\\xff\\xd8" not in repr(opened)

    @pytest.mark.parametrize(
        "case",
        list(alterations(SEALED.wire.decode(), PARTIES.device_key)),
        ids=lambda case: case.name,
    )
    def test_alterations_do_not_open(self, case):
        assert refusal(altered(SEALED.wire.decode(), case).encode()) == case.reason

    def test_for_somebody_else(self):
        assert refusal(SEALED.wire, recipient="other-pd") == "not-for-this-recipient"

    def test_key_gone(self):
        assert refusal(SEALED.wire, keys={}) == "key-destroyed"

    def test_another_recipients_key(self):
        assert refusal(SEALED.wire, keys=Parties.make().epochs) == "decryption-failed"

    def test_not_enrolled(self):
        assert refusal(SEALED.wire, enrolled={}) == "device-not-enrolled"


class TestContent:
    """The content comes from an enrolled camera, and is checked like everything else."""

    def test_sound_content_opens(self):
        assert opener().open(with_content(CONTENT).wire).plate.text.value == PLATE

    @pytest.mark.parametrize(
        "change",
        [
            {"crop": b64encode(jpeg(1024, 1024)).decode()},
            {"match": {**CONTENT["match"], "posterior": 0.9999}},
            {"alternatives": [{"plate": "TSTO042", "probability": 0.0304}]},
            {"plate": "", "char_confidence": [], "confidence": 0, "alternatives": []},
        ],
        ids=lambda change: json.dumps(change)[:40],
    )
    def test_what_is_just_allowed_opens(self, change):
        opener().open(with_content({**CONTENT, **change}).wire)

    @pytest.mark.parametrize(
        "change",
        ODD_CONTENTS,
        ids=lambda change: json.dumps(change)[:40],
    )
    def test_odd_content_is_refused(self, change):
        assert refusal(with_content({**CONTENT, **change}).wire) == "malformed"

    @pytest.mark.parametrize(
        "name",
        [
            "confidence",
            "char_confidence",
            "alternatives",
            "state",
            "region",
            "frames",
            "match",
            "v",
        ],
    )
    def test_missing_members_are_refused(self, name):
        assert (
            refusal(
                with_content({key: value for key, value in CONTENT.items() if key != name}).wire
            )
            == "malformed"
        )

    @pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
    def test_odd_writing_is_refused(self, text):
        assert refusal(with_content(text).wire) == "malformed"

    @settings(max_examples=25)
    @given(st.binary(max_size=300))
    def test_random_content_is_refused(self, plaintext):
        with pytest.raises(EnvelopeRefusedError):
            parse_content(SEALED.tags, plaintext)


class TestRehearsal:
    """A test plate and the category `test` belong together: neither may pass for a lead, or a lead
    for a test.
    """

    @staticmethod
    def opened(text, category):
        seen = dataclasses.replace(
            sighting(), text=PlateText(text), char_confidence=(0.99,) * len(text)
        )
        let = dataclasses.replace(
            release(), match=Match(category, MatchLevel.TEXT, "PD", "C-1", CAPTURED.date())
        )
        return opener().open(PARTIES.sealer().seal(seen, let, 1).wire)

    def test_shown_as_a_test_and_never_as_a_lead(self):
        opened = self.opened(plate_for((1, 2, 3, 4)), "test")
        assert lead_display.as_text(opened).splitlines()[1].startswith("TEST")
        assert "LEAD" not in lead_display.as_text(opened)
        assert (lead_display.as_json(opened)["test"], lead_display.as_json(opened)["lead"][:4]) == (
            True,
            "TEST",
        )
        assert not lead_display.as_json(opener().open(SEALED.wire))["test"]

    @pytest.mark.parametrize(
        ("text", "category"),
        [
            (PLATE, "test"),
            (plate_for((1, 2, 3, 4)), "stolen-vehicle"),
            (plate_for((1, 2, 3, 4))[:-1], "test"),
        ],
    )
    def test_one_without_the_other_is_refused(self, text, category):
        with pytest.raises(EnvelopeRefusedError) as refused:
            self.opened(text, category)
        assert refused.value.reason == "malformed"


class TestShowing:
    def test_the_banner_comes_first(self):
        text = lead_display.as_text(opener().open(SEALED.wire))
        assert text.splitlines()[1] == "UNVERIFIED LEAD — check before acting"
        for part in (
            PLATE,
            "Exampleville PD",
            "2026-0118",
            "stolen-vehicle",
            "exact",
            "97%",
            "about 97 in 100",
            "T S T 0 0 4 2",
            "TSTO042 (2%)",
            "2027-02-05",
        ):
            assert part in text

    @pytest.mark.parametrize(
        ("posterior", "told"),
        [
            (None, "not estimated"),
            (1.0, "about 99 in 100"),
            (0.9999, "about 99 in 100"),
            (0.929, "about 92 in 100"),
            (0.004, "under 1 in 100"),
        ],
    )
    def test_the_odds_are_an_estimate_and_rounded_down(self, posterior, told):
        opened = dataclasses.replace(opener().open(SEALED.wire), posterior=posterior)
        assert f"Odds            {told}" in lead_display.as_text(opened)
        assert lead_display.as_json(opened)["posterior"] == posterior

    def test_json_says_unverified_and_leaves_the_picture_out(self):
        table = lead_display.as_json(opener().open(SEALED.wire))
        assert (table["unverified"], table["plate"], table["match"]) == (True, PLATE, "exact")
        assert len(json.dumps(table)) < 2000

    def test_a_plate_that_was_not_released_is_said_so(self):
        opened = opener().open(
            PARTIES.sealer().seal(sighting(), release(include=frozenset({"camera"})), 1).wire
        )
        assert "not released" in lead_display.as_text(opened)
        assert "plate" not in lead_display.as_json(opened)


def registry():
    """Of the oracle, joserfc: the headers that we write, and long ones."""
    known = jwe.JWERegistry(
        header_registry={"alpr": HeaderParameter("tags", lambda _value: None)},
        algorithms=["ECDH-ES+A256KW", "A256GCM"],
    )
    known.max_protected_header_length = known.max_ciphertext_length = 65_536
    return known


def test_the_library_opens_what_we_seal():
    key = PARTIES.epochs[SEALED.tags.epoch]
    compact = SEALED.wire.partition(b"\n")[0]
    opened = jwe.decrypt_compact(compact, OKPKey.import_key(key), registry=registry())
    assert _decrypt_jwe(compact, key) == opened.plaintext
    assert json.loads(opened.plaintext)["plate"] == PLATE


def test_we_open_what_the_library_seals():
    key, plaintext = PARTIES.epochs[SEALED.tags.epoch], pad(json.dumps(CONTENT).encode())
    public = OKPKey.import_key(key.public_key())
    compact = jwe.encrypt_compact(jwe_header(SEALED.tags), plaintext, public, registry=registry())
    wire = join(compact.encode(), *sign(DEVICE, PARTIES.device_key, compact.encode()))
    assert opener().open(wire).plate.text.value == PLATE


def test_the_library_checks_what_we_sign_and_signs_the_same():
    compact, _, second = SEALED.wire.partition(b"\n")
    protected, _, signature = second.decode().partition("..")
    key = OKPKey.import_key(PARTIES.device_key)
    signed = {"protected": protected, "signature": signature}
    checked = jws.deserialize_json(
        {**signed, "payload": compact.decode()}, key, algorithms=["Ed25519"]
    )
    assert checked.payload == compact
    theirs = jws.serialize_json(
        {"protected": jws_header(DEVICE)}, compact, key, algorithms=["Ed25519"]
    )
    assert {name: theirs[name] for name in signed} == signed


def test_the_same_read_sealed_again_has_fresh_keys_and_a_fresh_nonce():
    key = PARTIES.epochs[SEALED.tags.epoch]
    public = key.public_key().public_bytes_raw()
    sealed = [encrypt(SEALED.tags, public, pad(b"{}")) for _ in range(2)]
    once, again = (compact.split(b".") for compact in sealed)
    assert [a == b for a, b in zip(once, again, strict=True)] == [False] * 5
    assert len({_unwrapped(compact, key) for compact in sealed}) == 2


def test_nothing_is_sealed_to_a_key_with_which_everybody_shares_a_secret():
    everybodys = {day: bytes(32) for day in PARTIES.epochs}
    keys = dataclasses.replace(PARTIES.epoch_keys(), keys=everybodys)
    with pytest.raises(PlatewardenError, match="sealing failed"):
        Sealer(DEVICE, PARTIES.device_key, {RECIPIENT: keys}).seal(sighting(), release(), 1)


@pytest.mark.parametrize("segment", range(1, 5))
def test_a_changed_bit_of_any_segment_opens_nothing(segment):
    key = PARTIES.epochs[SEALED.tags.epoch]
    parts = SEALED.wire.partition(b"\n")[0].split(b".")
    parts[segment] = (b"B" if parts[segment][:1] == b"A" else b"A") + parts[segment][1:]
    with pytest.raises((InvalidTag, InvalidUnwrap)):
        _decrypt_jwe(b".".join(parts), key)


def test_another_header_or_key_opens_nothing():
    """The header is the tags: they are the encryption's associated data."""
    key = PARTIES.epochs[SEALED.tags.epoch]
    header, rest = SEALED.wire.partition(b"\n")[0].split(b".", 1)
    changed = b64url(from_b64url(header.decode()).replace(b'"seq":42', b'"seq":43')).encode()
    assert changed != header
    with pytest.raises(InvalidTag):
        _decrypt_jwe(changed + b"." + rest, key)
    with pytest.raises(InvalidUnwrap):
        _decrypt_jwe(header + b"." + rest, Parties.make().epochs[SEALED.tags.epoch])
