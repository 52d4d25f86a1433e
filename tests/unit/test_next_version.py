"""The next version of a role's metadata: who signs it, what it delegates, whose keys are replaced,
and what would never be taken by a camera.
"""

from datetime import datetime, timedelta

import pytest
from tuf.api.metadata import Delegations, Targets

from agent.bundles.layout import (
    CHARTER_PATH,
    CITY_PATH,
    HOTLIST,
    HOTLIST_PATH,
    MANUAL_PATH,
    POLICY,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    TOP_LEVEL,
    most_bytes,
    rule_of,
)
from agent.bundles.repository.next_version import (
    change_keys,
    delegate,
    first_root,
    first_targets,
    hand_paths,
    lacks_paths,
    next_version,
    require_end,
    require_own,
)
from agent.bundles.repository.signing_keys import KeyHolder
from agent.core.reasons import Reason
from agent.errors import BundleRefusedError, UsageError
from tests.support.bundle_city import FIRST, KEYS, person

NOW = FIRST + timedelta(microseconds=250)


def holders(*names):
    return [KeyHolder(name, person(name).public_key) for name in names]


PEOPLE = holders("Ana Ortiz", "Ben Cho", "Cleo Park")


@pytest.fixture
def root():
    return first_root(dict.fromkeys(TOP_LEVEL, PEOPLE), dict.fromkeys(TOP_LEVEL, 2), NOW).signed


class TestFirst:
    @pytest.mark.parametrize("threshold", [1, 2, 3])
    def test_root_has_the_thresholds_that_are_asked_for(self, threshold):
        """One is for a rig's city: `bundle init` refuses it for a real one."""
        thresholds = dict.fromkeys(TOP_LEVEL, threshold)
        made = first_root(dict.fromkeys(TOP_LEVEL, PEOPLE), thresholds, NOW).signed
        assert {role: made.roles[role].threshold for role in TOP_LEVEL} == thresholds
        assert all(made.roles[role].keyids == [one.id for one in PEOPLE] for role in TOP_LEVEL)
        assert (made.version, made.consistent_snapshot) == (1, True)

    @pytest.mark.parametrize("threshold", [1, 2, 3])
    def test_targets_delegate_with_the_thresholds_that_are_asked_for(self, threshold):
        asked = {POLICY: threshold, HOTLIST: 1, KEYS: 1}
        files = {CITY_PATH: b"{}", CHARTER_PATH: b""}
        made = first_targets(dict.fromkeys(asked, PEOPLE), asked, files, NOW).signed
        roles = made.delegations.roles
        assert {name: role.threshold for name, role in roles.items()} == asked
        assert all(role.terminating for role in roles.values())
        assert {name: tuple(role.paths) for name, role in roles.items()} == {
            name: rule_of(name).paths for name in asked
        }
        assert made.targets.keys() == files.keys()

    @pytest.mark.parametrize("role", [ROOT, TARGETS, POLICY, KEYS])
    def test_what_people_sign_ends_at_the_beginning_of_a_day(self, role):
        """Two who begin it on one day, on two machines, sign the same bytes."""
        ends = {
            next_version(None, role, None, now).signed.expires
            for now in (NOW, NOW.replace(hour=0, minute=0), NOW.replace(hour=23, minute=59))
        }
        midnight = FIRST.replace(hour=0, minute=0, second=0)
        assert ends == {midnight + rule_of(role).lifetime}

    def test_what_a_job_signs_ends_at_a_whole_second(self):
        made = next_version(None, HOTLIST, {}, NOW)
        assert made.signed.expires == FIRST + rule_of(HOTLIST).lifetime


class TestAWrongClock:
    """`require_end`: a version that was begun by a clock that was wrong."""

    def ending(self, after):
        made = next_version(None, POLICY, {}, FIRST)
        made.signed.expires = FIRST + after  # whole seconds, as it is written
        return made

    def test_what_was_begun_within_a_day_of_now_is_taken(self):
        day = timedelta(days=1)
        for after in (timedelta(seconds=1), rule_of(POLICY).lifetime + day):
            require_end(POLICY, self.ending(after), FIRST)

    @pytest.mark.parametrize(
        ("after", "words"),
        [
            (timedelta(0), "would have ended on {end}, and this machine's clock says {now}"),
            (
                rule_of(POLICY).lifetime + timedelta(days=1, seconds=1),
                (
                    "would live until {end}, longer than this role may, and this "
                    "machine's clock says {now}"
                ),
            ),
        ],
    )
    def test_what_ended_or_lives_too_long_is_refused(self, after, words):
        with pytest.raises(UsageError) as refused:
            require_end(POLICY, self.ending(after), FIRST)
        now, end = FIRST.date(), (FIRST + after).date()
        assert refused.value.what == words.format(end=end, now=now)
        assert "bundle withdraw --role policy" in refused.value.fix

    def test_a_role_that_is_not_known_never_fits(self):
        with pytest.raises(UsageError):
            require_end("mayor", self.ending(timedelta(seconds=1)), FIRST)


class TestPaths:
    """A delegation of an earlier version, which knew fewer paths."""

    def targets(self, paths):
        made = Targets()
        delegate(made, HOTLIST)
        made.delegations.roles[HOTLIST].paths = paths
        return made

    def test_fewer_paths_are_lacking_and_are_handed(self):
        known = list(rule_of(HOTLIST).paths)
        for paths in (known[:1], [], None):
            targets = self.targets(paths)
            assert lacks_paths(targets, HOTLIST) is True
            hand_paths(targets, HOTLIST)
            assert targets.delegations.roles[HOTLIST].paths == known
            assert lacks_paths(targets, HOTLIST) is False

    def test_other_paths_and_other_roles_lack_nothing(self):
        assert lacks_paths(self.targets(["elsewhere"]), HOTLIST) is False
        assert lacks_paths(self.targets(None), "mayor") is False


class TestDelegating:
    @pytest.mark.parametrize("role", [*TOP_LEVEL, "mayor", "keys-", "keys-a/b", ""])
    def test_what_nobody_is_handed(self, role):
        targets = Targets()
        with pytest.raises(UsageError, match="no such role.*keys- and a recipient's id"):
            delegate(targets, role)
        assert targets.delegations is None

    def test_the_first_and_one_more(self):
        targets = Targets()
        delegate(targets, KEYS)
        delegate(targets, HOTLIST)
        assert list(targets.delegations.roles) == [KEYS, HOTLIST]


class TestChangingKeys:
    GUS = holders("Gus Hale")

    def test_a_holder_is_known_by_name_or_by_eight_characters_of_the_key(self, root):
        for name in ("Ben Cho", PEOPLE[1].id, PEOPLE[1].id[:8]):
            signed = first_root(
                dict.fromkeys(TOP_LEVEL, PEOPLE), dict.fromkeys(TOP_LEVEL, 2), NOW
            ).signed
            change_keys(signed, ROOT, self.GUS, [name], None, rig=False)
            assert signed.roles[ROOT].keyids == [PEOPLE[0].id, PEOPLE[2].id, self.GUS[0].id]
            assert signed.roles[ROOT].threshold == 2

    def test_nobody_is_called_so(self, root):
        told = r"nobody of role root is called so.*Ana Ortiz, Ben"
        for name in ("Ben", "", PEOPLE[1].id[:7], PEOPLE[1].id + "0"):
            with pytest.raises(UsageError, match=told):
                change_keys(root, ROOT, [], [name], None, rig=False)

    def test_two_are_called_so(self, root):
        root.add_key(person("Ben Cho").public_key, SNAPSHOT)
        with pytest.raises(UsageError, match="more than one key of role snapshot is called so"):
            change_keys(root, SNAPSHOT, [], ["Ben Cho"], None, rig=False)

    @pytest.mark.parametrize(
        ("role", "told"),
        [
            ("mayor", "there is no such role.*root, targets, policy, hotlist, software, timestamp"),
            (KEYS, "there is no such role.*is for a recipient that the policy lists"),
        ],
    )
    def test_a_role_that_is_not_there(self, role, told):
        for signed in (Targets(delegations=Delegations({}, roles={})), Targets()):
            with pytest.raises(UsageError, match=told):
                change_keys(signed, role, self.GUS, [], None, rig=False)

    def test_a_threshold_of_one_person_is_a_rigs_alone(self, root):
        with pytest.raises(BundleRefusedError, match="root needs 2 signatures at least") as refused:
            change_keys(root, ROOT, [], [], 1, rig=False)
        assert refused.value.reason == Reason.BUNDLE_THRESHOLD_TOO_LOW
        change_keys(root, ROOT, [], [], 1, rig=True)
        change_keys(root, TIMESTAMP, [], [], 1, rig=False)
        assert (root.roles[ROOT].threshold, root.roles[TIMESTAMP].threshold) == (1, 1)

    @pytest.mark.parametrize("threshold", [0, -1, 4])
    def test_a_threshold_that_nobody_or_everybody_fails(self, root, threshold):
        with pytest.raises(UsageError, match=f"would need {threshold} signatures of 3 holders"):
            change_keys(root, ROOT, [], [], threshold, rig=True)


class TestFiles:
    @pytest.mark.parametrize("role", [POLICY, "mayor"])
    def test_a_file_of_another_role(self, role):
        with pytest.raises(BundleRefusedError, match="city.json: .*may not sign this file") as told:
            require_own(role, {CITY_PATH: 10})
        assert told.value.reason == Reason.BUNDLE_ROLE_OUTSIDE_PATHS

    def test_a_file_may_be_as_large_as_a_camera_takes(self):
        most = most_bytes(CITY_PATH)
        require_own(TARGETS, {CITY_PATH: most})
        told = f"city.json: {most + 1} bytes; a camera takes {most} "
        with pytest.raises(BundleRefusedError, match=told) as refused:
            require_own(TARGETS, {CITY_PATH: most + 1})
        assert refused.value.reason == Reason.BUNDLE_TOO_LARGE

    def test_the_next_version_holds_its_own_files_only(self):
        with pytest.raises(BundleRefusedError, match="may not sign this file"):
            next_version(None, POLICY, {CITY_PATH: b"{}"}, datetime.min.replace(tzinfo=NOW.tzinfo))

    def test_what_is_kept_goes_on_beside_what_is_new(self):
        first = next_version(None, HOTLIST, {MANUAL_PATH: b"old", HOTLIST_PATH: b"b"}, NOW)
        then = next_version(first, HOTLIST, {MANUAL_PATH: b"new"}, NOW, keep=(HOTLIST_PATH,))
        before, after = first.signed.targets, then.signed.targets
        assert list(after) == sorted((MANUAL_PATH, HOTLIST_PATH))
        assert after[HOTLIST_PATH] == before[HOTLIST_PATH]
        assert after[MANUAL_PATH] != before[MANUAL_PATH]
        alone = next_version(first, HOTLIST, {MANUAL_PATH: b"new"}, NOW).signed.targets
        assert list(alone) == [MANUAL_PATH]
