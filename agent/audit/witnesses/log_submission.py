"""Asks a policy's witnesses to cosign a log's newest checkpoint; keeps it when enough have.

One bad witness costs one.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agent.audit.checkpoint_files import opened
from agent.audit.proofs.proof_maker import ProofMaker
from agent.audit.witnesses.witness_client import Answer, Asked
from agent.core.log.checkpoint import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Checkpoint,
    NoteSignature,
    note,
    parse_note,
)
from agent.core.log.tlog_proof import ConsistencyProof
from agent.core.log.witness_policy import Witness, WitnessPolicy
from agent.core.reasons import Reason
from agent.disk.atomic_file import read_bounded, write_atomic
from agent.errors import LogRefusedError, NetworkError, PlatewardenError, UsageError
from agent.storage.log_key import TrustedLogKeys
from agent.storage.log_notes import cosignatures
from agent.storage.log_reader import database_of
from agent.storage.log_schema import COSIGNED_FILE
from agent.values import dataclass, replace

Newest = tuple[bytes, Checkpoint]  # the checkpoint's bytes, and what it says
Ask = Callable[[Witness, ConsistencyProof, int], Asked]
_TRIES = 2  # a witness that tells another size is asked once more, with a proof since then


@dataclass(frozen=True, slots=True)
class Submitted:
    """`asked`: each witness with its answer. `file`: the cosigned checkpoint, where enough said
    yes. `error`: why there is none.
    """

    path: Path
    signed: Checkpoint | None = None
    asked: tuple[tuple[Witness, Asked], ...] = ()
    file: Path | None = None
    error: PlatewardenError | None = None


def submit(
    path: Path, keys: TrustedLogKeys, policy: WitnessPolicy, ask: Ask, out: Path | None = None
) -> Submitted:
    """`out`: where the cosigned checkpoint goes; None: `cosigned` beside the log.

    An earlier one stays until enough have cosigned the newer one.
    """
    try:
        file = out or database_of(path).with_name(COSIGNED_FILE)
        maker = ProofMaker(path, keys)
        newest = maker.newest()
        before = _before(file, newest, policy)
        asked = [(one, _ask(one, maker, newest, before, ask)) for one in policy.witnesses]
    except PlatewardenError as error:
        return Submitted(path, error=error)
    done = Submitted(path, newest[1], tuple(asked))
    lines = {one.name: said.lines for one, said in asked if said.answer is Answer.COSIGNED}
    lines = {**before.lines, **lines}
    if not policy.met(lines):
        return replace(done, error=_too_few(path, policy, asked))
    taken = parse_note(newest[0])
    more = [line for each in lines.values() for line in each]
    try:
        write_atomic(file, note(taken.signed, [*taken.signatures, *more][:MAX_SIGNATURES]), 0o644)
    except PlatewardenError as error:
        return replace(done, error=error)
    return replace(done, file=file)


@dataclass(frozen=True, slots=True)
class _Before:
    """What the cosigned file says of each witness. `sizes`: what it has seen; `lines`: its good
    cosignatures, where the file is of the very tree that is asked about now.
    """

    sizes: Mapping[str, int]
    lines: Mapping[str, tuple[NoteSignature, ...]]


def _before(file: Path, newest: Newest, policy: WitnessPolicy) -> _Before:
    """Raises UsageError for a file of another log, LogRefusedError when the log shows less than
    what was cosigned. What cannot be read tells nothing: the witnesses say what they have seen.
    """
    found = opened(read_bounded(file, MAX_NOTE_BYTES)) if os.path.lexists(file) else None
    if found is None:
        return _Before({}, {})
    taken, said = found
    signed = newest[1]
    if said.origin != signed.origin:
        raise UsageError(
            f"is of another log, {said.origin}, not of {signed.origin}",
            where=file,
            fix="give another --out",
        )
    names = {one.key.id: one.name for one in policy.witnesses}
    lines: dict[str, tuple[NoteSignature, ...]] = {}
    for one in cosignatures(taken.signatures, taken, [each.key for each in policy.witnesses]):
        if one.at_s is not None:
            name = names[one.key.id]
            lines[name] = (*lines.get(name, ()), one.line)
    if lines and said.size > signed.size:
        raise LogRefusedError(
            Reason.LOG_TRUNCATED,
            f"shows {signed.size} leaves, and {', '.join(lines)} cosigned {said.size}: an older "
            "copy lies here, or the end was cut off",
            where=file,
            fix="give the log as it is now",
        )
    same = taken.signed == parse_note(newest[0]).signed
    return _Before(dict.fromkeys(lines, said.size), lines if same else {})


def _ask(witness: Witness, maker: ProofMaker, newest: Newest, before: _Before, ask: Ask) -> Asked:
    if not witness.url:
        return Asked(Answer.UNREACHABLE, "has no address in the policy")
    old_size = before.sizes.get(witness.name, 0)
    for _ in range(_TRIES):
        said = ask(witness, maker.growth(old_size, *newest), newest[1].size)
        if said.answer is not Answer.BEHIND or said.seen is None:
            return said
        old_size = said.seen
    return Asked(Answer.BAD_ANSWER, "tells another size each time", seen=said.seen)


def _too_few(
    path: Path, policy: WitnessPolicy, asked: Sequence[tuple[Witness, Asked]]
) -> PlatewardenError:
    """A witness that saw another history weighs more than one that is down."""
    told = "; ".join(
        f"{one.name} {said.told}" for one, said in asked if said.answer is not Answer.COSIGNED
    )
    what = f"is not cosigned by {policy}: {told}"
    if any(said.answer.contradicts for _, said in asked):
        return LogRefusedError(
            Reason.ROOT_MISMATCH,
            what,
            where=path,
            fix="is this the log as it is now? if it is, ask the witness for its checkpoint",
        )
    return NetworkError(what, where=path, fix="it may be tried again at any time")
