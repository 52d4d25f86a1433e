"""The policy's TOML: the shipped example is right; each single fault is found at its line; all are
told at once; nothing hostile gets further.
"""

import random
import re
import time
from datetime import date

import pytest

from agent.core.policy.policy import HotlistLimits, Recipient
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.text.toml_document import MAX_TEXT_BYTES, open_document, read_document
from agent.core.wire.match_level import MatchLevel
from agent.errors import ConfigError
from tests.support.judging import EXAMPLE

TEXT = (EXAMPLE / "policy.toml").read_text(encoding="utf-8")
COMMENT = re.compile(r"  +# .*")
SIGNING_KEY = re.search(r'signing_key = "(.*)"', TEXT)[1]
PIN = re.search(r'"(sha256/.*)"', TEXT)[1]


def faults(text):
    """What parse_policy tells, a line each."""
    with pytest.raises(ConfigError) as caught:
        parse_policy(text.encode() if isinstance(text, str) else text, "policy.toml")
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def line_of(text, words):
    """The number of the first line that holds these words."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if words in line)


def test_the_shipped_example_means_what_it_says():
    policy = parse_policy(TEXT.encode(), "policy.toml")
    assert (policy.name, policy.version, policy.jurisdiction) == (
        "City of Exampleville ALPR policy",
        7,
        "US-CA",
    )
    assert (policy.effective, policy.expires) == (date(2026, 11, 1), date(2027, 5, 1))
    rule = policy.releases[0]
    assert rule.categories == {"stolen-vehicle", "amber-alert"}
    assert rule.match == {MatchLevel.EXACT, MatchLevel.TEXT}
    assert (rule.min_confidence, rule.max_per_hour, rule.retention_days) == (0.9, 20, 21)
    assert (rule.recipient, rule.purpose) == ("exampleville-pd", "stolen-vehicle-recovery")
    (broker,) = policy.brokers
    assert broker.addresses == (("203.0.113.10", 8883), ("2001:db8::10", 8883))
    assert [len(pin) for pin in broker.spki_pins] == [32, 32]
    assert policy.served("example-county-sheriff", "cam-1")
    assert len(policy.recipients["exampleville-pd"].signing_key) == 32
    assert len(policy.digest) == 64


def test_what_a_policy_does_not_say_is_what_a_city_without_one_has():
    short = re.sub(r"(?m)^(\[hotlist\]|max_age_hours|additions_per_day|kind).*\n", "", TEXT)
    policy = parse_policy(short.encode(), "policy.toml")
    assert (policy.hotlist.max_age_hours, policy.hotlist.additions_per_day) == (24, 0)
    assert policy.hotlist == HotlistLimits()
    one = policy.recipients["exampleville-pd"]
    assert one.kind == ""
    assert one == Recipient(one.id, one.legal_name, one.basis, one.expires, one.signing_key)


def test_line_ends_do_not_matter_but_every_byte_counts_for_the_digest():
    other = parse_policy(TEXT.replace("\n", "\r\n").encode(), "policy.toml")
    assert other.releases == parse_policy(TEXT.encode(), "policy.toml").releases
    assert other.digest != parse_policy(TEXT.encode(), "policy.toml").digest


# One fault each: what is written instead of what, the field that is told, and a word of the
# message.
ONE_FAULT = [
    (
        "version = 7",
        "version = 0",
        "version",
        "0 is out of range: it must be a whole",
    ),
    ("version = 7", 'version = "7"', "version", "write a number, without quotes"),
    ("version = 7", "version = true", "version", "must be a whole number from 1"),
    ('jurisdiction = "US-CA"', 'jurisdiction = "California"', "jurisdiction", "US-CA or DE"),
    ('name = "City', 'name = " City', "name", "one line"),
    ("effective = 2026-11-01", "effective = 2026-11-01T00:00:00Z", "effective", "must be a date"),
    ("effective = 2026-11-01", 'effective = "2026-11-01"', "effective", "must be a date"),
    ("expires = 2027-05-01   ", "expires = 2026-11-01   ", "expires", "dates crossed"),
    ('rule = "amber-to-county"', 'rule = "stolen-and-amber"', "release.rule", "there twice"),
    (
        'categories = ["amber-alert"]',
        'categories = ["amber-alert", "*"]',
        "release.categories",
        "wildcards are not allowed",
    ),
    (
        'categories = ["amber-alert"]',
        "categories = []",
        "release.categories",
        "from 1 to 64 entries",
    ),
    (
        'categories = ["amber-alert"]',
        'categories = ["never-release"]',
        "release.categories",
        "can never be released",
    ),
    (
        'match = ["exact", "text"]   ',
        'match = ["exact", "any"]   ',
        "release.match",
        "must be one of: exact, text, confusable",
    ),
    (
        "min_confidence = 0.9\nmax_per_hour = 20",
        "min_confidence = 1.1\nmax_per_hour = 20",
        "release.min_confidence",
        "1.1 is out of range: it must be a number from 0 to 1",
    ),
    (
        "min_confidence = 0.9\nmax_per_hour = 20",
        "min_confidence = nan\nmax_per_hour = 20",
        "release.min_confidence",
        "must be a number from 0 to 1",
    ),
    ("max_per_hour = 20", "max_per_hour = 0", "release.max_per_hour", "from 1 to 1000"),
    (
        "max_per_hour = 20",
        "max_false_leads = 0\nmax_per_hour = 20",
        "release.max_false_leads",
        "from 1 to 1000",
    ),
    (
        "max_per_hour = 20",
        "max_per_day = 20\nmax_per_hour = 20",
        "release.max_per_day",
        "unknown key",
    ),
    (
        'recipient = "exampleville-pd"',
        'recipient = "exampleville-fd"',
        "release.recipient",
        "'exampleville-fd' is not a [[recipient]]",
    ),
    (
        'purpose = "missing-child-search"',
        'purpose = "Missing child"',
        "release.purpose",
        "is no identifier",
    ),
    ('retention = "21d"', 'retention = "1d"', "release.retention", "at least 2d"),
    ('retention = "21d"', 'retention = "2w"', "release.retention", "whole days as 21d"),
    ('retention = "21d"', "retention = 21", "release.retention", "text in quotes"),
    ('retention = "21d"', 'retention = "21d "', "release.retention", "whole days as 21d"),
    (
        'include = ["plate", "crop", "captured_at", "camera"]',
        'include = ["plate", "driver"]',
        "release.include",
        "must be one of: plate, crop",
    ),
    ("[[release]]\nrule", "[[releases]]\nrule", "releases", "unknown key"),
    ('basis = "Ordinance 2026-14"\n', 'basis = ""\n', "recipient.basis", "one line"),
    (
        'legal_name = "Exampleville',
        'legal_name = "Example\\u0007ville',
        "recipient.legal_name",
        "one line",
    ),
    (
        "expires = 2027-02-01",
        "expires = 2026-10-01",
        "recipient.expires",
        "before the policy takes effect",
    ),
    (SIGNING_KEY, SIGNING_KEY[:-1], "recipient.signing_key", "43 characters"),
    # The key has stray bits after the last byte.
    (SIGNING_KEY, SIGNING_KEY[:-1] + "9", "recipient.signing_key", "43 characters"),
    (SIGNING_KEY, "A" * 43, "recipient.signing_key", "weak"),
    (
        'host = "mqtt.exampleville.example"',
        'host = "*.exampleville.example"',
        "broker.host",
        "wildcards",
    ),
    (
        'host = "mqtt.exampleville.example"',
        'host = "203.0.113.10"',
        "broker.host",
        "belong in addresses",
    ),
    (
        '"203.0.113.10:8883"',
        '"mqtt.exampleville.example:8883"',
        "broker.addresses",
        "resolves no names",
    ),
    ('"203.0.113.10:8883"', '"203.0.113.10"', "broker.addresses", "no port"),
    ('"203.0.113.10:8883"', '"203.0.113.10:70000"', "broker.addresses", "no port"),
    ('"203.0.113.10:8883"', '"2001:db8::10:8883"', "broker.addresses", "no IP address"),
    ('"203.0.113.10:8883"', '"203.0.113.0/24:8883"', "broker.addresses", "no IP address"),
    ('"203.0.113.10:8883"', '"0.0.0.0:8883"', "broker.addresses", "no single host"),
    ('"203.0.113.10:8883"', '"[fe80::1%eth0]:8883"', "broker.addresses", "no single host"),
    (
        'addresses = ["203.0.113.10:8883", "[2001:db8::10]:8883"]',
        "addresses = []",
        "broker.addresses",
        "from 1 to 16 entries",
    ),
    ('ca = "city-hall-ca.pem"', 'ca = "../city-hall-ca.pem"', "broker.ca", "plain name"),
    ('ca = "city-hall-ca.pem"', 'ca = "/etc/ssl/ca.pem"', "broker.ca", "plain name"),
    (PIN, PIN.replace("sha256/", "sha1/"), "broker.spki_pins", "sha256/"),
    (PIN, PIN[:-2], "broker.spki_pins", "44 characters"),
    ('kind = "local-law-enforcement"', 'kind = "police"', "recipient.kind", "no kind of recipient"),
    ('cameras = ["county-road-9"', 'cameras = ["*"', "release.cameras", "wildcards"),
    (
        'cameras = ["county-road-9", "harbour-bridge-1"]',
        "cameras = []",
        "release.cameras",
        "from 1 to 1000 entries",
    ),
    (
        "max_age_hours = 24",
        "max_age_hours = 240",
        "hotlist.max_age_hours",
        "240 is out of range: it must be a whole number from 1 to 168",
    ),
    ("additions_per_day = 3", "additions_a_day = 3", "hotlist.additions_a_day", "unknown key"),
    ('hours = ["02:00-06:00Z"]', 'hours = ["2-6"]', "barred.hours", "write 22:00-06:00Z"),
    (
        'hours = ["02:00-06:00Z"]',
        'hours = ["02:00-02:00Z"]',
        "barred.hours",
        "begin where they end",
    ),
    ('cameras = ["town-hall-1"]', 'places = ["town-hall"]', "barred.places", "no kind of place"),
    ('why = "Ordinance 2026-14, section 9', 'why = " section 9', "barred.why", "one line"),
    (
        'recipients = ["exampleville-pd", "ex',
        'recipients = ["nobody", "exampleville-pd", "ex',
        "broker.recipients",
        "'nobody' is not a [[recipient]]",
    ),
    (
        'recipients = ["exampleville-pd", "example-county-sheriff", "example-fusion-center"]',
        "recipients = []",
        "broker.recipients",
        "must have from 1 to 64 entries",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    ONE_FAULT,
    ids=[f"{field}-{number}" for number, (_, _, field, _) in enumerate(ONE_FAULT)],
)
def test_each_fault_is_found_at_its_line(old, new, field, words):
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    at = TEXT[: TEXT.index(old)].count("\n") + 1
    told = faults(text)
    assert any(
        re.match(rf"policy\.toml:{at}: {re.escape(field)}: .*{re.escape(words)}", line)
        for line in told
    ), told


@pytest.mark.parametrize("key", ["name", "version", "jurisdiction", "effective", "expires"])
def test_each_key_at_the_top_is_required(key):
    assert faults(re.sub(rf"(?m)^{key} = .*\n", "", TEXT, count=1))[0].endswith(
        f": {key}: missing (add it)"
    )


@pytest.mark.parametrize(
    "key",
    [
        "rule",
        "categories",
        "max_per_hour",
        "purpose",
        "retention",
        "legal_name",
        "signing_key",
        "host",
        "ca",
        "addresses",
    ],
)
def test_a_missing_key_is_told_with_the_line_of_its_table(key):
    told = faults(re.sub(rf"(?m)^{key} = .*\n", "", TEXT, count=1))
    table = "broker" if key in {"host", "ca", "addresses"} else "recipient"
    if key in {"rule", "categories", "max_per_hour", "purpose", "retention"}:
        table = "release"
    assert f"policy.toml:{line_of(TEXT, f'[[{table}]]')}: {table}.{key}: missing (add it)" in told


def test_a_broker_without_a_pin_is_refused():
    told = faults(re.sub(r"spki_pins = \[.*?\]\n", "", TEXT, flags=re.DOTALL))
    assert told == [
        f"policy.toml:{line_of(TEXT, '[[broker]]')}: broker.spki_pins: missing (add it)"
    ]
    told = faults(re.sub(r"spki_pins = \[.*?\]\n", "spki_pins = []\n", TEXT, flags=re.DOTALL))
    assert "broker.spki_pins: must have from 1 to 16 entries" in told[0]


def test_a_recipient_that_no_broker_serves_is_refused_where_it_is_listed():
    told = faults(
        TEXT.replace('["exampleville-pd", "example-county-sheriff", ', '["exampleville-pd", ')
    )
    at = line_of(TEXT, 'id = "example-county-sheriff"')
    assert told == [
        (
            f"policy.toml:{at}: recipient.id: no [[broker]] serves 'example-county-sheriff' "
            "(add it to a broker's recipients, or remove it here)"
        )
    ]


def test_a_look_alike_letter_shows_in_the_message():
    cyrillic = TEXT.replace(
        'recipient = "exampleville-pd"', 'recipient = "ex\N{CYRILLIC SMALL LETTER A}mpleville-pd"'
    )
    assert any(r"'ex\u0430mpleville-pd' is no identifier" in line for line in faults(cyrillic))


def test_a_bar_that_bars_nothing_is_a_fault():
    told = faults(TEXT.replace('cameras = ["town-hall-1"]\nhours = ["02:00-06:00Z"]\n', ""))
    assert told == [
        (
            f"policy.toml:{line_of(TEXT, '[[barred]]')}: barred: "
            "bars nothing (name cameras, places or hours)"
        )
    ]


def test_all_faults_are_told_at_once_in_the_order_of_lines():
    text = (
        TEXT.replace("version = 7", "version = -1")
        .replace('retention = "7d"', 'retention = "forever"')
        .replace('"203.0.113.10:8883"', '"broker:1"')
    )
    text = text.replace('recipient = "exampleville-pd"', 'recipient = "*"')
    told = faults(text)
    assert [int(line.split(":")[1]) for line in told] == sorted(
        int(line.split(":")[1]) for line in told
    )
    fields = {line.split(": ")[1] for line in told}
    assert fields == {"version", "release.recipient", "release.retention", "broker.addresses"}


def test_a_policy_that_releases_nothing_is_lawful():
    assert (
        parse_policy(COMMENT.sub("", TEXT).split("[[release]]")[0].encode(), "policy.toml").releases
        == ()
    )


@pytest.mark.parametrize(
    ("hostile", "words"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"\xef\xbb\xbfname = 1", "byte-order mark"),
        (b"name = 'x", "not TOML"),
        (b"a = 1\na = 2", "not TOML"),
        (b"a" * (1024 * 1024 + 1), "too many"),
        (b"a = " + b"[" * 20_000, "nested"),
        (b"a." * 5_000 + b"b = 1", "dotted too deep"),
        (b'"a" . ' * 5_000 + b"b = 1", "dotted too deep"),
        (b"a = " + b"9" * 5_000, "number too long"),
        (b"release = 1", "release"),
        (b"[release]\nrule = 1", "release"),
        (b"release = [1, 2]", "release"),
        (b"[[recipient]]\nid = []\n[[broker]]\nrecipients = [[]]", "recipient.id"),
        (b"[[release]]\n" * 1_000, "at most 256 entries"),
        (b"", "name: missing"),
    ],
)
def test_hostile_files_end_in_one_clear_error(hostile, words):
    told = faults(hostile)
    assert any(words in line for line in told)
    assert len(told) <= 51


def test_broken_variants_of_the_example_never_do_worse_than_refuse():
    chance = random.Random(7)
    lines = TEXT.splitlines()
    for _ in range(60):
        broken = lines[:]
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(broken))
            broken[at : at + chance.randint(0, 2)] = chance.choice(
                [[], [lines[chance.randrange(len(lines))]], [broken[at][: chance.randint(0, 20)]]]
            )
        try:
            parse_policy("\n".join(broken).encode(), "policy.toml")
        except ConfigError as error:
            # Most variants must fail, some may be lawful.
            assert str(error).startswith("policy.toml")  # noqa: PT017


def test_places_are_found_in_every_way_to_write_toml():
    text = (
        'a = 1 # [x]\n\n[b."c"] # note\nd = """\n[not.a.table]\n"""\ne = [\n  1,\n'
        "  {f = 2}, # one\n  [3, 4],\n]\n[[g]]\nh.i = '['\n[[g]]\nk  =  2020-01-01"
    )
    document = read_document(text.encode(), "x.toml")
    assert document.place(("a",)) == (1, 5)
    assert document.place(("a",), of_key=True) == (1, 1)
    assert document.place(("b", "c")) == (3, 1)
    assert document.place(("b", "c", "d")) == (4, 5)
    assert [document.place(("b", "c", "e", index)) for index in range(3)] == [
        (8, 3),
        (9, 3),
        (10, 3),
    ]
    assert document.place(("b", "c", "e", 3)) == document.place(("b", "c", "e")) == (7, 5)
    assert [document.line(path) for path in (("g", 0), ("g", 0, "h"), ("g", 1), ("g", 1, "k"))] == [
        12,
        13,
        14,
        15,
    ]
    assert document.place(("g", 1, "k")) == (15, 7)
    assert document.place(("g", 1, "nothing")) == (14, 1)
    assert document.place(("nothing",)) == (1, 1)


@pytest.mark.parametrize(
    "text",
    [
        'a = """x""""\nb = 1',
        "a = '''x'''''\nb = 1",
        'a = ""\nb = 1',
        'a = """"""\nb = 1',
        "a = ''''''\nb = 1",
        'a = "\\""  # "\nb = 1',
    ],
)
def test_quotes_next_to_quotes_end_where_toml_says(text):
    document = read_document(text.encode(), "x.toml")
    assert document.table["b"] == 1
    assert document.line(("b",)) == 2


@pytest.mark.parametrize("piece", ['"""\\', "'", '\\"', "[", "a.", "[[a]]\n", "{", "a = [\n", "1_"])
@pytest.mark.parametrize("before", ["", 'a = """'])
def test_no_hostile_file_takes_time_out_of_proportion(piece, before):
    """At a quarter of the largest size a quadratic step takes half a minute here, a linear one a
    tenth of a second.
    """
    start = time.process_time()
    open_document((before + piece * MAX_TEXT_BYTES)[: MAX_TEXT_BYTES // 4].encode(), "x.toml")
    assert time.process_time() - start < 5
