"""Policies for `policy check`: thirty with one fault each, and ten lawful ones."""

import re

from tests.support.judging import EXAMPLE

POLICY, CHARTER, ROSTER = (
    (EXAMPLE / f"{name}.toml").read_text(encoding="utf-8")
    for name in ("policy", "charter", "roster")
)
PIN = "sha256/iXPPHRQLOpwpW4IYUSdSNOVpobfABohlIde0FATFIC4="
HSI = """
[[recipient]]
id = "us-dhs-hsi"
kind = "federal-agency"
legal_name = "Homeland Security Investigations"
basis = "a letter"
expires = 2027-05-01
signing_key = "8OymkVajAXVKHCRcDmTPVHD6GD5jpJ5rDA2NcPzy4k0"
"""
IDLE = (
    POLICY[POLICY.index("\n[[broker]]") : POLICY.index("\n[[barred]]")]
    .replace('"city-hall"', '"idle"')
    .replace('["exampleville-pd", "example-county-sheriff", "example-fusion-center"]', "[]")
)


# One fault each: (what is written, instead of what, what to look for in the changed text, code,
# words of the finding)
FAULTS = {
    "unknown key": (
        "version = 7",
        "version = 7\nsend_to_all = true",
        "send_to_all",
        "malformed",
        "unknown key",
    ),
    "unknown key in a rule": (
        "max_per_hour = 20 ",
        "max_per_day = 9\nmax_per_hour = 20 ",
        "max_per_day",
        "malformed",
        "unknown key",
    ),
    "wrong type": ("version = 7", 'version = "7"', '"7"', "malformed", "must be a whole number"),
    "wildcard recipient": (
        'recipient = "exampleville-pd"',
        'recipient = "*"',
        '"*"',
        "malformed",
        "wildcards",
    ),
    "duplicate rule": (
        'rule = "amber-to-county"',
        'rule = "stolen-and-amber"',
        (
            '"stolen-and-amber"',
            '[[release]]\nrule = "stolen-and-amber"\ncategories = ["amber-alert"]',
        ),
        "malformed",
        "there twice",
    ),
    "duplicate recipient": (
        "\n[[broker]]",
        HSI.replace("us-dhs-hsi", "exampleville-pd").replace("federal-agency", "local-agency")
        + "\n[[broker]]",
        ('"exampleville-pd"', "section 6"),
        "malformed",
        "there twice",
    ),
    "release to an unlisted recipient": (
        'recipient = "exampleville-pd"',
        'recipient = "nearby-pd"',
        '"nearby-pd"',
        "malformed",
        "not a [[recipient]]",
    ),
    "broker that serves nobody": (
        "\n[[barred]]",
        f"{IDLE}\n[[barred]]",
        ("[]", "recipients = []"),
        "malformed",
        "must have from 1 to 64 entries",
    ),
    "broker for an unlisted recipient": (
        'recipients = ["exampleville-pd", ',
        'recipients = ["nearby-pd", "exampleville-pd", ',
        '"nearby-pd"',
        "malformed",
        "not a [[recipient]]",
    ),
    "recipient that no broker serves": (
        ', "example-fusion-center"]',
        "]",
        ('"example-fusion-center"', "[[recipient]]"),
        "malformed",
        "no [[broker]] serves",
    ),
    "retention under two days": (
        'retention = "7d"',
        'retention = "1d"',
        '"1d"',
        "malformed",
        "at least 2d",
    ),
    "retention over the charter": (
        'retention = "21d"',
        'retention = "22d"',
        '"22d"',
        "charter-retention",
        "longer than the charter's 21",
    ),
    "dates crossed": (
        "expires = 2027-05-01  ",
        "expires = 2026-10-01  ",
        "2026-10-01",
        "malformed",
        "dates crossed",
    ),
    "recipient ends before the policy begins": (
        "expires = 2027-02-01  ",
        "expires = 2026-10-01  ",
        "2026-10-01",
        "malformed",
        "before the policy takes effect",
    ),
    "look-alike letter in an id": (
        'recipient = "exampleville-pd"',
        'recipient = "ex\u0430mpleville-pd"',
        '"ex\u0430mple',
        "malformed",
        r"ex\u0430mpleville-pd",
    ),
    "category never-release": (
        '["amber-alert"]',
        '["amber-alert", "never-release"]',
        '"never-release"',
        "malformed",
        "never be released",
    ),
    "category the charter does not allow": (
        '["amber-alert"]',
        '["amber-alert", "parking"]',
        '"parking"',
        "charter-forbids-category",
        "not a category",
    ),
    "recipient the charter forbids": (
        "example-fusion-center",
        "vendor-cloud",
        ('"vendor-cloud"', "[[recipient]]"),
        "charter-forbids-recipient",
        "by name",
    ),
    "kind the charter forbids": (
        'kind = "joint-center"',
        'kind = "foreign-agency"',
        '"foreign-agency"',
        "charter-forbids-kind",
        "of kind",
    ),
    "kind not told": (
        'kind = "joint-center"\n',
        "",
        ("[[recipient]]", "[[recipient]]                          # listed"),
        "charter-forbids-kind",
        "does not tell",
    ),
    "purpose the charter forbids": (
        '"missing-child-search"',
        '"traffic-fines"',
        '"traffic-fines"',
        "charter-forbids-purpose",
        "charter forbids",
    ),
    "kind the law forbids": (
        'kind = "joint-center"',
        'kind = "federal-agency"',
        '"federal-agency"',
        "jurisdiction-forbids-recipient",
        "in California",
    ),
    "purpose the law forbids": (
        '"missing-child-search"',
        '"immigration-enforcement"',
        '"immigration-enforcement"',
        "jurisdiction-forbids-purpose",
        "in California",
    ),
    "camera that nobody has": (
        '"county-road-9"',
        '"county-road-8"',
        '"county-road-8"',
        "camera-not-in-roster",
        "not in the roster",
    ),
    "barred camera that nobody has": (
        'cameras = ["town-hall-1"]',
        'cameras = ["town-hall-2"]',
        '"town-hall-2"',
        "camera-not-in-roster",
        "not in the roster",
    ),
    "bar that bars nothing": (
        'cameras = ["town-hall-1"]\nhours = ["02:00-06:00Z"]\n',
        "",
        "[[barred]]",
        "malformed",
        "bars nothing",
    ),
    "hours that are none": (
        '"02:00-06:00Z"',
        '"2am-6am"',
        '"2am-6am"',
        "malformed",
        "22:00-06:00Z",
    ),
    "host name where an address belongs": (
        '"203.0.113.10:8883"',
        '"mqtt.example:8883"',
        '"mqtt.example:8883"',
        "malformed",
        "resolves no names",
    ),
    "pin cut short": (PIN, PIN[:-4], f'"{PIN[:-4]}"', "malformed", "44 characters"),
    "quotes that do not end": (
        'basis = "Ordinance 2026-14"',
        'basis = "Ordinance 2026-14',
        '"Ordinance 2026-14\n',
        "malformed",
        "quotes",
    ),
    "a key twice": (
        "version = 7",
        "version = 7\nversion = 8",
        None,
        "malformed",
        "a key is there twice",
    ),
    "a byte-order mark": (
        "# A worked",
        "\ufeff# A worked",
        "\ufeff",
        "malformed",
        "byte-order mark",
    ),
}


def changed(*pairs, text=POLICY):
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


LAWFUL = {
    "the example": {},
    "CRLF": {"policy": POLICY.replace("\n", "\r\n"), "charter": CHARTER.replace("\n", "\r\n")},
    "no rule at all": {"policy": re.sub(r"(?s)\[\[release\]\].*?(?=\[\[recipient)", "", POLICY)},
    "inline tables and literal strings": {
        "policy": changed(
            ("[hotlist]\nmax_age_hours = 24", "[hotlist]\n'max_age_hours' = 0x18"), ('"7d"', "'7d'")
        )
    },
    "shortest retention": {"policy": changed(('"21d"', '"2d"'), ('"7d"', '"2d"'))},
    "Montana's purposes": {
        "policy": changed(
            ('"US-CA"', '"US-MT"'), ('"missing-child-search"', '"missing-person-search"')
        ),
        "law": "us-mt",
    },
    "Washington, where the places are barred": {
        "policy": changed(('"US-CA"', '"US-WA"'), ("joint-center", "state-law-enforcement")),
        "charter": changed(
            ('hours = ["14:30-16:30Z", "21:30-23:30Z"]', ""),
            ('"food-bank"', '"food-bank", "court"'),
            text=CHARTER,
        ),
        "law": "us-wa",
    },
    "New Hampshire, on vehicles": {
        "policy": re.sub(
            r"(?s)\[\[release\]\].*?(?=\[\[recipient)", "", changed(('"US-CA"', '"US-NH"'))
        ),
        "roster": ROSTER.replace('"fixed"', '"vehicle"'),
        "law": "us-nh",
    },
    "no law to hold it against": {"policy": changed(('"US-CA"', '"FR"')), "law": None},
    "facts too thin": {"policy": changed(('"US-CA"', '"DE"')), "law": "de"},
    "without charter and roster": {"charter": None, "roster": None},
    "a line of 120 letters that are not ASCII": {
        "policy": changed(
            ('legal_name = "Example County Sheriff\'s Office"', f'legal_name = "{"é" * 120}"')
        )
    },
}
