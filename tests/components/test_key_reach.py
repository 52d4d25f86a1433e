"""How far a recipient's keys really reach: shorter than the list, by the retention. It is told when
they are signed, shown and published; a list that cannot serve today is refused.
"""

import json
from datetime import UTC, datetime

import pytest

from agent.commands.bundle import publish as command
from agent.core.text.encoding import b64url
from agent.core.time.instant import ClockTrust, Instant
from agent.receiver.workplace import KEY_LIST, Workplace
from tests.support.clerk_city import FIRST, LATER, NEXT_DAY, RECIPIENT, is_error

pytestmark = pytest.mark.usefixtures("quick_disk")
ROLE = f"keys-{RECIPIENT}"


def department(desk, days):
    """A recipient's folder with so many days of keys, from the first day on."""
    first = datetime.fromisoformat(FIRST).astimezone(UTC)
    return Workplace.create(
        desk.folder / f"receiver-{days}",
        RECIPIENT,
        Instant(first, ClockTrust.TRUSTED, first),
        None,
        epochs_ahead_days=days,
    )


def listed_by_policy(desk, place):
    """The policy names this department's signing key."""
    text = (desk.city / "policy.toml").read_text()
    section = text.index(f'id = "{RECIPIENT}"')
    at = text.index("signing_key", section)
    end = text.index("\n", at)
    key = f'signing_key = "{b64url(place.signer().public_key)}"'
    text = f"{text[:at]}{key}{text[end:]}".replace("version = 7", "version = 8")
    (desk.city / "policy.toml").write_text(text)
    for who in ("dora", "eli"):
        assert desk.sign(who, on=LATER).code == 0
    assert desk.publish(on=LATER).code in {0, 3}


def sign_keys(desk, place, on=LATER):
    return desk.sign("pd", "--role", ROLE, "--key-list", place.folder / KEY_LIST, on=on)


def test_sixty_days_of_keys_serve_forty_days_where_reads_are_kept_for_twenty_one(open_desk):
    place = department(open_desk, 60)
    listed_by_policy(open_desk, place)
    done = sign_keys(open_desk, place)
    assert done.code == 0, done.err
    words = f"eads can be sealed to {RECIPIENT} under rule stolen-and-amber until 2026-12-29"
    assert words in done.out
    assert open_desk.publish(on=LATER).code == 0
    shown = open_desk.run("bundle", "show", "--city", open_desk.city, on=LATER)
    assert words in shown.out
    shown = json.loads(
        open_desk.run("bundle", "show", "--city", open_desk.city, "--json", on=LATER).out
    )
    assert {
        "recipient": RECIPIENT,
        "rule": "stolen-and-amber",
        "until": "2026-12-29",
        "keys_end": "2027-01-18",
        "retention_days": 21,
    } in shown["sealable"]
    calendar = open_desk.folder / "ends.ics"
    open_desk.run("bundle", "show", "--city", open_desk.city, "--calendar", calendar, on=LATER)
    assert "last day for reads to" in calendar.read_text().replace("\n ", "")


@pytest.mark.parametrize("days", [3, 20])
def test_a_list_to_which_nothing_could_be_sealed_today_is_refused(open_desk, days):
    """It was signed in silence."""
    place = department(open_desk, days)
    listed_by_policy(open_desk, place)
    before = open_desk.files()
    is_error(sign_keys(open_desk, place), 3, "no-epoch-key", "no read can be sealed", "21 days")
    assert open_desk.files() == before


def test_keys_that_served_and_end_are_told_from_thirty_days_before(open_desk, monkeypatch):
    monkeypatch.setattr(command, "moment", lambda on, **_: datetime.fromisoformat(on))
    place = department(open_desk, 60)
    listed_by_policy(open_desk, place)
    sign_keys(open_desk, place)
    open_desk.publish(on=LATER)
    told = f"keys of {RECIPIENT} for rule stolen-and-amber: "
    soon = open_desk.publish("--renew", on="2026-12-15T06:00:00Z")
    assert soon.code == 0
    assert f"{told}ends 2026-12-30" in soon.out
    assert "platewarden receiver keys" in soon.out
    ended = open_desk.publish("--renew", on="2026-12-30T06:00:00Z")
    assert ended.code == 3
    assert f"{told}CANNOT SERVE" in ended.err
    assert "Published at" in ended.out, "it renews all the same"


def test_a_recipient_without_published_keys_is_no_ending(open_desk):
    done = open_desk.publish("--renew", on=NEXT_DAY)
    assert done.code == 0
    assert "keys of" not in done.out + done.err
