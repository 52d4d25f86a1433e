"""Which epoch key a read is sealed to: retention that a recipient's destroyed key enforces (P6).
Days are UTC days.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.errors import RefusedError
from agent.values import dataclass

MIN_RETENTION_DAYS = 2


@dataclass(frozen=True, slots=True)
class EpochKeys:
    """A recipient's verified key list. `keys`: raw X25519 public keys, 32 bytes, by epoch, in order
    of epochs. `versions`: those of the sealed read that it takes, newest first.
    """

    recipient: str
    issued_at: datetime
    keys: Mapping[date, bytes]
    versions: tuple[int, ...] = (1,)


def deadline_of(epoch: date) -> datetime:
    """The instant at which an epoch's key is destroyed: the end of that UTC day."""
    return datetime.combine(epoch + timedelta(days=1), time(), UTC)


def epoch_for(captured_at: datetime, retention_days: int) -> date:
    """The last epoch whose deadline is no later than capture + retention; at least the day of
    capture for one day and more.
    """
    if retention_days < MIN_RETENTION_DAYS:
        raise ValueError(
            f"retention must be at least {MIN_RETENTION_DAYS} days: shorter ones leave no time "
            "to deliver"
        )
    return (captured_at.astimezone(UTC) + timedelta(days=retention_days)).date() - timedelta(days=1)


def key_for(keys: EpochKeys, captured_at: datetime, retention_days: int) -> tuple[date, bytes]:
    """The epoch and its key for one read. Raises RefusedError(no-epoch-key): a later key would
    outlive the retention, so there is no substitute.
    """
    epoch = epoch_for(captured_at, retention_days)
    if epoch not in keys.keys:
        last = max(keys.keys).isoformat() if keys.keys else "none"
        raise RefusedError(
            Reason.NO_EPOCH_KEY,
            f"no key for epoch {epoch.isoformat()} in the list issued {rfc3339(keys.issued_at)} "
            f"(last epoch {last})",
            where=f"keys/{keys.recipient}.jws",
            fix="fetch the recipient's newest key list; the recipient renews it with "
            "`platewarden receiver keys`",
        )
    return epoch, keys.keys[epoch]


def sealable_until(keys: EpochKeys, retention_days: int, today: date) -> date | None:
    """The last day of capture whose reads can be sealed to these keys, counted from `today` on
    without a gap; None: not even today's.

    That is sooner than the last key: a read of that day needs a key that lives on for the
    retention.
    """
    first = today + timedelta(days=retention_days - 1)
    day = first
    while day in keys.keys:
        day += timedelta(days=1)
    return None if day == first else day - timedelta(days=retention_days)
