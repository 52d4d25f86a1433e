"""A recipient's key list: believed only when it is the recipient's, whole, in order and usable."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core.text.encoding import b64url
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import public_jwk
from agent.core.wire.epochs import EpochKeys, deadline_of
from agent.core.wire.key_list import MAX_EPOCHS, MAX_VERSIONS, format_key_list, parse_key_list
from agent.errors import EnvelopeRefusedError
from agent.verifying.key_list_check import MAX_BYTES, verify_key_list
from tests.support.sealed import CAPTURED, RECIPIENT, Parties, sign_compact

PARTIES = Parties.make(days=3)
KEYS = PARTIES.epoch_keys()
KEY = PARTIES.recipient_key.public_key().public_bytes_raw()
TYP = "platewarden-epoch-keys"
DAY = timedelta(days=1)


def signed(table, typ=TYP, key=PARTIES.recipient_key):
    return sign_compact(key, typ, json.dumps(table).encode())


def table():
    return json.loads(format_key_list(KEYS))


def refusal(text, recipient=RECIPIENT):
    with pytest.raises(EnvelopeRefusedError) as refused:
        verify_key_list(text, recipient, KEY)
    return refused.value


def test_there_and_back():
    assert (
        verify_key_list(
            sign_compact(PARTIES.recipient_key, TYP, format_key_list(KEYS)), RECIPIENT, KEY
        )
        == KEYS
    )


def test_four_hundred_days_fit():
    many = EpochKeys(
        RECIPIENT,
        CAPTURED,
        {
            CAPTURED.date() + n * DAY: bytes(24) + n.to_bytes(4, "big") + b"\x01\x02\x03\x04"
            for n in range(MAX_EPOCHS)
        },
    )
    text = sign_compact(PARTIES.recipient_key, TYP, format_key_list(many))
    assert len(text) < MAX_BYTES
    assert len(verify_key_list(text, RECIPIENT, KEY).keys) == MAX_EPOCHS


def test_an_empty_list_is_a_list():
    assert verify_key_list(signed({**table(), "epochs": []}), RECIPIENT, KEY).keys == {}


def test_somebody_elses():
    assert refusal(signed(table(), key=PARTIES.device_key)).reason == "signature-invalid"
    assert refusal(signed({**table(), "recipient": "other"})).reason == "malformed"
    assert refusal(signed(table()), "other").reason == "malformed"
    assert refusal(signed(table(), typ="platewarden-receipt")).reason == "malformed"


def entry(days, key=None):
    return {
        "epoch": (CAPTURED.date() + days * DAY).isoformat(),
        "key": key or public_jwk("X25519", bytes([days % 250 + 2]) * 32),
    }


@pytest.mark.parametrize(
    ("epochs", "says"),
    [
        ([entry(1), entry(0)], "strictly increasing"),
        ([entry(0), entry(0)], "strictly increasing"),
        (
            [
                entry(0, public_jwk("X25519", b"\x09" * 32)),
                entry(1, public_jwk("X25519", b"\x09" * 32)),
            ],
            "one key each",
        ),
        ([entry(n) for n in range(MAX_EPOCHS + 1)], "at most"),
        ([entry(-1)], "after the list's issue"),
        ([entry(402)], "within"),
        ([entry(0, public_jwk("X25519", bytes(32)))], "usable"),
        ([entry(0, public_jwk("X25519", b"\x01" + bytes(31)))], "usable"),
        ([entry(0, public_jwk("Ed25519", bytes(32)))], "crv"),
        (
            [entry(0, {**public_jwk("X25519", b"\x09" * 32), "d": b64url(bytes(32))})],
            "does not know",
        ),
        ([{**entry(0), "note": 1}], "does not know"),
        ([{"epoch": "2027-1-15", "key": entry(0)["key"]}], "UTC day"),
        (["2027-01-15"], "not a JSON object"),
        ({}, "list"),
    ],
)
def test_lists_that_cannot_be_meant(epochs, says):
    refused = refusal(signed({**table(), "epochs": epochs}))
    assert refused.reason == "malformed"
    assert says in str(refused)


def test_a_list_without_versions_is_for_version_1_as_all_were_that_were_published():
    assert "versions" not in table()
    assert verify_key_list(signed(table()), RECIPIENT, KEY).versions == (1,)
    assert verify_key_list(signed({**table(), "versions": [1]}), RECIPIENT, KEY) == KEYS


def test_versions_there_and_back():
    newer = replace(KEYS, versions=(2, 1))
    text = sign_compact(PARTIES.recipient_key, TYP, format_key_list(newer))
    assert verify_key_list(text, RECIPIENT, KEY) == newer
    most = list(range(MAX_VERSIONS, 0, -1))
    assert verify_key_list(signed({**table(), "versions": most}), RECIPIENT, KEY).versions == (
        *most,
    )


@pytest.mark.parametrize(
    "versions",
    [
        [],
        [0],
        [-1],
        [True],
        [1.0],
        ["1"],
        [None],
        [[1]],
        [1, 2],
        [2, 2],
        [1_001],
        list(range(MAX_VERSIONS + 1, 0, -1)),
        None,
        1,
        "1",
        {},
    ],
)
def test_versions_that_cannot_be_meant(versions):
    refused = refusal(signed({**table(), "versions": versions}))
    assert refused.reason == "malformed"
    assert "version" in str(refused)


@pytest.mark.parametrize(
    "change",
    [
        {"issued_at": "yesterday"},
        {"issued_at": rfc3339(CAPTURED + 9 * DAY)},
        {"issued_at": rfc3339(CAPTURED - 900 * DAY)},
        {"v": 1},
    ],
)
def test_other_oddities(change):
    assert refusal(signed({**table(), **change})).reason == "malformed"


class TestBounds:
    """docs/ref/sealed-read.md, to the millisecond."""

    EPOCH = CAPTURED.date()
    DEADLINE = deadline_of(EPOCH)
    MILLISECOND = timedelta(milliseconds=1)

    @classmethod
    def issued(cls, issued_at, **changes):
        key = public_jwk("X25519", KEYS.keys[min(KEYS.keys)])
        entry = {"epoch": cls.EPOCH.isoformat(), "key": key}
        whole = {"recipient": RECIPIENT, "issued_at": rfc3339(issued_at), "epochs": [entry]}
        return json.dumps(whole | changes).encode()

    @pytest.mark.parametrize("before", [MILLISECOND, timedelta(days=401)])
    def test_from_its_issue_to_four_hundred_days_and_the_day_itself(self, before):
        assert list(parse_key_list(self.issued(self.DEADLINE - before), RECIPIENT).keys) == [
            self.EPOCH
        ]

    @pytest.mark.parametrize("before", [timedelta(0), timedelta(days=401) + MILLISECOND])
    def test_no_earlier_and_no_later(self, before):
        told = self.told(self.issued(self.DEADLINE - before))
        assert "entry 0: `epoch` must be after the list's issue and within 400 days of it" in told

    def test_eight_versions_up_to_a_thousand(self):
        eight = list(range(1000, 992, -1))
        assert parse_key_list(self.issued(CAPTURED, versions=eight), RECIPIENT).versions == (
            *eight,
        )
        assert "`versions`" in self.told(self.issued(CAPTURED, versions=[*eight, 1]))
        assert "`versions`: `v`" in self.told(self.issued(CAPTURED, versions=[1001]))
        assert "`versions` must be one or more" in self.told(self.issued(CAPTURED, versions=[]))

    def test_four_hundred_entries(self):
        assert "at most 400" in self.told(self.issued(CAPTURED, epochs=[{}] * 401))
        assert "entry 0" in self.told(self.issued(CAPTURED, epochs=[{}] * 400))

    def test_which_field_is_told(self):
        entry = json.loads(self.issued(CAPTURED))["epochs"][0]
        told = self.told(self.issued(CAPTURED, epochs=[entry, entry]))
        assert told.endswith("`epochs` must be strictly increasing (entry 1)")
        later = {**entry, "epoch": (self.EPOCH + DAY).isoformat()}
        told = self.told(self.issued(CAPTURED, epochs=[entry, later]))
        assert "`epochs` must be one key each: " in told

    @staticmethod
    def told(text):
        with pytest.raises(EnvelopeRefusedError) as refused:
            parse_key_list(text, RECIPIENT)
        return str(refused.value)
