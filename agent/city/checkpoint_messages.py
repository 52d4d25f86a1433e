"""Judges what cameras sent of their logs over the broker: of each log the largest checkpoint that
fits is taken in, and one that was put back, or signed beside another, is told.

A broker may keep a message, send it twice or late. So an old one is no attack: only a smaller log
that was published later is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent import boundary
from agent.audit.witnesses.grown_log import Look, look_at
from agent.core.log.collected import MAX_MESSAGE_BYTES, published_at
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.errors import LogRefusedError, PlatewardenError, RefusedError, UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from agent.audit.witnesses.grown_log import Memory
    from agent.core.log.checkpoint import Checkpoint
    from agent.storage.log_key import TrustedLogKeys

_FIX = "is this camera's certificate, and its software, the one that the city gave it?"


@dataclass(frozen=True, slots=True)
class Message:
    """One that a log's key did sign. `camera`: the name in the certificate that sent it."""

    camera: str
    data: bytes
    where: Path
    signed: Checkpoint
    note: bytes
    published: datetime


@dataclass(frozen=True, slots=True)
class Sorted:
    """`logs`: messages by log, as they came; `bad`: an error for each that is none."""

    logs: Mapping[str, tuple[Message, ...]]
    bad: tuple[PlatewardenError, ...]


def sort_messages(
    came: Mapping[str, Iterable[bytes]], keys: TrustedLogKeys, memory: Memory
) -> Sorted:
    """`came`: by the name in the certificate. A bad message costs that message."""
    logs: dict[str, list[Message]] = {}
    bad: dict[tuple[str, str], PlatewardenError] = {}
    for camera, messages in came.items():
        for untrusted in messages:
            try:
                message = _message(camera, untrusted, keys, memory)
            except PlatewardenError as error:
                bad[camera, error.what] = error  # the same, many times, is one line
            else:
                logs.setdefault(message.signed.origin, []).append(message)
    return Sorted({origin: tuple(found) for origin, found in logs.items()}, tuple(bad.values()))


def news_of(
    messages: tuple[Message, ...], last: Checkpoint | None, told: datetime | None
) -> tuple[Message, ...]:
    """Those that say something new: of a larger log, or published after what was taken in last."""
    return tuple(
        one
        for one in messages
        if last is None or one.signed.size > last.size or told is None or one.published > told
    )


def largest_that_fits(
    messages: tuple[Message, ...], keys: TrustedLogKeys, memory: Memory
) -> tuple[Message, Look] | None:
    """The one to take in; None where the log has not grown, or proves it since another size."""
    for one in sorted(messages, key=lambda message: message.signed.size, reverse=True):
        seen = look_at(one.data, one.where, keys, memory)
        grown = seen.last is None or one.signed.size > seen.last.checkpoint.size
        if seen.error is None and grown:
            return one, seen
    return None


def misfit(messages: tuple[Message, ...], keys: TrustedLogKeys, memory: Memory) -> Look | None:
    """What is wrong with the log, by the newest message, or by two of one size; None: nothing that
    another proof would not mend. Call it once the largest that fits was taken in.

    The newest is the one that came last and says that it was published last: a clock that was put
    back, or a broker that changes the order, accuses nobody.
    """
    for one in messages:
        for other in messages:
            same_size = one.signed.size == other.signed.size
            if same_size and one.signed.root != other.signed.root:
                return _two_histories(one, other, memory)
    newest = messages[-1]
    if any(one.published > newest.published for one in messages):
        return None
    seen = look_at(newest.data, newest.where, keys, memory)
    return seen if isinstance(seen.error, RefusedError) else None


def _message(camera: str, untrusted: bytes, keys: TrustedLogKeys, memory: Memory) -> Message:
    """Raises PlatewardenError."""
    where = Path(f"message of {camera}")
    with boundary.document("camera's checkpoint", where, UsageError):
        if len(untrusted) > MAX_MESSAGE_BYTES:
            what = f"has {len(untrusted)} bytes; a checkpoint has {MAX_MESSAGE_BYTES} at most"
            raise UsageError(what, where=where, fix=_FIX)
        seen = look_at(untrusted, where, keys, memory)
        if seen.signed is None:
            raise seen.error or UsageError("is no checkpoint", where=where, fix=_FIX)
        try:
            published = published_at(seen.signed.extensions)
        except ValueError as error:
            raise UsageError(str(error), where=where, fix=_FIX) from None
    return Message(camera, untrusted, where, seen.signed, seen.note, published)


def _two_histories(one: Message, other: Message, memory: Memory) -> Look:
    files = [memory.keep_evidence(message.signed.origin, message.note) for message in (one, other)]
    what = (
        f"the log's key signed two histories of {one.signed.size} leaves: root "
        f"{one.signed.root.hex()} on {rfc3339(one.published)} ({files[0].name}), and "
        f"{other.signed.root.hex()} on {rfc3339(other.published)} ({files[1].name})"
    )
    fix = "keep both checkpoints: together they show it to anybody; tell the auditor"
    error = LogRefusedError(Reason.ROOT_MISMATCH, what, where=one.where, fix=fix)
    last = memory.last(one.signed.origin)
    return Look(one.where, one.signed, one.note, last, error)
