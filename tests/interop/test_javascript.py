"""The JavaScript opener, written from docs/ref/sealed-read.md alone, opens what we seal and refuses
what was altered.
"""

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest

from agent.core.text.encoding import b64url, from_b64url
from agent.core.text.strict_json import public_jwk
from agent.core.wire.test_plate import plate_for
from agent.errors import EnvelopeRefusedError
from agent.sealing.sealer import Sealer
from agent.verifying.envelope_check import EnvelopeVerifier
from agent.verifying.roster_check import Roster, format_roster
from tests.golden.alterations import (
    PARTS,
    Alteration,
    alterations,
    altered,
    put_together,
    take_apart,
)
from tests.interop.node import HERE, node
from tests.support.contents import CONTENT, ODD_CONTENTS, ODD_TEXTS, sealed_content
from tests.support.sealed import (
    CAPTURED,
    DEVICE,
    EVERYTHING,
    PLATE,
    RECIPIENT,
    Parties,
    release,
    sighting,
    sign_compact,
)
from tests.support.second_version import NEW

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1500)]
VECTOR = json.loads(
    (Path(__file__).parents[1] / "golden" / "read-1.json").read_text(encoding="ascii")
)


def ask(request):
    """One run of node over all wires."""
    done = subprocess.run(
        [node(), str(HERE / "open.mjs")],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def parties():
    return Parties.make()


def request_for(parties, wires, **more):
    roster = sign_compact(
        parties.root_key,
        "platewarden-roster",
        format_roster(Roster("City of Exampleville", CAPTURED, parties.enrolled())),
    )
    keys = {
        day: {
            **public_jwk("X25519", key.public_key().public_bytes_raw()),
            "d": b64url(key.private_bytes_raw()),
        }
        for day, key in parties.epochs.items()
    }
    return {
        "recipient": RECIPIENT,
        "root_key": public_jwk("Ed25519", parties.root_key.public_key().public_bytes_raw()),
        "roster": roster.decode(),
        "epoch_private_keys": {day.isoformat(): key for day, key in keys.items()},
        "now": "2027-01-16T00:00:00.000Z",
        "wires": [wire if isinstance(wire, str) else wire.decode() for wire in wires],
        **more,
    }


def test_it_opens_what_the_sealer_makes(parties):
    sealed = parties.sealer().seal(sighting(), release(), 5)
    [answer] = ask(request_for(parties, [sealed.wire]))
    tags, content = answer["opened"]["tags"], answer["opened"]["content"]
    assert (tags["read"], tags["device"], tags["seq"], tags["unverified"]) == (
        sealed.tags.read_id,
        DEVICE,
        5,
        True,
    )
    assert (
        content["plate"],
        content["state"],
        content["match"]["case"],
        content["match"]["posterior"],
    ) == (PLATE, "CA", "2026-0118", 0.9744)
    assert content["crop"].startswith("/9j/")


def test_what_the_rule_leaves_out_is_not_there(parties):
    sealed = parties.sealer().seal(sighting(), release(include=EVERYTHING - {"plate", "crop"}), 6)
    [answer] = ask(request_for(parties, [sealed.wire]))
    assert answer["opened"]["content"].keys() == {"v", "match", "captured_at", "camera"}


def test_it_refuses_each_tag_that_was_changed(parties):
    """Changed alone: the signature breaks.

    Changed and signed again by the camera's own key: the encryption breaks.
    """
    sealed = parties.sealer().seal(sighting(), release(), 7)
    cases = list(alterations(sealed.wire.decode(), parties.device_key))
    answers = ask(request_for(parties, [altered(sealed.wire.decode(), case) for case in cases]))
    assert {
        case.name: answer.get("refused") for case, answer in zip(cases, answers, strict=True)
    } == {case.name: case.reason for case in cases}


def test_a_version_that_it_does_not_know_is_refused_plainly_and_only_of_an_enrolled_camera(parties):
    keys = dataclasses.replace(parties.epoch_keys(), versions=NEW.known)
    sealers = [
        Sealer(device, key, {RECIPIENT: keys}, NEW)
        for device, key in (
            (DEVICE, parties.device_key),
            (DEVICE, parties.root_key),
            ("cam-unknown", parties.device_key),
        )
    ]
    wires = [sealer.seal(sighting(), release(), 8).wire for sealer in sealers]
    known, forged, unknown = ask(request_for(parties, wires))
    assert known["refused"] == "unsupported-version"
    assert "version 2 is not known here" in known["what"]
    assert (forged["refused"], unknown["refused"]) == ("signature-invalid", "device-not-enrolled")
    [other] = ask(request_for(parties, wires[:1], recipient="other-pd"))
    assert other["refused"] == "not-for-this-recipient"


def test_it_refuses_content_that_does_not_follow_the_format(parties):
    """The same that our own opener refuses."""
    tags = parties.sealer().seal(sighting(), release(), 8).tags
    odd = {json.dumps(change)[:40]: {**CONTENT, **change} for change in ODD_CONTENTS} | ODD_TEXTS
    wires = [sealed_content(parties, tags, content).wire for content in (CONTENT, *odd.values())]
    sound, *answers = ask(request_for(parties, wires))
    assert sound["opened"]["content"] == CONTENT
    assert {
        name: answer.get("refused") for name, answer in zip(odd, answers, strict=True)
    } == dict.fromkeys(odd, "malformed")


@pytest.mark.parametrize(
    "change",
    [
        (b"{", b"\xef\xbb\xbf{"),
        (b'"v":1', b'"v":1.0'),
        (b'"v":1', b'"v":1e0'),
        (b'"seq":8', b'"seq":8.0'),
        (b'"version":7', b'"version":7.0'),
        (b'"version":7', b'"version":7,"\\u0076ersion":7'),
        (b"12:00:00.123Z", b"24:00:00.000Z"),
        (b'"captured_at":"2027-01-15', b'"captured_at":"2026-02-30'),
        (b"}}", b"}}{}"),
        (b"}}", b"}}\x00"),
    ],
    ids=str,
)
def test_it_refuses_a_header_that_is_written_in_another_way(parties, change):
    """Signed by the camera's own key; our verifier refuses it too."""
    wire = parties.sealer().seal(sighting(), release(), 8).wire.decode()
    header = from_b64url(take_apart(wire)["header"])
    assert change[0] in header
    becomes = {"header": b64url(header.replace(*change, 1))}
    parts = take_apart(wire) | becomes
    first_line = ".".join(parts[name] for name in PARTS[:5])
    signed = parties.device_key.sign(f"{parts['protected']}.{first_line}".encode())
    other = put_together(parts | {"signature": b64url(signed)})
    with pytest.raises(EnvelopeRefusedError) as refused:
        EnvelopeVerifier(parties.enrolled()).verify(other.encode())
    assert refused.value.reason == "malformed"
    [answer] = ask(request_for(parties, [other]))
    assert answer["refused"] == "malformed"


@pytest.mark.parametrize("more", ["\n", " ", "\0", "\n{}", "\ufeff"])
def test_it_refuses_bytes_after_and_before_the_read(parties, more):
    wire = parties.sealer().seal(sighting(), release(), 8).wire.decode()
    answers = ask(request_for(parties, [wire + more, more + wire]))
    assert [answer.get("refused") for answer in answers] == ["malformed"] * 2


def test_a_test_plate_and_its_category_belong_together(parties):
    tags = parties.sealer().seal(sighting(), release(), 8).tags
    plate = {"plate": plate_for((1, 2, 3, 4)), "char_confidence": [0.9] * 9}
    tests = dataclasses.replace(tags, category="test")
    wires = [
        sealed_content(parties, of, {**CONTENT, **change}).wire
        for of, change in ((tests, plate), (tests, {}), (tags, plate))
    ]
    answers = ask(request_for(parties, wires))
    assert [answer.get("refused") for answer in answers] == [None, "malformed", "malformed"]


def test_a_library_that_was_not_told_of_the_tags_refuses(parties):
    sealed = parties.sealer().seal(sighting(), release(), 8)
    [answer] = ask(request_for(parties, [sealed.wire], do_not_know_alpr=True))
    assert answer["refused"] == "decryption-failed"
    assert "not recognized" in answer["what"]


def test_it_refuses_a_read_for_somebody_else_a_late_one_and_one_whose_key_is_gone(parties):
    wire = parties.sealer().seal(sighting(), release(), 9).wire
    reasons = [
        ask(request_for(parties, [wire], **more))[0]["refused"]
        for more in (
            {"recipient": "other-pd"},
            {"now": "2027-02-05T00:00:00.000Z"},
            {"epoch_private_keys": {}},
        )
    ]
    assert reasons == ["not-for-this-recipient", "deadline-passed", "key-destroyed"]


def test_it_agrees_with_the_golden_vectors():
    cases = [Alteration(**listed) for listed in VECTOR["refused"]]
    request = {name: VECTOR[name] for name in ("recipient", "root_key", "roster")}
    request |= {
        "epoch_private_keys": {VECTOR["epoch"]: VECTOR["epoch_private_key"]},
        "now": "2027-01-16T00:00:00.000Z",
    }
    sound, *refused = ask(
        {**request, "wires": [VECTOR["wire"], *(altered(VECTOR["wire"], case) for case in cases)]}
    )
    assert sound["opened"]["content"]["plate"] == VECTOR["plate"]
    assert {
        case.name: answer.get("refused") for case, answer in zip(cases, refused, strict=True)
    } == {case.name: case.reason for case in cases}


def test_every_field_of_an_alteration_is_used():
    assert {field.name for field in dataclasses.fields(Alteration)} == VECTOR["refused"][0].keys()
