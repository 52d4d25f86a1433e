"""The jurisdictions' profiles: every one shipped is well-formed, each fact has its source, and thin
ones say so and are not advertised.
"""

import re
from datetime import date
from pathlib import Path

import pytest

from agent.bundles import jurisdiction_files
from agent.core.policy.barring import PLACES
from agent.core.policy.jurisdiction import parse_profile
from agent.core.policy.schema.fields import KINDS
from agent.errors import ConfigError, UsageError

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "config/jurisdictions"
NAMES = [path.stem for path in sorted(FOLDER.glob("*.toml"))]
CALIFORNIA = (FOLDER / "us-ca.toml").read_text(encoding="utf-8")


def test_all_are_available():
    assert set(NAMES) == set(jurisdiction_files.available())
    assert len(NAMES) == 72


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_profile_is_sound(name):
    profile = jurisdiction_files.named(name)
    # Nobody has confirmed it. This test fails the day that somebody says so without a name.
    assert profile.counsel_confirmed is False
    assert name.startswith(profile.id.lower())
    assert (profile.use == "data") is bool(profile.thin)
    assert (profile.use == "none") is (profile.looked is not None)
    assert profile.use != "check" or any(fact.checkable for fact in profile.facts)
    assert len({fact.id for fact in profile.facts}) == len(profile.facts)
    for fact in profile.facts:
        assert fact.citation
        assert fact.sources
        assert fact.says.endswith(".")
        assert fact.confirmed is (fact.confidence == "A")
        assert fact.read in {date(2026, 11, 22), date(2026, 11, 28)}


def test_the_facts_that_the_project_was_given_are_there():
    caps = {name: jurisdiction_files.named(name).max_retention_days for name in NAMES}
    assert {name: caps[name] for name in ("us-me", "us-va", "us-wa", "us-ct")} == dict.fromkeys(
        ("us-me", "us-va", "us-wa", "us-ct"), 21
    )
    assert (
        caps["us-or"],
        caps["us-mn"],
        caps["us-mt"],
        caps["us-ar"],
        caps["us-ne"],
        caps["us-ca"],
    ) == (30, 60, 90, 150, 180, None)
    assert (
        jurisdiction_files.named("us-nh")
        .forbids_fixed_cameras()
        .citation.startswith("RSA 261:75-b")
    )
    assert set(jurisdiction_files.named("us-wa").gathered("protected_places")) == {
        "court",
        "food-bank",
        "health-care",
        "immigration-facility",
        "school",
        "worship",
    }
    assert "federal-agency" in jurisdiction_files.named("us-ca").gathered("forbidden_kinds")
    assert "immigration-enforcement" in jurisdiction_files.named("us-ca").gathered(
        "forbidden_purposes"
    )


def test_the_document_lists_every_profile_and_what_it_is_used_for():
    text = (ROOT / "docs/ref/jurisdictions.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| (check|data|none) \|", text, re.MULTILINE))
    assert rows == {name: jurisdiction_files.named(name).use for name in NAMES}


def test_the_documents_list_every_kind_of_recipient_and_place():
    text = (ROOT / "docs/ref/policy.md").read_text(encoding="utf-8")
    assert not [name for name in (*KINDS, *PLACES) if f"`{name}`" not in text]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('confidence = "A"', 'confidence = "B"', "only what was read"),
        ('use = "check"', 'use = "data"', "does not say what is too thin"),
        ('use = "check"', 'use = "none"', "no statute was found on no day"),
        ("read = 2026-11-22", "", "missing"),
        (
            "confirmed = true",
            'confirmed = "yes"',
            "must be true or false (write one of them, without quotes)",
        ),
        (
            'forbidden_kinds = ["federal-agency"',
            'forbidden_kinds = ["feds"',
            "no kind of recipient",
        ),
        ('topic = "logs"', 'topic = "gossip"', "must be"),
        ("counsel_confirmed", "counsel", "unknown key"),
    ],
)
def test_a_profile_without_its_sources_is_refused_at_its_line(old, new, told):
    assert old in CALIFORNIA
    with pytest.raises(ConfigError, match=r"us-ca\.toml:\d+: ") as caught:
        parse_profile(CALIFORNIA.replace(old, new, 1).encode(), "us-ca.toml")
    assert told in str(caught.value)


def test_profiles_are_found_by_name_code_or_file(tmp_path):
    assert jurisdiction_files.shipped("US-CA") == jurisdiction_files.named("us-ca")
    assert jurisdiction_files.shipped("US-PR") is None
    assert jurisdiction_files.shipped("../us-ca") is None
    (tmp_path / "ours.toml").write_text(CALIFORNIA)
    assert jurisdiction_files.named(str(tmp_path / "ours.toml")).id == "US-CA"
    with pytest.raises(UsageError, match="one of: .*us-ca"):
        jurisdiction_files.named("atlantis")
