"""One pass over a log that is as it was signed: every leaf hashed anew, the tree computed anew,
every stored checkpoint held against it. Memory does not grow with the log.

What is proven: the newest checkpoint's signature vouches for its root, and its root for every leaf
and every earlier root. So an earlier checkpoint is compared with the tree, text and peaks, and its
own signature is checked only when asked (docs/design/proofs.md). Whatever differs ends the pass:
log_check names it.
"""

import re
from binascii import a2b_base64, b2a_base64
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256

from agent.audit.checkpoint_files import LogKey
from agent.core.log.checkpoint import KEY_ID_BYTES, Checkpoint
from agent.core.log.leaf import MAX_DETAILS_BYTES
from agent.core.log.merkle import EMPTY_ROOT, HASH_BYTES
from agent.storage.log_notes import verified_checkpoint
from agent.storage.log_reader import opening, said_kind, said_time
from agent.values import dataclass, field

TELL_EVERY = 10_000  # leaves
WITHHELD = "withheld"
_CLOCK_TIME = re.compile(r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z", re.ASCII)
_DAY_CHARACTERS = 10
_NOTHING_LEFT = (None, None, None)

LeafColumns = tuple[object, object, object, object]  # n, hash, salt, details
Each = Callable[[int, str, str, Mapping[str, object]], None]  # number, time or "", kind, details
CheckpointColumns = tuple[object, object, object]  # size, note, peaks


@dataclass(slots=True)
class Passed:
    """What the pass saw. `withheld`: first and last leaf of each run whose details are gone.

    `roots`: of the sizes that were asked for; `times`: when the last leaf under each was logged.
    `lacking`: leaves without a checkpoint of their own; `head`: the newest, signature verified.
    """

    head: Checkpoint | None = None
    leaves: int = 0
    lacking: int = 0
    first_at: str = ""
    last_at: str = ""
    kinds: Counter[str] = field(default_factory=Counter)
    withheld: list[tuple[int, int]] = field(default_factory=list)
    roots: dict[int, bytes] = field(default_factory=lambda: {0: EMPTY_ROOT})
    times: dict[int, str] = field(default_factory=dict)


def one_pass(
    leaves: Iterator[LeafColumns],
    checkpoints: Iterator[CheckpointColumns],
    signer: LogKey,
    wanted: frozenset[int],
    *,
    every_signature: bool = False,
    tell: Callable[[int], None] = lambda _: None,
    each: Each | None = None,
) -> Passed | None:
    """The rows in the order of their numbers; None when anything is not as it was signed.

    `wanted`: sizes whose roots are needed; `tell`: is called with the leaves done so far; `each`:
    is given each leaf, which counts for nothing where this ends with None.
    """
    walk, note = _Walk(signer), None
    waiting = next(checkpoints, _NOTHING_LEFT)
    for columns in leaves:
        if not walk.take(*columns):
            return None
        if waiting[0] == walk.seen.leaves:
            note = walk.fitting(waiting[1], waiting[2])
            if note is None or (every_signature and _signed(note, signer) is None):
                return None
            waiting = next(checkpoints, _NOTHING_LEFT)
        else:
            walk.seen.lacking, note = walk.seen.lacking + 1, None
        if each is not None:
            each(walk.seen.leaves - 1, *walk.said)
        if walk.seen.leaves in wanted:
            walk.remember()
        if walk.seen.leaves % TELL_EVERY == 0:
            tell(walk.seen.leaves)
    if waiting != _NOTHING_LEFT or note is None:
        return None  # a checkpoint beyond the leaves, or leaves beyond the checkpoints
    walk.seen.head = _signed(note, signer)
    return walk.seen if walk.seen.head is not None else None


class _Walk:
    """The tree so far, as peaks, and what its leaves said."""

    def __init__(self, signer: LogKey) -> None:
        self.seen = Passed()
        self._origin = signer.origin.encode()
        self._line = b"\n\xe2\x80\x94 " + self._origin + b" "
        self._key_id = signer.id
        self._peaks: list[bytes] = []
        self._at, self._day = "", ""
        self.said: tuple[str, str, Mapping[str, object]] = ("", WITHHELD, {})
        self._known_kinds: dict[object, str] = {}

    def take(self, n: object, stored: object, salt: object, details: object) -> bool:
        """One more leaf; False when it is not what its number, hash and details say."""
        if n != self.seen.leaves or type(stored) is not bytes or len(stored) != HASH_BYTES:
            return False
        if salt is None and details is None:
            self._withheld()
        elif type(salt) is not bytes or type(details) is not bytes:
            return False
        else:
            leaf = sha256(b"\x00" + sha256(salt + details).digest()).digest()
            if leaf != stored or len(details) > MAX_DETAILS_BYTES or not self._said(details):
                return False
        peaks, merges = self._peaks, self.seen.leaves
        while merges & 1:
            stored = sha256(b"\x01" + peaks.pop() + stored).digest()
            merges >>= 1
        peaks.append(stored)
        self.seen.leaves += 1
        return True

    def fitting(self, note: object, peaks: object) -> bytes | None:
        """The note of a stored checkpoint, if it signs this very tree under this key's name. Its
        signature is not looked at.
        """
        if type(note) is not bytes or peaks != b"".join(self._peaks):
            return None
        body = b"%s\n%d\n%s" % (self._origin, self.seen.leaves, b2a_base64(self._root()))
        if not note.startswith(body + self._line) or not note.endswith(b"\n"):
            return None
        try:
            signature = a2b_base64(note[len(body) + len(self._line) : -1], strict_mode=True)
        except ValueError:
            return None  # more lines, or none: log_check looks closer
        return note if signature[:KEY_ID_BYTES] == self._key_id else None

    def remember(self) -> None:
        """Keep the root of the tree so far."""
        self.seen.roots[self.seen.leaves] = self._root()
        self.seen.times[self.seen.leaves] = self._at

    def _root(self) -> bytes:
        root = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            root = sha256(b"\x01" + peak + root).digest()
        return root

    def _withheld(self) -> None:
        place, runs = self.seen.leaves, self.seen.withheld
        if runs and runs[-1][1] == place - 1:
            runs[-1] = (runs[-1][0], place)
        else:
            runs.append((place, place))
        self.seen.kinds[WITHHELD] += 1
        self._at = ""
        self.said = "", WITHHELD, {}

    def _said(self, details: bytes) -> bool:
        """Count what a leaf says; False when it says another number."""
        said = opening(details)
        claim, kind, at = said.get("n"), said.get("kind"), said.get("at")
        if isinstance(claim, int) and claim >= 0 and claim != self.seen.leaves:
            return False
        name = self._known_kinds.get(kind) if isinstance(kind, str) else ""
        if name is None:
            name = self._known_kinds[kind] = said_kind(kind)
        name = name or "unreadable"
        self.seen.kinds[name] += 1
        self._at = self._checked_time(at)
        self.said = self._at, name, said
        if self._at:
            seen = self.seen
            seen.first_at = min(seen.first_at or self._at, self._at)
            seen.last_at = max(seen.last_at, self._at)
        return True

    def _checked_time(self, at: object) -> str:
        """As `said_time`, but a day is parsed once."""
        if type(at) is not str:
            return ""
        if at[:_DAY_CHARACTERS] == self._day and _CLOCK_TIME.fullmatch(at, _DAY_CHARACTERS):
            return at
        checked = said_time(at)
        if checked:
            self._day = checked[:_DAY_CHARACTERS]
        return checked


def _signed(note: bytes, signer: LogKey) -> Checkpoint | None:
    return verified_checkpoint(note, signer.origin, signer.key)
