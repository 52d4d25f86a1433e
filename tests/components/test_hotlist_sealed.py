"""Opening the encrypted hot list: whatever was cut off, altered or meant for others is one refusal;
the slow way of opening is not taken.
"""

from datetime import UTC, date, datetime, timedelta

import pyrage
import pytest

from agent.bundles.hotlist_sealed import open_hotlist
from agent.bundles.layout import HOTLIST_PATH, city_file
from agent.core.hotlist.compiled_format import encode
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.policy.schema.hotlist_rules import HotlistRules
from agent.errors import BundleRefusedError

MINE, OTHER = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
TODAY = date(2026, 11, 22)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROWS = [
    b"plate,state,category,agency,case,source_date,expires\n",
    b"PWD 0001,US-CA,stolen-vehicle,Exampleville PD,EPD-1,2026-11-10,2031-01-10\n",
]


def sealed(identity):
    listed = import_list(Source(ROWS, "hotlist.csv", NOON), {"stolen-vehicle"}, TODAY).compiled
    return pyrage.encrypt(
        encode(listed.header, listed.columns), [OTHER.to_public(), identity.to_public()]
    )


def opened(folder, sealed_list):
    path = folder / city_file(HOTLIST_PATH)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sealed_list)
    return open_hotlist(
        folder,
        MINE,
        TODAY,
        {"stolen-vehicle"},
        timedelta(days=1),
        NOON + timedelta(days=1),
        HotlistRules(),
    )


def test_it_is_opened_without_the_way_that_gives_one_byte_at_a_time(tmp_path, monkeypatch):
    """`pyrage.decrypt` took 17 s for the list of a thousand cameras, `decrypt_io` 0.6 s."""
    monkeypatch.setattr(pyrage, "decrypt", lambda *_: pytest.fail("the slow way"))
    assert opened(tmp_path, sealed(MINE)).as_of == NOON


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data[:100],
        lambda _: b"",
        lambda _: b"sealed to somebody else",
        lambda _: sealed(pyrage.x25519.Identity.generate()),
    ],
    ids=["cut off", "altered", "half a header", "empty", "no age file", "for others"],
)
def test_what_does_not_open_is_one_refusal(tmp_path, spoil):
    with pytest.raises(BundleRefusedError, match="not encrypted to this camera, or damaged") as no:
        opened(tmp_path, spoil(sealed(MINE)))
    assert no.value.reason == "decryption-failed"
    assert "PWD0001" not in str(no.value)
