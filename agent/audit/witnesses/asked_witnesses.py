"""Which witnesses an auditor asks for, from the command line and files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.core.log.cosignature import parse_witness_key
from agent.core.log.witness_policy import (
    MAX_POLICY_BYTES,
    Witness,
    WitnessPolicy,
    k_of,
    parse_policy,
)
from agent.disk.atomic_file import read_bounded
from agent.errors import UsageError

_FIX = "ask the witness for its vkey: `name+id+key`, of type 0x04 (Ed25519) or 0x06 (ML-DSA-44)"


def policy_of(
    vkeys: Sequence[str], quorum: int | None, file: Path | None = None
) -> WitnessPolicy | None:
    """`vkeys`: lines, or files of lines; `quorum`: how many of them, or None for all. `file`: a
    C2SP tlog-policy instead. None when nobody is asked for. Raises UsageError, StorageError.
    """
    if file is not None:
        if vkeys or quorum is not None:
            raise UsageError(
                "says already which witnesses are enough",
                where=file,
                fix="give --witness-policy, or --witness and --quorum",
            )
        try:
            return parse_policy(read_bounded(file, MAX_POLICY_BYTES))
        except ValueError as error:
            raise UsageError(f"is no witness policy: {error}", where=file, fix=_FIX) from None
    if not vkeys:
        if quorum is not None:
            raise UsageError("--quorum counts witnesses", fix="name them with --witness")
        return None
    try:
        return k_of(quorum, [one for text in vkeys for one in _witnesses(text)])
    except ValueError as error:
        raise UsageError(str(error), fix=_FIX) from None


def _witnesses(text: str) -> Iterator[Witness]:
    lines, where = [text], ""
    if "+" not in text or Path(text).is_file():
        where = text
        untrusted = read_bounded(Path(text), MAX_POLICY_BYTES).decode("ascii", "replace")
        lines = [line for line in untrusted.splitlines() if line.strip()]
    for line in lines:
        try:
            key = parse_witness_key(line)
        except ValueError as error:
            raise UsageError(str(error), where=where or line[:80], fix=_FIX) from None
        yield Witness(key.name, key)
