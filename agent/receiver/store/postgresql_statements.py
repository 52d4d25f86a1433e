"""The statements of the PostgreSQL store that take reads in, whole batches at a time.

Each is a transaction of its own, sent and answered in one round trip: the server has all of it
before it locks anything, so no receiver that hangs can hold a lock. Locks are taken in one order,
reads, numbers, cameras, and sorted: two receivers wait for each other, and never in a circle.

`DO UPDATE` where nothing changes, of `sequences`: it waits for another receiver's number and tells
its digest, which a statement that began earlier could not see.
"""

from typing import LiteralString

_CAME: LiteralString = """WITH
came AS (SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[]) WITH ORDINALITY
    AS t (device, sequence, sha256, place))"""
_CAME_WHOLE: LiteralString = """WITH
came AS (SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[],
    %s::timestamptz[], %s::timestamptz[], %b::bytea[]) WITH ORDINALITY
    AS t (device, sequence, sha256, read_id, deadline, received_at, wire, place))"""
# The cameras' runs are the lock for all that follows.
_RUN: LiteralString = """
run AS (INSERT INTO runs SELECT device, range_agg(int8range(sequence, sequence + 1))
    FROM came GROUP BY device ORDER BY device
    ON CONFLICT (device) DO UPDATE SET numbers = runs.numbers + excluded.numbers
    RETURNING device),
locked AS (SELECT count(*) AS cameras FROM run)"""
_NUMBERED: LiteralString = """
numbered AS (INSERT INTO sequences AS there
    SELECT DISTINCT ON (device, sequence) device, sequence, sha256 FROM came, locked
    ORDER BY device, sequence
    ON CONFLICT (device, sequence) DO UPDATE SET sha256 = there.sha256
    RETURNING device, sequence, sha256)"""
_DOUBLED: LiteralString = """
doubled AS (INSERT INTO twice SELECT device, sequence, came.sha256 FROM came
    JOIN numbered USING (device, sequence) WHERE numbered.sha256 <> came.sha256
    ON CONFLICT DO NOTHING)"""
_NEW: LiteralString = """
new AS (INSERT INTO reads (device, read_id, sequence, deadline, sha256, received_at, wire)
    SELECT device, read_id, sequence, deadline, sha256, received_at, wire FROM came, locked
    ORDER BY place ON CONFLICT DO NOTHING RETURNING device, read_id)"""
_TELL: LiteralString = """
tell AS (INSERT INTO to_tell SELECT device, read_id FROM new ON CONFLICT DO NOTHING)
SELECT device, read_id FROM new"""
_ARRIVED: tuple[LiteralString, ...] = (_RUN, _NUMBERED, _DOUBLED)
ADD: LiteralString = ",".join((_CAME_WHOLE, *_ARRIVED, _NEW, _TELL))
"""Arrays of device, sequence, digest, read id, deadline, time, bytes. Answers what is new."""

COUNT: LiteralString = ",".join((_CAME, *_ARRIVED[:-1], _DOUBLED + " SELECT 1"))
"""Arrays of device, sequence, digest: numbers of what is not stored."""

TOLD: LiteralString = """
WITH told AS (DELETE FROM to_tell WHERE (device, read_id) IN
    (SELECT * FROM unnest(%s::text[], %s::text[])) RETURNING device, read_id),
ring AS (INSERT INTO to_ring SELECT ringer, device, read_id FROM told,
    unnest(%s::text[]) AS ringer ON CONFLICT DO NOTHING)
SELECT set_config('synchronous_commit', 'off', true)
"""
"""Arrays of device, read id, and names of ringers. This one commit waits for no disk."""
