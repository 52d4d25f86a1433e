"""What is published next: everything that enough have signed, and nothing that a camera would
refuse. Over a city in memory.
"""

import copy
from datetime import timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from agent.bundles.layout import (
    HOTLIST,
    HOTLIST_PATH,
    ISSUED,
    POLICY,
    POLICY_PATH,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
)
from agent.bundles.repository.assembly import (
    assemble,
    issued_of,
    require_next,
    sign,
    sign_online,
    told,
)
from agent.bundles.repository.published import Pending, Published, Standing
from agent.core.reasons import Reason
from agent.errors import BundleRefusedError, ConfigError, UsageError
from tests.support.bundle_city import KEYS, BundleCity, person

HOUR = timedelta(hours=1)


class Repository:
    """What `assemble` reads of a city's folder."""

    folder = Path("city")

    def __init__(self, city):
        self.city = city

    def target(self, metadata, path):
        name = metadata.signed.targets[path].get_prefixed_paths()[0]
        return self.city.published[f"targets/{name}"]


@pytest.fixture
def city():
    """One key holds both online roles, as the city's own commands make it."""
    made = BundleCity()
    made.signers[TIMESTAMP] = made.signers[SNAPSHOT]

    def one(root):
        root.revoke_key(root.roles[TIMESTAMP].keyids[0], TIMESTAMP)
        root.add_key(made.signers[SNAPSHOT][0].public_key, TIMESTAMP)

    made.root(change=one)
    made.online()
    return made


def published(city):
    top = {ROOT, TARGETS, SNAPSHOT, TIMESTAMP}
    one = {role: copy.deepcopy(metadata) for role, metadata in city.metadata.items()}
    delegated = {role: metadata for role, metadata in one.items() if role not in top}
    return Published((one[ROOT],), one[TIMESTAMP], one[SNAPSHOT], one[TARGETS], delegated)


def pending(city, *roles, files=None):
    return {role: Pending(role, city.metadata[role], files or {}) for role in roles}


def first(city, *roles):
    """Roles that are pending, each in its first version."""
    city.metadata[ROOT].signed.version = 1
    for signer in city.signers[ROOT]:
        city.metadata[ROOT].sign(signer, append=True)
    return pending(city, *roles)


def too_few(city, before, waits):
    with pytest.raises(BundleRefusedError) as refused:
        assemble(Repository(city), before, waits)
    assert refused.value.reason == Reason.BUNDLE_SIGNATURE_THRESHOLD
    return refused.value.what


class TestAssembling:
    def test_everything_that_enough_have_signed(self, city):
        before = published(city)
        city.release(POLICY)
        city.release(HOTLIST, signers=[person("nobody")])
        made = assemble(Repository(city), before, pending(city, POLICY, HOTLIST))
        assert (made.taken.keys(), made.waiting.keys()) == ({POLICY}, {HOTLIST})
        assert made.role(POLICY) is city.metadata[POLICY]
        assert made.role(HOTLIST) is before.delegated[HOTLIST]

    def test_a_role_whose_delegation_has_ended_waits(self, city):
        before = published(city)
        city.release(KEYS)
        city.release(TARGETS, change=lambda targets: targets.delegations.roles.pop(KEYS))
        made = assemble(Repository(city), before, pending(city, TARGETS, KEYS))
        assert made.waiting == {KEYS: ()}

    @pytest.mark.parametrize(
        ("unsigned", "told"),
        [
            (
                [ROOT],
                'role root signed by nobody: 0 of 2; to come from "Ana Ortiz" or "Ben Cho" or',
            ),
            ([TARGETS], 'role targets signed by nobody: 0 of 2; to come from "Ana Ortiz" or "Ben'),
            ([ROOT, TARGETS], "role root signed by nobody: 0 of 2"),
            ([POLICY], 'role policy signed by nobody: 0 of 2; to come from "Dora Lind" or "Eli'),
        ],
    )
    def test_the_first_needs_root_targets_and_policy(self, city, unsigned, told):
        waits = first(city, ROOT, TARGETS, POLICY)
        for role in unsigned:
            waits[role].metadata.signatures.clear()
        assert too_few(city, None, waits).startswith(told)

    def test_the_first_without_a_policy_says_so(self, city):
        assert too_few(city, None, first(city, ROOT, TARGETS)) == "role policy was never signed"

    def test_the_first_may_lack_a_hot_list(self, city):
        made = assemble(Repository(city), None, first(city, ROOT, TARGETS, POLICY))
        assert made.delegated.keys() == {POLICY}

    def test_a_change_of_keys_leaves_no_targets_behind_that_a_camera_would_refuse(self, city):
        before = published(city)
        leaving = city.signers[TARGETS][0].public_key.keyid

        def replace(root):
            root.revoke_key(leaving, TARGETS)
            root.add_key(person("Gus Hale").public_key, TARGETS)

        city.root(change=replace)
        assert too_few(city, before, pending(city, ROOT)) == (
            'role targets signed by "Ben Cho": 1 of 2; to come from "Cleo Park" or "Gus Hale"'
        )

    def test_a_pending_version_follows_the_published_one(self, city):
        before = published(city)
        city.release(POLICY, version=3)
        for last, number in ((before, 1), (None, 0)):
            with pytest.raises(UsageError, match=f"is version 3, and version {number} is publish"):
                require_next(POLICY, pending(city, POLICY)[POLICY], last)


class TestSigning:
    def signed(self, city, before, waits, key=None):
        made = assemble(Repository(city), before, waits)
        signer = key or city.signers[SNAPSHOT][0]
        return sign_online(Repository(city), made, signer, city.now + HOUR)

    def test_the_daily_job_writes_a_snapshot_and_a_timestamp(self, city):
        files = self.signed(city, published(city), {})
        assert files.metadata.keys() == {"3.snapshot.json"}
        assert files.targets == {}
        assert files.versions == {
            ROOT: 2,
            TARGETS: 1,
            SNAPSHOT: 3,
            TIMESTAMP: 3,
            **dict.fromkeys((POLICY, HOTLIST, KEYS), 1),
        }

    def test_what_is_new_is_written_with_what_was_published_before(self, city):
        before = published(city)
        text = city.files[POLICY][POLICY_PATH] + b"# one more\n"
        city.files[POLICY][POLICY_PATH] = text
        city.release(POLICY)
        files = self.signed(city, before, pending(city, POLICY, files={POLICY_PATH: text}))
        assert files.metadata.keys() == {"2.policy.json", "3.snapshot.json"}
        assert sorted(files.targets.values()) == sorted(city.files[POLICY].values())

    @pytest.mark.parametrize("before", [False, True], ids=["the first", "altered since"])
    def test_a_file_that_is_neither_pending_nor_published(self, city, before):
        last = published(city)
        if before:
            city.files[HOTLIST][HOTLIST_PATH] = b"another"
            city.release(HOTLIST)
            waits = pending(city, HOTLIST)
        else:
            last, waits = None, first(city, ROOT, TARGETS, POLICY)
            for role in (TARGETS, POLICY):
                waits[role] = Pending(role, waits[role].metadata, city.files[role])
            waits |= pending(city, HOTLIST)
        with pytest.raises(ConfigError, match="pending hotlist: hotlist/.*: is not there .*again"):
            self.signed(city, last, waits)

    def test_a_role_that_was_never_published_brings_its_files(self, city):
        last = published(city)
        del last.delegated[HOTLIST]
        with pytest.raises(ConfigError, match="pending hotlist: hotlist/.*: is not there .*again"):
            self.signed(city, last, pending(city, HOTLIST))

    def test_another_key_makes_nothing_current(self, city):
        with pytest.raises(UsageError, match="this key does not hold role snapshot.*snapshot hold"):
            self.signed(city, published(city), {}, key=person("Mallory"))

    def test_a_token_that_was_pulled_out(self, city, monkeypatch):
        def gone(_self, _payload):
            raise OSError("no such token")

        monkeypatch.setattr(CryptoSigner, "sign", gone)
        with pytest.raises(ConfigError, match="the key does not sign: .*still plugged in"):
            sign(city.metadata[POLICY], city.signers[POLICY][0])

    @pytest.mark.parametrize("issued", [None, 1, "yesterday"])
    def test_a_timestamp_that_does_not_say_when(self, city, issued):
        last = published(city)
        assert issued_of(last) == city.now
        last.timestamp.signed.unrecognized_fields[ISSUED] = issued
        with pytest.raises(ConfigError, match=r"timestamp.json: does not say when"):
            issued_of(last)


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (Standing("", 2, (), ("Ana",)), 'signed by nobody: 0 of 2; to come from "Ana"'),
        (Standing("", 1, ("Ana",), ("Ben",)), 'signed by "Ana": 1 of 1'),
        (
            Standing("the new keys", 3, ("Ana", "Ben"), ("Cy", "Di")),
            'signed by "Ana", "Ben": 2 of 3 (of the new keys); to come from "Cy" or "Di"',
        ),
    ],
)
def test_a_standing_in_words(standing, words):
    assert told(standing) == words


def test_a_second_signature_stands_beside_the_first(city):
    metadata = city.metadata[POLICY]
    metadata.signatures.clear()
    signers = city.signers[POLICY][:2]
    for signer in signers:
        sign(metadata, signer)
    assert set(metadata.signatures) == {signer.public_key.keyid for signer in signers}
    assert len(metadata.signatures) == 2
