"""Which epoch a read is sealed to: never one that outlives the retention, never a substitute."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.wire.epochs import EpochKeys, deadline_of, epoch_for, key_for, sealable_until
from agent.errors import RefusedError

# Without a zone, and made UTC at once.
moments = st.datetimes(datetime(2026, 1, 1), datetime(2080, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)


@settings(max_examples=25)
@given(moments, st.integers(2, 390))
def test_the_last_epoch_that_dies_in_time(captured, days):
    deadline = deadline_of(epoch_for(captured, days))
    assert deadline <= captured + timedelta(days=days) < deadline + timedelta(days=1)
    assert deadline > captured + timedelta(days=1)  # there is always a day left to deliver


def test_the_example_of_the_specification():
    assert epoch_for(datetime(2027, 1, 15, 12, tzinfo=UTC), 21) == date(2027, 2, 4)


def test_exactly_at_midnight():
    assert epoch_for(datetime(2027, 1, 15, tzinfo=UTC), 2) == date(2027, 1, 16)
    assert deadline_of(date(2027, 1, 16)) == datetime(2027, 1, 17, tzinfo=UTC)


@pytest.mark.parametrize("days", [1, 0, -1])
def test_retention_under_two_days_has_no_epoch(days):
    with pytest.raises(ValueError, match="at least 2"):
        epoch_for(datetime(2027, 1, 15, tzinfo=UTC), days)


class TestKeyFor:
    CAPTURED = datetime(2027, 1, 15, 12, tzinfo=UTC)

    def test_the_key_of_that_day(self):
        keys = EpochKeys(
            "pd",
            self.CAPTURED,
            {date(2027, 2, 3): b"a" * 32, date(2027, 2, 4): b"b" * 32, date(2027, 2, 5): b"c" * 32},
        )
        assert key_for(keys, self.CAPTURED, 21) == (date(2027, 2, 4), b"b" * 32)

    @pytest.mark.parametrize(
        "present",
        [[], [date(2027, 2, 3)], [date(2027, 2, 5)], [date(2027, 2, 3), date(2027, 2, 5)]],
    )
    def test_no_other_day_will_do(self, present):
        with pytest.raises(RefusedError) as refused:
            key_for(
                EpochKeys("pd", self.CAPTURED, dict.fromkeys(present, b"a" * 32)), self.CAPTURED, 21
            )
        assert refused.value.reason == "no-epoch-key"
        assert "keys/pd.jws" in str(refused.value)
        assert refused.value.what == (
            "no key for epoch 2027-02-04 in the list issued 2027-01-15T12:00:00.000Z "
            f"(last epoch {max(present).isoformat() if present else 'none'})"
        )


@settings(max_examples=50)
@given(
    st.dates(date(2026, 1, 1), date(2030, 1, 1)),
    st.integers(2, 60),
    st.lists(st.booleans(), min_size=1, max_size=90),
    st.integers(0, 23),
)
def test_how_far_keys_reach_is_what_sealing_finds(today, retention, present, hour):
    """Held against key_for, day by day."""
    keys = EpochKeys(
        "pd",
        datetime(2026, 1, 1, tzinfo=UTC),
        {today + timedelta(days=n): bytes(32) for n, there in enumerate(present) if there},
    )

    def serves(day):
        captured = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        try:
            key_for(keys, captured, retention)
        except RefusedError:
            return False
        return True

    until = sealable_until(keys, retention, today)
    if until is None:
        assert not serves(today)
    else:
        days = (until - today).days
        assert all(serves(today + timedelta(days=n)) for n in range(days + 1))
        assert not serves(until + timedelta(days=1))


@pytest.mark.parametrize("present", [[], [0, 1, 2], [21, 22]])
def test_keys_that_begin_too_late_or_end_too_early_serve_no_day(present):
    """A read of today that lives for 21 days needs the key of the day 20 days on."""
    today = date(2027, 1, 15)
    there = {today + timedelta(days=n): bytes(32) for n in present}
    keys = EpochKeys("pd", datetime(2026, 1, 1, tzinfo=UTC), there)
    assert sealable_until(keys, 21, today) is None
    last = today + timedelta(days=20)
    assert sealable_until(replace(keys, keys={**there, last: bytes(32)}), 21, today) == (
        today + timedelta(days=2 if 21 in present else 0)
    )
