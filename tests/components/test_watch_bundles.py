"""watch under signed bundles: a change applies between two frames, whole and without a restart;
what is refused, lapses or bars closes and says so.
"""

import hmac
import json
import shutil
from collections import Counter

import pyrage
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jws
from joserfc.jwk import OKPKey

from agent.bundles.layout import (
    CHANGES_PATH,
    HOTLIST,
    HOTLIST_PATH,
    POLICY,
    POLICY_PATH,
    keys_path,
    keys_role,
)
from agent.commands import status
from agent.core.reading.tracking import Tracker
from agent.core.text.rfc3339 import rfc3339
from agent.core.time.instant import Instant
from agent.core.wire.versions import VERSIONS, Versions
from agent.demo.throwaway_city import RECIPIENT
from agent.receiver.workplace import Workplace
from agent.sides import camera_state, watch_parts
from agent.sides.signed_city import SignedCity
from agent.storage.health import watch_health
from agent.storage.health.watch_health import told_by_watch
from agent.storage.log_key import keyed_digest
from agent.storage.mailbox import HEALTH
from agent.verifying.device_public_file import load_device_public
from agent.verifying.envelope_check import EnvelopeVerifier
from tests.support.camera_rig import PLATE, copy_of
from tests.support.signed_camera import LONG_AGO_S, leaves, signed_camera

pytestmark = pytest.mark.usefixtures("quick_disk")

VERSION_2 = (b"version = 1", b"version = 2")


@pytest.fixture
def camera(installed, tmp_path):
    return signed_camera(copy_of(installed, tmp_path))


def released(camera):
    """Tags of what was sealed, in order."""
    public = load_device_public(camera.settings.device)
    verifier = EnvelopeVerifier({public.device: public.seal}, 65_536)
    tags = [verifier.verify(path.read_bytes()) for path in camera.settings.outbox.glob("*.sealed")]
    return sorted(tags, key=lambda tag: tag.sequence)


def push(camera, *change, **how):
    camera.city.now = camera.machine.real
    camera.city.edit_policy(*change, **how)
    camera.publish()


def test_an_enrolled_camera_obeys_its_bundles(camera, monkeypatch):
    camera.watch(monkeypatch, cars=1)
    (tags,) = released(camera)
    assert (tags.policy_version, tags.clock) == (1, "trusted")
    assert camera.networks_asked == [(1, None, camera.settings.models.longest_text)]
    (bundles,) = leaves(camera.settings, "bundles")
    assert bundles["signed_by"]["policy"] == ["Dora Lind", "Eli Roy"]
    assert leaves(camera.settings, "start")[0]["signed"] is True


def test_a_new_policy_applies_between_frames_without_a_restart(camera, monkeypatch):
    camera.script[1] = lambda: push(camera, *VERSION_2)
    camera.watch(monkeypatch, cars=2)
    assert [tags.policy_version for tags in released(camera)] == [1, 2]
    assert camera.opened == 1
    assert [leaf["policy_version"] for leaf in leaves(camera.settings, "policy")] == [2]


def test_watch_tells_how_it_is_for_deliver_to_send(camera, monkeypatch):
    monkeypatch.setattr(watch_health, "FIRST_AFTER_S", 0.0)
    camera.watch(monkeypatch, cars=1)
    told = told_by_watch(camera.settings.outbox / HEALTH)
    assert (told.closed, told.clock, told.hotlist_stale) == (None, "trusted", False)
    assert told.alarms == frozenset()
    assert told.hotlist_age_h is not None
    assert PLATE.encode() not in (camera.settings.outbox / HEALTH).read_bytes()


def test_no_guess_of_the_list_can_be_tried_on_the_log_or_on_what_status_reads(camera, monkeypatch):
    """Leaves and hotlist.json name the list by what only this camera's key can make of it."""
    plain = []
    monkeypatch.setattr(
        watch_parts, "keyed_digest", lambda key, told: plain.append(told) or keyed_digest(key, told)
    )
    camera.script[1] = lambda: push(camera, *VERSION_2)
    camera.watch(monkeypatch, cars=2)
    start, policy = (leaves(camera.settings, kind)[0] for kind in ("start", "policy"))
    told = (camera.settings.state / "watch" / "hotlist.json").read_text()
    secret = load_pem_private_key((camera.settings.device / "watch-log.key").read_bytes(), None)
    key = HKDF(SHA256(), 32, None, b"platewarden hotlist_digest 1").derive(
        secret.private_bytes_raw()
    )
    expected = hmac.new(key, plain[0].encode(), "sha256").hexdigest()
    assert start["hotlist_digest"] == policy["hotlist_digest"] == expected
    assert json.loads(told)["digest"] == expected
    assert len(set(plain)) == 1
    assert plain[0] not in told + json.dumps(leaves(camera.settings))


def test_an_emptied_log_is_begun_anew_says_so_and_uses_no_number_twice(camera, monkeypatch):
    camera.watch(monkeypatch, cars=1)
    settings, floor = camera.settings, "watch.checkpoint"
    before = leaves(settings)
    settings.receipts.mkdir(exist_ok=True)  # what deliver keeps and shows
    shutil.copyfile(settings.outbox / floor, settings.receipts / floor)
    for path in (settings.state / "watch").glob("*"):
        if path.name.startswith(("log.sqlite", "checkpoint")):
            path.unlink()
    monkeypatch.undo()
    camera.watch(monkeypatch, cars=2)
    assert [tags.sequence for tags in released(camera)] == [1, 2]
    first = leaves(settings)[0]
    assert (first["kind"], first["leaves"]) == ("missing", len(before))


def test_a_policy_signed_by_one_of_two_changes_nothing_and_the_log_says_who_signed_it(
    camera, monkeypatch, capsys
):
    camera.script[1] = lambda: push(camera, *VERSION_2, signers=camera.city.signers[POLICY][2:])
    camera.watch(monkeypatch, cars=2)
    assert [tags.policy_version for tags in released(camera)] == [1, 1]
    said = capsys.readouterr().err
    assert said.count("platewarden watch: bundles: refused [bundle-signature-threshold]: ") == 1
    (refusal,) = leaves(camera.settings, "refusal")
    assert (refusal["reason"], refusal["what"]) == (
        "bundle-signature-threshold",
        'bundles: policy: signed by "Fay Sun": 1 of 2 needed',
    )


def test_what_a_rule_has_spent_stays_spent_under_the_next_policy(camera, monkeypatch):
    camera.city.edit_policy(b"max_per_hour = 20", b"max_per_hour = 1")
    camera.publish()
    camera.script[1] = lambda: push(camera, *VERSION_2)
    camera.watch(monkeypatch, cars=3)
    # the same car each time: one is charged, and one repeat is free of charge
    assert len(released(camera)) == 2


def test_bundles_that_bar_this_camera_close_its_sensor_until_others_come(camera, monkeypatch):
    text = camera.city.files[POLICY][POLICY_PATH]
    barred = text + b'\n[[barred]]\ncameras = ["cam-01"]\nwhy = "Council resolution"\n'
    asleep = []

    def pass_time(seconds):
        asleep.append(seconds)
        camera.machine.advance(seconds)
        if len(asleep) == 5:
            push(camera, barred, text)

    camera.script[1] = lambda: push(camera, text, barred)
    monkeypatch.setattr(camera.machine, "sleep", pass_time)
    camera.watch(monkeypatch, cars=3)
    assert (camera.opened, len(asleep)) == (2, 5)
    assert [leaf["reason"] for leaf in leaves(camera.settings, "refusal")] == ["camera-barred"]


def test_a_camera_that_the_signed_roster_enrols_no_more_stops(camera, monkeypatch):
    other = OKPKey.generate_key("Ed25519")
    payload = {
        "v": 1,
        "city": "Exampleville",
        "issued_at": rfc3339(camera.machine.real),
        "devices": [],
    }
    roster = jws.serialize_compact(
        {"alg": "Ed25519", "typ": "platewarden-roster"},
        json.dumps(payload),
        other,
        algorithms=["Ed25519"],
    )
    public = other.as_dict(private=False)
    root = json.dumps({member: public[member] for member in ("kty", "crv", "x")})

    def take_out():
        camera.city.now = camera.machine.real
        camera.city.files[POLICY] |= {
            "policy/roster.jws": roster.encode(),
            "policy/root.json": root.encode(),
        }
        camera.city.release(POLICY)
        camera.city.online()
        camera.publish()

    def stop_waiting(_seconds):
        raise KeyboardInterrupt

    camera.script[1] = take_out
    monkeypatch.setattr(camera.machine, "sleep", stop_waiting)
    with pytest.raises(KeyboardInterrupt):
        camera.watch(monkeypatch, cars=3)
    assert len(released(camera)) == 1
    assert leaves(camera.settings, "refusal")[-1]["reason"] == "device-not-enrolled"


def test_a_camera_without_bundles_waits_with_a_closed_sensor(camera, monkeypatch):
    shutil.move(camera.settings.bundles, camera.settings.bundles.with_name("later"))

    def bring(seconds):
        assert camera.opened == 0
        camera.machine.advance(seconds)
        shutil.move(camera.settings.bundles.with_name("later"), camera.settings.bundles)

    monkeypatch.setattr(camera.machine, "sleep", bring)
    camera.watch(monkeypatch, cars=1)
    assert len(released(camera)) == 1


def test_a_hot_list_for_other_cameras_raises_nothing_and_the_rest_goes_on(camera, monkeypatch):
    camera.city.files[HOTLIST][HOTLIST_PATH] = b"sealed to somebody else"
    camera.city.release(HOTLIST)
    camera.city.online()
    camera.publish()
    camera.watch(monkeypatch, cars=1)
    assert released(camera) == []
    assert leaves(camera.settings, "refusal")[0]["reason"] == "decryption-failed"
    assert leaves(camera.settings, "counts")[0]["reasons"] == {"hotlist-stale": 1}


def test_a_list_whose_changes_do_not_give_it_is_left_and_the_city_sees_that_there_is_none(
    camera, monkeypatch
):
    """The list beside them holds this very car, which may have been found since."""
    monkeypatch.setattr(watch_health, "FIRST_AFTER_S", 0.0)
    sealed = pyrage.encrypt(b"no changes", [camera.identity.to_public()])
    camera.city.files[HOTLIST][CHANGES_PATH] = sealed
    camera.city.release(HOTLIST)
    camera.city.online()
    camera.publish()
    camera.watch(monkeypatch, cars=1)
    assert released(camera) == []
    told = leaves(camera.settings, "refusal")[0]
    assert (told["reason"], "the changes" in told["what"]) == ("malformed", True)
    assert leaves(camera.settings, "counts")[0]["reasons"] == {"hotlist-stale": 1}
    health = told_by_watch(camera.settings.outbox / HEALTH)
    assert health.hotlist_age_h is None
    status = camera_state.collect(camera.settings)
    assert "none that this camera may use" in status["hotlist"]["problem"]


def test_a_recipient_of_another_age_is_told_of_at_once_and_gets_nothing(camera, monkeypatch):
    """Versions 3 and 2, of which this camera knows neither."""
    folder = camera.settings.root / "recipients" / RECIPIENT
    newer = Versions(dict.fromkeys((3, 2), VERSIONS.forms[1]))
    Workplace(folder, newer).renew_keys(Instant(camera.machine.real.replace(microsecond=0)))
    role = keys_role(RECIPIENT)
    camera.city.files[role][keys_path(RECIPIENT)] = (folder / "key-list.jws").read_bytes()
    camera.city.release(role)
    camera.city.online()
    camera.publish()
    camera.watch(monkeypatch, cars=1)
    assert released(camera) == []
    at_once, at_the_hit = leaves(camera.settings, "refusal")
    assert (at_once["reason"], at_once["recipient"], at_once["what"]) == (
        "no-common-version",
        RECIPIENT,
        "key list: the recipient takes version 3, 2, this camera seals 1",
    )
    assert (at_the_hit["reason"], at_the_hit["recipient"]) == ("no-common-version", RECIPIENT)
    assert leaves(camera.settings, "counts")[0]["reasons"] == {"no-common-version": 1}


def test_the_tracker_waits_for_what_the_policy_in_force_asks_for(camera, monkeypatch):
    asked = []
    monkeypatch.setattr(Tracker, "wait_for", lambda _self, confidence: asked.append(confidence))
    camera.script[1] = lambda: push(camera, b"min_confidence = 0.8", b"min_confidence = 0.97")
    camera.watch(monkeypatch, cars=2)
    assert (asked[0], asked[-1]) == (0.8, 0.97)


@pytest.mark.parametrize(("change", "times"), [(VERSION_2, 1), ((b"", b""), 0)])
def test_what_stands_is_looked_up_again_under_another_policy_and_not_under_the_same(
    camera, monkeypatch, change, times
):
    """Bundles come daily: each would tell every parked car once more."""
    asked, look = [], SignedCity.look
    monkeypatch.setattr(Tracker, "tell_dropped_again", lambda _: asked.append(1))
    monkeypatch.setattr(SignedCity, "look", lambda self: look(self) or True)
    if change[0]:
        camera.script[1] = lambda: push(camera, *change)
    camera.watch(monkeypatch, cars=2)
    assert len(asked) == times
    assert leaves(camera.settings, "policy")


def test_a_week_without_bundles(camera, monkeypatch):
    """A car every 12 hours. docs/ref/bundles.md says the same as a table."""
    to_the_next = 0.5 - LONG_AGO_S / 86_400
    camera.script |= {car: lambda: camera.passes(to_the_next) for car in range(1, 14)}
    camera.script[12] = lambda: (camera.passes(to_the_next), camera.new_list())
    camera.watch(monkeypatch, cars=14)
    dropped = Counter()
    for leaf in leaves(camera.settings, "counts"):
        dropped.update(leaf["reasons"])
    first = released(camera)[0].captured_at
    assert [
        round((tags.captured_at - first).total_seconds() / 86_400, 1) for tags in released(camera)
    ] == [0.0, 0.5, 1.0, 1.5, 6.5]
    # The car of day 6.0 was already in the picture when the new bundles came: its first frames had
    # an untrusted time.
    assert dropped == {"hotlist-stale": 2, "bundle-lapsed": 6, "clock-untrusted": 1}
    told = [
        leaf["what"]
        for leaf in leaves(camera.settings, "refusal")
        if leaf["reason"] == "bundle-lapsed"
    ]
    assert [[part.split()[0] for part in text.split("; ")] for text in told] == [
        ["hotlist"],
        ["hotlist", "timestamp"],
    ]
    assert [leaf["clock"] for leaf in leaves(camera.settings, "clock")] == [
        "trusted",
        "untrusted",
        "trusted",
    ]


def test_status_tells_what_is_obeyed_what_was_refused_and_how_old_the_list_is(
    camera, monkeypatch, capsys
):
    camera.script[1] = lambda: push(camera, *VERSION_2, signers=camera.city.signers[POLICY][2:])
    camera.watch(monkeypatch, cars=2)
    monkeypatch.undo()
    config = camera.settings.root / "platewarden.toml"
    status.status(config, as_json=True)
    state = json.loads(capsys.readouterr().out)
    watch = state["processes"]["watch"]
    assert (watch["policy"]["version"], watch["bundles"]["city"], watch["bundles"]["lapses"]) == (
        1,
        "exampleville",
        [],
    )
    assert watch["refusals"][0]["reason"] == "bundle-signature-threshold"
    assert watch["clock"]["trust"] in {"trusted", "untrusted"}
    assert state["processes"]["deliver"]["problem"] == "no bundles were verified yet"
    assert (state["outbox"]["waiting"], state["hotlist"]["age_hours"]) == (2, 1.0)
    before = {path: path.stat().st_mtime_ns for path in camera.settings.state.rglob("*")}
    status.status(config, as_json=False)
    text = capsys.readouterr().out
    assert 'signed by "Dora Lind", "Eli Roy"' in text
    assert "REFUSED" in text
    assert PLATE not in text
    assert {path: path.stat().st_mtime_ns for path in camera.settings.state.rglob("*")} == before, (
        "status only reads"
    )
