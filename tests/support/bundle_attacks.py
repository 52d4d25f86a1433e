"""Known attacks on an update system, against a camera that has taken in its city's bundles once:
each a function that publishes something dishonest.
"""

import copy
import hashlib
import json
import textwrap
from datetime import timedelta

import pytest
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import Metadata, TargetFile

from agent.bundles.generation_store import BundleStore
from agent.bundles.layout import (
    CITY_PATH,
    HOLDER,
    HOTLIST,
    HOTLIST_PATH,
    POLICY,
    POLICY_PATH,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    CityIdentity,
    format_city,
)
from agent.core.reasons import Reason
from agent.core.time.instant import Instant
from agent.errors import RefusedError
from agent.settings import Limits
from tests.support.bundle_city import BundleCity, person

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MORE = (b"max_per_hour = 20", b"max_per_hour = 30")


class Camera:
    """A camera that has taken in its city's bundles once, and what lies in its inbox."""

    def __init__(self, folder, *, rig=False):
        self.city = BundleCity()
        self.first = {}
        self.open(folder, rig=rig)
        self.city.day_passes()
        self.city.write(self.inbox)
        self.first = dict(self.city.published)
        assert self.take_in() is not None

    def open(self, folder, *, rig=False):
        self.folder, self.inbox = folder, folder / "bundles-in"
        self.store = BundleStore(folder / "bundles", self.city.anchor(folder), Limits(), rig=rig)

    def moved(self, folder):
        """The same over a copy of its folder, with a city of its own that holds the same keys."""
        moved = copy.copy(self)
        moved.city = copy.copy(self.city)
        for name in ("signers", "files", "metadata", "published"):
            table = getattr(self.city, name)
            setattr(moved.city, name, {key: copy.copy(value) for key, value in table.items()})
        moved.city.metadata = {
            role: Metadata.from_bytes(one.to_bytes()) for role, one in moved.city.metadata.items()
        }
        moved.open(folder)
        return moved

    def take_in(self, later=HOUR, at_least=None):
        self.city.write(self.inbox)
        return self.store.take_in(self.inbox, Instant(self.city.now + later, at_least=at_least))

    def clear(self):
        for path in self.inbox.rglob("*"):
            if path.is_file():
                path.unlink()


def refused_for_its_own_reason(camera, attack, reason, told):
    """And the camera keeps what it had."""
    attack(camera)
    before = camera.store.current()
    text = (before.city / "policy.toml").read_bytes()
    with pytest.raises(RefusedError) as refused:
        camera.take_in(2 * HOUR)
    assert refused.value.reason == reason
    assert told in str(refused.value)
    assert camera.store.current() == before
    assert (camera.store.current().city / "policy.toml").read_bytes() == text
    assert [path.name for path in (camera.store.folder / "generations").iterdir()] == [
        str(before.number)
    ]


def replayed_timestamp(camera):
    camera.city.day_passes()
    camera.take_in()
    camera.city.published["metadata/timestamp.json"] = camera.first["metadata/timestamp.json"]


def timestamp_issued_before(camera):
    camera.city.timestamp(issued=camera.city.now - DAY)


def old_snapshot_under_a_new_timestamp(camera):
    old = camera.city.metadata[SNAPSHOT].signed.version
    camera.city.day_passes()
    published = camera.city.published
    published[f"metadata/{old + 1}.snapshot.json"] = published[f"metadata/{old}.snapshot.json"]


def stolen_timestamp_key_names_an_old_snapshot(camera):
    camera.city.day_passes()
    camera.take_in()
    camera.city.metadata[SNAPSHOT].signed.version -= 1
    camera.city.timestamp()


def stolen_online_keys_roll_the_policy_back(camera):
    camera.city.edit_policy(*MORE)
    camera.take_in()
    camera.city.online(versions={POLICY: 1})


def stolen_online_keys_roll_targets_back(camera):
    camera.city.release(TARGETS)
    camera.city.online()
    camera.take_in()
    camera.city.online(versions={TARGETS: 1})


def stolen_online_keys_leave_the_policy_out(camera):
    del camera.city.metadata[POLICY]
    camera.city.online()


def nobody_may_sign_a_policy_any_more(camera):
    def end(targets):
        targets.delegations = copy.deepcopy(targets.delegations)
        del targets.delegations.roles[POLICY]

    camera.city.release(TARGETS, change=end)
    camera.city.online()


def policy_signed_by_one(camera):
    camera.city.edit_policy(*MORE, signers=camera.city.signers[POLICY][:1])


def policy_signed_by_one_and_a_stranger(camera):
    camera.city.edit_policy(*MORE, signers=[camera.city.signers[POLICY][0], person("Mallory")])


def policy_signed_by_the_council(camera):
    camera.city.edit_policy(*MORE, signers=camera.city.signers[ROOT][:2])


def policy_signed_twice_by_one(camera):
    camera.city.edit_policy(*MORE, signers=camera.city.signers[POLICY][:1])
    republish(
        camera.city,
        POLICY,
        lambda metadata: metadata["signatures"].append(metadata["signatures"][0]),
    )


def one_key_under_two_names(camera):
    def list_again(targets):
        again = copy.deepcopy(targets.delegations)
        keyid = again.roles[POLICY].keyids[0]
        again.keys["0" * 64] = copy.deepcopy(again.keys[keyid])
        again.keys["0" * 64].keyid = "0" * 64
        again.roles[POLICY].keyids.append("0" * 64)
        targets.delegations = again

    camera.city.release(TARGETS, change=list_again)
    camera.city.online()


def one_key_spelled_twice(camera):
    """An EC key's PEM, and the same broken over other lines: two texts with two right ids."""

    def listed_twice(root):
        signer = CryptoSigner.generate_ecdsa()
        pem = signer.public_key.keyval["public"]
        first, *middle, last = pem.strip().splitlines()
        other = "\n".join([first, *textwrap.wrap("".join(middle), 40), last]) + "\n"
        for text in (pem, other):
            keyval = {"public": text}
            keyid = hashlib.sha256(
                encode_canonical(
                    {"keytype": "ecdsa", "scheme": signer.public_key.scheme, "keyval": keyval}
                ).encode()
            ).hexdigest()
            key = SSlibKey(keyid, "ecdsa", signer.public_key.scheme, keyval, {HOLDER: keyid[:8]})
            root.add_key(key, TARGETS)

    camera.city.root(change=listed_twice)
    camera.city.online()


def key_under_another_id(camera):
    def renamed(root):
        key = copy.deepcopy(person("Ana Ortiz").public_key)
        key.keyid = "0" * 64
        root.add_key(key, TARGETS)

    camera.city.root(change=renamed)
    camera.city.online()


def one_person_with_two_keys(camera):
    def list_again(root):
        root.add_key(person("Ana Ortiz").public_key, TARGETS)

    camera.city.root(change=list_again)
    camera.city.online()


def one_signature_made_enough(camera):
    def lower(targets):
        targets.delegations = copy.deepcopy(targets.delegations)
        targets.delegations.roles[POLICY].threshold = 1

    camera.city.release(TARGETS, change=lower)
    camera.city.edit_policy(*MORE, signers=camera.city.signers[POLICY][:1])


def flipped_bit(camera):
    file = next(name for name in camera.city.published if name.endswith("policy.toml"))
    data = bytearray(camera.city.published[file])
    data[100] ^= 1
    camera.city.published[file] = bytes(data)
    camera.city.online()


def longer_file(camera):
    file = next(name for name in camera.city.published if name.endswith("hotlist.age"))
    camera.city.published[file] += b"more"
    camera.city.online()


def new_root_without_the_old_holders(camera):
    city, new = camera.city, [person(name) for name in ("Gil", "Hana", "Ivo")]

    def replace(root):
        for signer in city.signers[ROOT]:
            root.revoke_key(signer.public_key.keyid, ROOT)
        for signer in new:
            root.add_key(signer.public_key, ROOT)

    city.root(change=replace, signers=[city.signers[ROOT][0], new[0]])
    city.online()


def root_that_skips_a_version(camera):
    camera.city.root(change=lambda root: setattr(root, "version", 3))
    camera.city.published["metadata/2.root.json"] = camera.city.published["metadata/3.root.json"]
    camera.city.online()


def hotlist_signs_the_policy(camera):
    city = camera.city
    city.release(HOTLIST, extra={POLICY_PATH: city.files[POLICY][POLICY_PATH].replace(*MORE)})
    city.online()


def hotlist_is_handed_the_policy(camera):
    def hand(targets):
        targets.delegations = copy.deepcopy(targets.delegations)
        targets.delegations.roles[HOTLIST].paths.append("policy/*")

    camera.city.release(TARGETS, change=hand)
    camera.city.online()


def targets_sign_a_hot_list(camera):
    camera.city.release(TARGETS, extra={HOTLIST_PATH: b"another list"})
    camera.city.online()


def policy_delegates_further(camera):
    camera.city.release(
        POLICY, change=lambda policy: setattr(policy, "delegations", camera.city.delegations())
    )
    camera.city.online()


def expired(role):
    def attack(camera):
        if role in {SNAPSHOT, TIMESTAMP}:
            camera.city.online(expires={role: camera.city.now + HOUR})
        elif role == ROOT:
            camera.city.root(change=lambda root: setattr(root, "expires", camera.city.now))
            camera.city.online()
        else:
            camera.city.release(role, expires=camera.city.now)
            camera.city.online()

    attack.__name__ = f"expired_{role}"
    return attack


def another_city(camera):
    other = BundleCity(camera.city.now)
    other.day_passes()
    camera.clear()
    camera.city.published = other.published


def two_cities_mixed(camera):
    other = BundleCity(camera.city.now)
    camera.city.day_passes()
    newest = f"metadata/{camera.city.metadata[SNAPSHOT].signed.version}.snapshot.json"
    camera.city.published[newest] = other.published["metadata/1.snapshot.json"]


def own_keys_for_another_city(camera):
    camera.city.files[TARGETS][CITY_PATH] = format_city(CityIdentity("elsewhere", "Elsewhere"))
    camera.city.release(TARGETS)
    camera.city.online()


def city_made_for_trying(camera):
    camera.city.files[TARGETS][CITY_PATH] = format_city(
        CityIdentity("exampleville", "City of Exampleville", rig=True)
    )
    camera.city.release(TARGETS)
    camera.city.online()


def truncated_metadata(camera):
    camera.city.day_passes()
    whole = camera.city.published["metadata/timestamp.json"]
    camera.city.published["metadata/timestamp.json"] = whole[:-200]


def oversized_metadata(camera):
    camera.city.published["metadata/timestamp.json"] += b" " * 20_000


def oversized_hotlist(camera):
    camera.store._limits = Limits(max_hotlist_bytes=65_536)
    camera.city.files[HOTLIST][HOTLIST_PATH] = bytes(65_537)
    camera.city.release(HOTLIST)
    camera.city.online()


def file_described_as_vast(camera):
    def vast(policy):
        policy.targets[POLICY_PATH] = TargetFile(1 << 40, {"sha256": "0" * 64}, POLICY_PATH)

    camera.city.release(POLICY, change=vast)
    camera.city.online()


def unknown_field(camera):
    camera.city.release(
        POLICY, change=lambda policy: policy.unrecognized_fields.update(only_for="cam-1")
    )
    camera.city.online()


def no_time_of_issue(camera):
    camera.city.day_passes()
    camera.city.metadata[TIMESTAMP].signed.unrecognized_fields.clear()
    camera.city.put(
        TIMESTAMP, camera.city.metadata[TIMESTAMP].signed, camera.city.signers[TIMESTAMP]
    )


def policy_beyond_the_charter(camera):
    camera.city.edit_policy(b'retention = "21d"', b'retention = "300d"')


def policy_that_cannot_be_read(camera):
    camera.city.edit_policy(b"version = ", b"verison = ")


def policy_that_names_a_ca_that_is_not_there(camera):
    del camera.city.files[POLICY]["policy/ca/city-hall-ca.pem"]
    camera.city.release(POLICY)
    camera.city.online()


def republish(city, role, change):
    """Change a role's finished file, behind its signatures, and let the online job name the
    result.
    """
    name = f"metadata/{city.metadata[role].signed.version}.{role}.json"
    table = json.loads(city.published[name])
    change(table)
    city.published[name] = json.dumps(table).encode()
    city.online()


ATTACKS = [
    (
        replayed_timestamp,
        Reason.BUNDLE_ROLLBACK,
        "timestamp is version 2, and version 3 was verified before",
    ),
    (timestamp_issued_before, Reason.BUNDLE_ROLLBACK, "before the one that was verified last"),
    (
        old_snapshot_under_a_new_timestamp,
        Reason.BUNDLE_SNAPSHOT_MISMATCH,
        "snapshot is not the one that timestamp names",
    ),
    (
        stolen_timestamp_key_names_an_old_snapshot,
        Reason.BUNDLE_ROLLBACK,
        "snapshot is version 2, and version 3",
    ),
    (
        stolen_online_keys_roll_the_policy_back,
        Reason.BUNDLE_ROLLBACK,
        "policy is version 1, and version 2",
    ),
    (
        stolen_online_keys_roll_targets_back,
        Reason.BUNDLE_ROLLBACK,
        "targets is version 1, and version 2",
    ),
    (
        stolen_online_keys_leave_the_policy_out,
        Reason.BUNDLE_ROLLBACK,
        "policy is gone, and version 1",
    ),
    (nobody_may_sign_a_policy_any_more, Reason.BUNDLE_ROLLBACK, "policy is gone, and version 1"),
    (
        policy_signed_by_one,
        Reason.BUNDLE_SIGNATURE_THRESHOLD,
        'policy: signed by "Dora Lind": 1 of 2 needed',
    ),
    (
        policy_signed_by_one_and_a_stranger,
        Reason.BUNDLE_SIGNATURE_THRESHOLD,
        'signed by "Dora Lind": 1 of 2',
    ),
    (policy_signed_by_the_council, Reason.BUNDLE_SIGNATURE_THRESHOLD, "signed by nobody: 0 of 2"),
    (
        policy_signed_twice_by_one,
        Reason.BUNDLE_SAME_SIGNER_TWICE,
        "policy: two signatures by one key",
    ),
    (
        one_key_under_two_names,
        Reason.BUNDLE_SAME_SIGNER_TWICE,
        "policy: one key stands there twice",
    ),
    (
        one_key_spelled_twice,
        Reason.BUNDLE_SAME_SIGNER_TWICE,
        "targets: one key stands there twice",
    ),
    (key_under_another_id, Reason.BUNDLE_MALFORMED, "a key's id is not the SHA-256 of the key"),
    (
        one_person_with_two_keys,
        Reason.BUNDLE_SAME_SIGNER_TWICE,
        "targets: Ana Ortiz holds 2 of its keys",
    ),
    (one_signature_made_enough, Reason.BUNDLE_THRESHOLD_TOO_LOW, "policy needs 1 signature"),
    (flipped_bit, Reason.BUNDLE_TARGET_ALTERED, "policy.toml"),
    (longer_file, Reason.BUNDLE_TARGET_ALTERED, "hotlist.age"),
    (
        new_root_without_the_old_holders,
        Reason.BUNDLE_ROOT_BROKEN,
        'the old keys, signed by "Ana Ortiz": 1 of 2 needed; of its own, signed by "Gil": 1 of 2',
    ),
    (root_that_skips_a_version, Reason.BUNDLE_ROOT_BROKEN, "does not follow the root before it"),
    (
        hotlist_signs_the_policy,
        Reason.BUNDLE_ROLE_OUTSIDE_PATHS,
        "hotlist signed a file that is not its own",
    ),
    (hotlist_is_handed_the_policy, Reason.BUNDLE_ROLE_OUTSIDE_PATHS, "hotlist is handed paths"),
    (
        targets_sign_a_hot_list,
        Reason.BUNDLE_ROLE_OUTSIDE_PATHS,
        "targets signed a file that is not its own",
    ),
    (policy_delegates_further, Reason.BUNDLE_ROLE_OUTSIDE_PATHS, "policy hands its authority on"),
    (expired(TIMESTAMP), Reason.BUNDLE_EXPIRED, "timestamp expired on 2026-11-23"),
    (expired(SNAPSHOT), Reason.BUNDLE_EXPIRED, "snapshot expired on 2026-11-23"),
    (expired(TARGETS), Reason.BUNDLE_EXPIRED, "targets expired on 2026-11-23"),
    (expired(POLICY), Reason.BUNDLE_EXPIRED, "policy expired on 2026-11-23"),
    (expired(ROOT), Reason.BUNDLE_EXPIRED, "root expired on 2026-11-23"),
    (another_city, Reason.BUNDLE_OTHER_CITY, "timestamp is signed by none of this city's keys"),
    (two_cities_mixed, Reason.BUNDLE_SNAPSHOT_MISMATCH, "snapshot"),
    (
        own_keys_for_another_city,
        Reason.BUNDLE_OTHER_CITY,
        "is of 'elsewhere', and this camera is 'exampleville'",
    ),
    (city_made_for_trying, Reason.RIG_CITY, "made for trying"),
    (truncated_metadata, Reason.BUNDLE_MALFORMED, "timestamp: cut short"),
    (oversized_metadata, Reason.BUNDLE_TOO_LARGE, "at most 16384 are read"),
    (oversized_hotlist, Reason.BUNDLE_TOO_LARGE, "max_hotlist_bytes"),
    (
        file_described_as_vast,
        Reason.BUNDLE_TOO_LARGE,
        "policy/policy.toml holds 1099511627776 bytes",
    ),
    (unknown_field, Reason.BUNDLE_MALFORMED, "policy: has a field that this version does not know"),
    (no_time_of_issue, Reason.BUNDLE_MALFORMED, "does not say when it was issued"),
    (policy_beyond_the_charter, Reason.CHARTER_RETENTION, ""),
    (policy_that_cannot_be_read, Reason.BUNDLE_MALFORMED, "policy.toml"),
    (policy_that_names_a_ca_that_is_not_there, Reason.BUNDLE_MALFORMED, "ca/city-hall-ca.pem"),
]
