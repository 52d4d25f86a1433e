"""Two hands for every wanted plate: an entry that one person signed reaches no camera, by whatever
way it comes into the file; a list above the charter's limits is refused.
"""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.bundles.hotlist_file import read_compiled, read_manual
from agent.bundles.hotlist_hands import lawful, require_within
from agent.bundles.repository.signing_keys import make_key
from agent.city import hotlist_hand
from agent.city.hotlist_hand import load_hand
from agent.core.hotlist.intake.manual_acts import parse_manual
from agent.core.hotlist.plausibility.look_alikes import most_look_alikes
from agent.core.policy.charter import parse_charter
from agent.core.policy.schema.hotlist_rules import HotlistRules
from agent.core.reading.plate_text import PlateText
from agent.errors import BundleRefusedError, ConfigError
from tests.components.test_city_log import leaves
from tests.components.test_hotlist_command import (
    MORE,
    PLATE,
    ROW,
    TODAY,
    WHO,
    cap,
    city,
    hotlist,
    source,
)

__all__ = ["city"]
ADD = ("--category", "stolen-vehicle", *MORE, *WHO)


def named(folder):
    """The key files of three people."""
    folder.mkdir(exist_ok=True)
    keys = {name: folder / f"{name}.pem" for name in ("ada", "ben", "eve")}
    for name, path in keys.items():
        make_key(path, "", name)
    return keys


def public(path):
    return load_hand(str(path), lambda _: "").public_key().public_bytes_raw().hex()


def more_of(keys):
    """The lines of a charter that names the first two of them."""
    yield from ("[hotlist]", 'case_forms = ["##-####"]', "longest_days = 10")
    for name in ("ada", "ben"):
        yield from ("[[hotlist_signer]]", f'name = "{name}"', f'key = "{public(keys[name])}"')


@pytest.fixture
def hands(city):
    """A charter that names two signers, and the key files of three people."""
    keys = named(city.parent)
    text = (city / "charter.toml").read_text()
    (city / "charter.toml").write_text(text + "\n".join(["", *more_of(keys), ""]))
    cap(city, 3)
    hotlist("import", source(city, ROW), "--city", city)
    return keys


def rules(city):
    return parse_charter((city / "charter.toml").read_bytes(), "charter.toml").hotlist


def add(city, *more, case="26-0001", code=0):
    return hotlist("add", "--city", city, *ADD, "--case", case, *more, given=PLATE, code=code)


def approve(city, key, code=0):
    words = ("approve", "--city", city, "--case", "26-0001", "--signing-key", key)
    return hotlist(*words, given=PLATE, code=code)


def in_force(city):
    return len(lawful(read_manual(city), rules(city)).acts)


def test_an_entry_reaches_cameras_only_after_a_second_person_signed_it(city, hands):
    add(city, "--signing-key", hands["ada"])
    assert in_force(city) == 0
    assert "[hotlist-hand-missing]" in approve(city, hands["ada"], code=3).stderr
    assert "[hotlist-hand-missing]" in approve(city, hands["eve"], code=3).stderr
    assert in_force(city) == 0
    approve(city, hands["ben"])
    assert in_force(city) == 1
    told = leaves(city)
    assert [one["act"] for one in told] == ["import", "add", "approve"]
    assert (told[2]["by"], told[2]["approved_by"]) == ("ada", "ben")


def test_no_key_a_stranger_or_another_form_of_case_or_too_long_adds_nothing(city, hands):
    assert "[hotlist-hand-missing]" in add(city, code=3).stderr
    assert "[hotlist-hand-missing]" in add(city, "--signing-key", hands["eve"], code=3).stderr
    said = add(city, "--signing-key", hands["ada"], case="friend", code=2)
    assert "##-####" in said.stderr
    assert not read_manual(city).acts


def test_what_was_altered_after_signing_is_left_out_by_the_camera_too(city, hands):
    add(city, "--signing-key", hands["ada"])
    approve(city, hands["ben"])
    manual = parse_manual(read_manual(city).encoded(), "manual")
    (act,) = manual.acts
    later = replace(act, entry=replace(act.entry, expires=act.entry.expires + timedelta(1)))
    twice = replace(act, signatures=(act.signatures[0], act.signatures[0]))
    case = replace(act, entry=replace(act.entry, case="26-0002"))
    for spoilt in (later, twice, case, replace(act, by="ben"), replace(act, signatures=())):
        assert not lawful(replace(manual, acts=(spoilt,)), rules(city)).acts
    assert lawful(manual, rules(city)).acts == (act,)
    by_stranger = hotlist_hand._signed(twice, Ed25519PrivateKey.generate(), rules(city))
    assert not lawful(replace(manual, acts=(by_stranger,)), rules(city)).acts


def test_two_signatures_count_in_no_other_city(city, hands):
    """The same two people may sign for the next town, with the same keys."""
    add(city, "--signing-key", hands["ada"])
    approve(city, hands["ben"])
    manual = read_manual(city)
    assert len(lawful(manual, rules(city)).acts) == 1
    charter = city / "charter.toml"
    charter.write_text(charter.read_text().replace('name = "Exampleville', 'name = "Otherville'))
    assert rules(city).signers
    assert lawful(manual, rules(city)).acts == ()


def test_a_protection_and_a_withdrawal_wait_for_nobody(city, hands):
    protect = ("--category", "never-release", *MORE, *WHO, "--case", "any")
    hotlist("add", "--city", city, *protect, given=PLATE)
    out = ("--state", "US-CA", *WHO, "--case", "C-1")
    hotlist("remove", "--city", city, *out, given=PLATE)
    assert in_force(city) == 2
    held = HotlistRules(additions_per_day=0)
    require_within(read_compiled(city, TODAY), read_manual(city), TODAY, held)


def test_an_entry_lasts_no_longer_than_the_charter_says(city, hands):
    long = [str(TODAY + timedelta(days=11)) if one == MORE[-1] else one for one in MORE]
    words = ("--category", "stolen-vehicle", *long, *WHO, "--case", "26-0001")
    key = ("--signing-key", hands["ada"])
    said = hotlist("add", "--city", city, *words, *key, given=PLATE, code=2)
    assert "expires: the charter permits 10 days" in said.stderr
    assert not read_manual(city).acts


def test_forms_and_days_hold_without_signers_too(city):
    charter, cases = city / "charter.toml", '\n[hotlist]\ncase_forms = ["##-####"]\n'
    cap(city, 3)
    hotlist("import", source(city, ROW), "--city", city)
    add(city, case="friend")
    assert in_force(city) == 1
    charter.write_text(charter.read_text() + cases)
    assert in_force(city) == 0
    assert "##-####" in add(city, case="another", code=2).stderr


def test_the_list_shows_how_many_wait(city, hands):
    add(city, "--signing-key", hands["ada"])
    shown = json.loads(hotlist("show", "--city", city, "--json").stdout)
    assert shown["waiting_for_a_second_hand"] == 1


def test_a_list_above_the_charters_limits_is_refused(city, hands):
    add(city, "--signing-key", hands["ada"])
    manual = read_manual(city)
    compiled = read_compiled(city, TODAY)
    require_within(compiled, manual, TODAY, HotlistRules(most_entries=2, additions_per_day=1))
    for above in (HotlistRules(most_entries=1), HotlistRules(additions_per_day=0)):
        with pytest.raises(BundleRefusedError) as caught:
            require_within(compiled, manual, TODAY, above)
        assert caught.value.reason == "hotlist-above-limit"


def test_look_alikes_of_the_list_and_by_hand_count_together(city, hands):
    """O and 0, Q and 0: whoever adds each look-alike stops each car that only resembles one."""
    alike = [ROW.replace("7Q42", "7O42").replace("C-1", "C-2"), ROW.replace("7Q42", "8Z1")]
    hotlist("import", source(city, ROW, *alike), "--city", city)
    add(city, "--signing-key", hands["ada"])
    compiled, manual = read_compiled(city, TODAY), read_manual(city)
    assert most_look_alikes(compiled, None) == 2
    assert most_look_alikes(compiled, manual.compiled(TODAY)) == 3
    apart = manual.acts[0].entry
    apart = replace(manual.acts[0], entry=replace(apart, plate=PlateText("PWD9K5")))
    assert most_look_alikes(compiled, replace(manual, acts=(apart,)).compiled(TODAY)) == 2
    none = replace(manual, acts=())
    require_within(compiled, none, TODAY, HotlistRules(look_alikes=2))
    require_within(compiled, manual, TODAY, HotlistRules(look_alikes=3))
    for held, limit in ((manual, 2), (none, 1)):
        with pytest.raises(BundleRefusedError, match="taken for one another"):
            require_within(compiled, held, TODAY, HotlistRules(look_alikes=limit))


def test_one_person_one_key_named_twice_or_a_weak_one_is_a_fault_of_the_charter(city, hands):
    text = (city / "charter.toml").read_text()
    alone = text[: text.rindex("[[hotlist_signer]]")]
    same = text.replace(public(hands["ben"]), public(hands["ada"]))
    for spoilt in (text.replace('name = "ben"', 'name = "ada"'), same, alone):
        with pytest.raises(ConfigError, match="two hands are two people"):
            parse_charter(spoilt.encode(), "charter.toml")
    for weak in ("00" * 32, "01" + "00" * 31):
        with pytest.raises(ConfigError, match="a weak Ed25519 key"):
            parse_charter(text.replace(public(hands["ben"]), weak).encode(), "charter.toml")
