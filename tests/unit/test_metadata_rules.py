"""What a camera asks of verified metadata beyond TUF: every rule, over metadata in memory that is
right but for one thing.
"""

import copy
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import DelegatedRole, SuccinctRoles, TargetFile

from agent.bundles import metadata_rules as rules
from agent.bundles.layout import (
    CHARTER_PATH,
    CITY_PATH,
    HOLDER,
    HOTLIST,
    HOTLIST_PATH,
    MAX_FILES,
    MAX_RECIPIENTS,
    POLICY,
    POLICY_PATH,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    keys_role,
    rule_of,
)
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.errors import BundleRefusedError
from tests.support.bundle_city import KEYS, BundleCity, person

WHERE = Path("inbox")
HONEST = BundleCity()
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
ROUND = timedelta(seconds=1)


@pytest.fixture
def city():
    """Metadata that a test may spoil."""
    return {role: copy.deepcopy(one.signed) for role, one in HONEST.metadata.items()}


def refused(rule, *of):
    with pytest.raises(BundleRefusedError) as error:
        rule(*of, WHERE)
    assert str(WHERE) in str(error.value)
    return error.value.reason, error.value.what


class TestIssued:
    """`issued`: when the online job signed. It lives for days, so that a stolen online key cannot
    vouch on.
    """

    def test_an_honest_one_says_when(self, city):
        assert rules.issued_at(city[TIMESTAMP], WHERE) == HONEST.now

    @pytest.mark.parametrize("lives", [ROUND, timedelta(days=3), timedelta(days=6)])
    def test_a_lifetime_up_to_twice_the_role_s_is_taken(self, city, lives):
        city[TIMESTAMP].unrecognized_fields["issued"] = rfc3339(city[TIMESTAMP].expires - lives)
        assert rules.issued_at(city[TIMESTAMP], WHERE) == city[TIMESTAMP].expires - lives

    @pytest.mark.parametrize(
        ("lives", "told"),
        [
            (timedelta(days=6, seconds=1), "lives 6 days"),
            (timedelta(days=100), "lives 100 days"),  # a stolen online key would vouch on
            (timedelta(0), "lives 0 days"),
            (-ROUND, "lives -1 days"),
        ],
    )
    def test_any_other_is_refused(self, city, lives, told):
        city[TIMESTAMP].unrecognized_fields["issued"] = rfc3339(city[TIMESTAMP].expires - lives)
        assert refused(rules.issued_at, city[TIMESTAMP]) == (
            Reason.BUNDLE_MALFORMED,
            f"timestamp: {told}",
        )

    @pytest.mark.parametrize("issued", [None, 1, "yesterday", "2026-11-22", [], {}])
    def test_it_must_be_said_in_the_one_form(self, city, issued):
        city[TIMESTAMP].unrecognized_fields["issued"] = issued
        assert "does not say when" in refused(rules.issued_at, city[TIMESTAMP])[1]
        del city[TIMESTAMP].unrecognized_fields["issued"]
        assert "does not say when" in refused(rules.issued_at, city[TIMESTAMP])[1]


class TestRoot:
    def test_an_honest_one(self, city):
        rules.check_root(city[ROOT], WHERE)

    def test_consistent_snapshots(self, city):
        city[ROOT].consistent_snapshot = False
        assert refused(rules.check_root, city[ROOT]) == (
            Reason.BUNDLE_MALFORMED,
            "root: without consistent snapshots",
        )

    @pytest.mark.parametrize("role", [ROOT, TARGETS, SNAPSHOT, TIMESTAMP])
    def test_each_role_s_keys_are_looked_at(self, city, role):
        stranger = person("Gil").public_key
        stranger.keyid = "0" * 64
        city[ROOT].add_key(stranger, role)
        assert refused(rules.check_root, city[ROOT]) == (
            Reason.BUNDLE_MALFORMED,
            f"{role}: a key's id is not the SHA-256 of the key",
        )

    def test_a_key_that_is_named_and_not_there(self, city):
        del city[ROOT].keys[city[ROOT].roles[TIMESTAMP].keyids[0]]
        assert refused(rules.check_root, city[ROOT])[1] == "timestamp: a key of it is missing"

    def test_a_role_without_any_key(self, city):
        city[ROOT].roles[TIMESTAMP].keyids.clear()
        assert refused(rules.check_root, city[ROOT])[1] == "timestamp: a key of it is missing"


class TestKeys:
    """One key counts once, however it is spelled."""

    @staticmethod
    def with_key(root, kind, scheme, public, role=SNAPSHOT):
        text = encode_canonical({"keytype": kind, "scheme": scheme, "keyval": {"public": public}})
        keyid = hashlib.sha256(text.encode()).hexdigest()
        root.add_key(SSlibKey(keyid, kind, scheme, {"public": public}, {HOLDER: "Gil"}), role)

    def test_an_ec_key_may_hold_a_role(self, city):
        key = CryptoSigner.generate_ecdsa().public_key
        self.with_key(city[ROOT], key.keytype, key.scheme, key.keyval["public"])
        rules.check_root(city[ROOT], WHERE)

    def test_two_ec_keys_are_two(self, city):
        for _ in range(2):
            key = CryptoSigner.generate_ecdsa().public_key
            self.with_key(city[ROOT], key.keytype, key.scheme, key.keyval["public"])
        rules.check_root(city[ROOT], WHERE)

    def test_hex_in_the_other_case(self, city):
        [keyid] = city[ROOT].roles[SNAPSHOT].keyids
        public = city[ROOT].keys[keyid].keyval["public"]
        self.with_key(city[ROOT], "ed25519", "ed25519", public.upper())
        assert refused(rules.check_root, city[ROOT]) == (
            Reason.BUNDLE_SAME_SIGNER_TWICE,
            "snapshot: one key stands there twice",
        )

    def test_pem_over_other_lines(self, city):
        pem = (
            generate_private_key(SECP256R1())
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )
        for text in (pem, pem.rstrip("\n")):
            self.with_key(city[ROOT], "ecdsa", "ecdsa-sha2-nistp256", text)
        assert refused(rules.check_root, city[ROOT])[0] == Reason.BUNDLE_SAME_SIGNER_TWICE

    @pytest.mark.parametrize(
        ("kind", "public"),
        [("ed25519", "not hex"), ("ecdsa", "not a PEM"), ("ecdsa", "-----BÉGIN-----")],
    )
    def test_what_cannot_be_decoded(self, city, kind, public):
        scheme = "ed25519" if kind == "ed25519" else "ecdsa-sha2-nistp256"
        self.with_key(city[ROOT], kind, scheme, public)
        assert refused(rules.check_root, city[ROOT]) == (
            Reason.BUNDLE_MALFORMED,
            "snapshot: a key of it cannot be decoded",
        )

    def test_the_id_covers_type_scheme_and_key(self, city):
        [keyid] = city[ROOT].roles[SNAPSHOT].keyids
        city[ROOT].keys[keyid].scheme = "another"
        assert "a key's id is not the SHA-256" in refused(rules.check_root, city[ROOT])[1]


class TestPeople:
    def test_an_honest_city(self, city):
        rules.check_people(city[ROOT], city[TARGETS], WHERE)

    @pytest.mark.parametrize("role", [ROOT, TARGETS, POLICY])
    def test_no_fewer_than_two(self, city, role):
        role_of(city, role).threshold = 1
        assert refused(rules.check_people, city[ROOT], city[TARGETS]) == (
            Reason.BUNDLE_THRESHOLD_TOO_LOW,
            f"{role} needs 1 signature, and a camera accepts no fewer than 2",
        )

    @pytest.mark.parametrize("role", [ROOT, TARGETS, POLICY])
    def test_nobody_holds_two_keys_of_what_people_sign(self, city, role):
        delegator = city[TARGETS] if role == POLICY else city[ROOT]
        holder = rules._keys(delegator, role, WHERE)[0].unrecognized_fields[HOLDER]
        delegator.add_key(person(holder).public_key, role)
        assert refused(rules.check_people, city[ROOT], city[TARGETS]) == (
            Reason.BUNDLE_SAME_SIGNER_TWICE,
            f"{role}: {holder} holds 2 of its keys",
        )

    def test_a_service_may_hold_two_keys(self, city):
        city[TARGETS].add_key(person(f"{HOTLIST} holder").public_key, HOTLIST)
        rules.check_people(city[ROOT], city[TARGETS], WHERE)

    def test_a_role_that_this_version_does_not_know_is_left_to_the_delegations_rule(self, city):
        TestDelegations.add(city, "unknown")
        rules.check_people(city[ROOT], city[TARGETS], WHERE)

    def test_a_city_that_delegates_nothing_has_root_and_targets_looked_at(self, city):
        city[TARGETS].delegations = None
        rules.check_people(city[ROOT], city[TARGETS], WHERE)
        city[ROOT].roles[ROOT].threshold = 1
        assert refused(rules.check_people, city[ROOT], city[TARGETS])[1].startswith("root needs 1")


def role_of(city, name):
    return city[TARGETS].delegations.roles[name] if name == POLICY else city[ROOT].roles[name]


class TestDelegations:
    def test_an_honest_city(self, city):
        found = rules.check_delegations(city[TARGETS], WHERE)
        assert found == tuple(map(rule_of, (POLICY, HOTLIST, KEYS)))
        city[TARGETS].delegations = None
        assert rules.check_delegations(city[TARGETS], WHERE) == ()

    def test_by_hash(self, city):
        city[TARGETS].delegations.succinct_roles = SuccinctRoles([], 1, 1, "bin")
        assert refused(rules.check_delegations, city[TARGETS])[1] == "delegates to roles by hash"
        city[TARGETS].delegations.roles = None  # as it is then, in tuf's own files
        assert refused(rules.check_delegations, city[TARGETS])[1] == "delegates to roles by hash"

    @pytest.mark.parametrize("name", ["unknown", SNAPSHOT, TIMESTAMP, ROOT, "keys-", "keys-a/b"])
    def test_a_role_that_is_none(self, city, name):
        self.add(city, name)
        assert refused(rules.check_delegations, city[TARGETS]) == (
            Reason.BUNDLE_MALFORMED,
            "delegates to a role that this version does not know",
        )

    @pytest.mark.parametrize("name", [POLICY, HOTLIST, KEYS])
    def test_paths_of_others(self, city, name):
        role = city[TARGETS].delegations.roles[name]
        role.paths.append(CITY_PATH)
        assert refused(rules.check_delegations, city[TARGETS]) == (
            Reason.BUNDLE_ROLE_OUTSIDE_PATHS,
            f"{name} is handed paths that are not its own",
        )
        role.paths = None
        role.path_hash_prefixes = ["00"]
        assert refused(rules.check_delegations, city[TARGETS])[0] == (
            Reason.BUNDLE_ROLE_OUTSIDE_PATHS
        )

    def test_fewer_paths_are_no_fault(self, city):
        city[TARGETS].delegations.roles[POLICY].paths = [POLICY_PATH]
        rules.check_delegations(city[TARGETS], WHERE)

    def test_each_delegated_role_s_keys_are_looked_at(self, city):
        stranger = person("Gil").public_key
        stranger.keyid = "0" * 64
        city[TARGETS].add_key(stranger, HOTLIST)
        assert refused(rules.check_delegations, city[TARGETS])[1] == (
            "hotlist: a key's id is not the SHA-256 of the key"
        )

    def test_as_many_recipients_as_the_table_says(self, city):
        for number in range(MAX_RECIPIENTS - 1):
            self.add(city, keys_role(f"recipient-{number}"))
        rules.check_delegations(city[TARGETS], WHERE)
        self.add(city, keys_role("one-more"))
        assert refused(rules.check_delegations, city[TARGETS]) == (
            Reason.BUNDLE_TOO_LARGE,
            "more than 50 recipients",
        )

    @staticmethod
    def add(city, name):
        delegations = city[TARGETS].delegations
        keyids = delegations.roles[HOTLIST].keyids
        paths = list(rule_of(name).paths) if rule_of(name) else []
        delegations.roles[name] = DelegatedRole(name, keyids, 1, terminating=True, paths=paths)


class TestFiles:
    @pytest.mark.parametrize("name", [TARGETS, POLICY, HOTLIST, KEYS])
    def test_an_honest_city(self, city, name):
        rules.check_targets(name, city[name], WHERE)

    @pytest.mark.parametrize("name", [POLICY, HOTLIST, KEYS, "unknown"])
    def test_only_targets_delegates(self, city, name):
        signed = city.get(name, city[POLICY])
        signed.delegations = city[TARGETS].delegations
        assert refused(lambda *of: rules.check_targets(name, *of), signed) == (
            Reason.BUNDLE_ROLE_OUTSIDE_PATHS,
            f"{name} hands its authority on",
        )

    def test_a_role_that_is_none_signs_nothing(self, city):
        assert refused(lambda *of: rules.check_targets("unknown", *of), city[POLICY])[0] == (
            Reason.BUNDLE_ROLE_OUTSIDE_PATHS
        )

    @pytest.mark.parametrize(
        ("name", "path"),
        [
            (TARGETS, POLICY_PATH),
            (POLICY, HOTLIST_PATH),
            (HOTLIST, CITY_PATH),
            (KEYS, "keys/x.jws"),
        ],
    )
    def test_a_file_of_another_role(self, city, name, path):
        self.sign(city[name], path)
        assert refused(lambda *of: rules.check_targets(name, *of), city[name]) == (
            Reason.BUNDLE_ROLE_OUTSIDE_PATHS,
            f"{name} signed a file that is not its own",
        )

    def test_as_many_files_as_the_table_says(self, city):
        for number in range(MAX_FILES - len(city[POLICY].targets)):
            self.sign(city[POLICY], f"policy/ca/ca-{number}.pem")
        rules.check_targets(POLICY, city[POLICY], WHERE)
        self.sign(city[POLICY], "policy/ca/one-more.pem")
        assert refused(lambda *of: rules.check_targets(POLICY, *of), city[POLICY]) == (
            Reason.BUNDLE_TOO_LARGE,
            "policy signs more than 200 files",
        )

    def test_hashed_with_sha_256(self, city):
        city[TARGETS].targets[CITY_PATH] = TargetFile(10, {"sha512": "0" * 128}, CITY_PATH)
        assert refused(lambda *of: rules.check_targets(TARGETS, *of), city[TARGETS]) == (
            Reason.BUNDLE_MALFORMED,
            "city.json: without a SHA-256",
        )

    def test_no_larger_than_a_camera_takes(self, city):
        self.sign(city[TARGETS], CHARTER_PATH, 256 * 1024)
        rules.check_targets(TARGETS, city[TARGETS], WHERE)
        self.sign(city[TARGETS], CHARTER_PATH, 256 * 1024 + 1)
        assert refused(lambda *of: rules.check_targets(TARGETS, *of), city[TARGETS]) == (
            Reason.BUNDLE_TOO_LARGE,
            "charter.toml holds 262145 bytes; at most 262144 are taken",
        )

    @staticmethod
    def sign(signed, path, length=10):
        signed.targets[path] = TargetFile(length, {"sha256": "0" * 64}, path)


class TestFields:
    """A field that this version does not know could narrow what the others say."""

    def test_an_honest_city(self):
        rules.check_fields(HONEST.metadata, WHERE)

    @pytest.mark.parametrize("name", [ROOT, TARGETS, SNAPSHOT, TIMESTAMP, POLICY, KEYS])
    def test_one_more(self, name):
        spoilt = copy.deepcopy(HONEST.metadata)
        spoilt[name].signed.unrecognized_fields["only_for"] = "cam-1"
        assert refused(rules.check_fields, spoilt) == (
            Reason.BUNDLE_MALFORMED,
            f"{name}: has a field that this version does not know",
        )

    def test_the_time_of_issue_stands_in_timestamp_only(self):
        spoilt = copy.deepcopy(HONEST.metadata)
        spoilt[POLICY].signed.unrecognized_fields["issued"] = rfc3339(NOW)
        assert refused(rules.check_fields, spoilt)[1].startswith("policy: has a field")


@pytest.mark.parametrize("year", [2020, 2200])
def test_years_that_can_be_counted_with(year):
    rules.check_expiry(POLICY, datetime(year, 1, 1, tzinfo=UTC), WHERE)


@pytest.mark.parametrize("year", [1, 2019, 2201, 9999])
def test_an_expiry_at_the_end_of_all_dates_is_refused(year):
    reason, what = refused(
        lambda where: rules.check_expiry(POLICY, datetime(year, 1, 1, tzinfo=UTC), where)
    )
    assert reason == Reason.BUNDLE_MALFORMED
    assert what.startswith(f"policy expires in the year {year}, not in ")
