"""Reads a city's repository and what is pending beside it; tells who signed what, and who still
must.

    city/                  the drafts, as people edit them: charter.toml, policy.toml, roster.toml,
                           roster.jws, root.json, ca/
    city/repository/       what cameras fetch: metadata/ and targets/, TUF with consistent
                           snapshots; always whole
    city/pending/<role>/   the next version of a role with its files, until enough have signed it

For the city's machines. A camera verifies for itself and trusts none of this.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from agent.bundles.layout import (
    HOTLIST,
    MAX_METADATA_BYTES,
    METADATA_FOLDER,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TARGETS_FOLDER,
    TIMESTAMP,
    TOP_LEVEL,
    most_bytes,
)
from agent.bundles.repository.signing_keys import holder_of
from agent.disk.atomic_file import read_bounded
from agent.errors import ConfigError, StorageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tuf.api.metadata import Key

REPOSITORY_FOLDER, PENDING_FOLDER, PENDING_FILE = "repository", "pending", "metadata.json"
ONLINE = (SNAPSHOT, TIMESTAMP)
_RESTORE = "restore the folder from a copy; cameras go on with what they have"


@dataclass(frozen=True, slots=True)
class Standing:
    """Who signed one version of a role.

    `of`: whose keys count; `missing`: signatures that are still needed from them.
    """

    of: str
    threshold: int
    signed: tuple[str, ...]
    unsigned: tuple[str, ...]

    @property
    def missing(self) -> int:
        return max(0, self.threshold - len(self.signed))


@dataclass(frozen=True, slots=True)
class Published:
    """What a camera that knows root version 1 would find, verified.

    `roots`: every version, the first one first.
    """

    roots: tuple[Metadata[Root], ...]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]
    delegated: Mapping[str, Metadata[Targets]]

    @property
    def root(self) -> Metadata[Root]:
        """The newest."""
        return self.roots[-1]

    def role(self, name: str) -> Metadata[Any] | None:
        """The metadata of any role; None for a delegated one that was never published."""
        if name in TOP_LEVEL:
            found: Metadata[Any] = getattr(self, name)
            return found
        return self.delegated.get(name)


@dataclass(frozen=True, slots=True)
class Pending:
    """A role's next version, signed by some.

    `files`: its targets that are new, by path in the repository.
    """

    role: str
    metadata: Metadata[Any]
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class CityRepository:
    """`folder`: the city's folder.

    Everything raises ConfigError or StorageError naming the file and the next step.
    """

    folder: Path

    @property
    def metadata(self) -> Path:
        return self.folder / REPOSITORY_FOLDER / METADATA_FOLDER

    @property
    def targets(self) -> Path:
        return self.folder / REPOSITORY_FOLDER / TARGETS_FOLDER

    def published(self) -> Published | None:
        """What is published, verified but not judged by a clock; None before the first `bundle
        publish`.
        """
        path = self.metadata / "timestamp.json"
        return self.under(path) if path.exists() else None

    def under(self, path: Path) -> Published:
        """What a timestamp was published with: the current one, or a kept one of the archive.

        Hot lists are not kept: of an older timestamp that role is left out.
        """
        timestamp: Metadata[Timestamp] = _read(path, Timestamp)
        roots = self._roots(timestamp)
        snapshot = self._member(SNAPSHOT, timestamp.signed.snapshot_meta, Snapshot, roots[-1])
        named = {file.removesuffix(".json"): meta for file, meta in snapshot.signed.meta.items()}
        targets = self._member(TARGETS, named.pop(TARGETS), Targets, roots[-1])
        delegated = {}
        for name, meta in sorted(named.items()):
            if name == HOTLIST and not self._path(name, meta).exists():
                continue
            # A role whose delegation has ended stays in the snapshot: a camera that misses it sees
            # a rollback.
            signed_for = targets if name in delegations(targets.signed) else None
            delegated[name] = self._member(name, meta, Targets, signed_for)
        return Published(roots, timestamp, snapshot, targets, delegated)

    def _path(self, role: str, meta: MetaFile) -> Path:
        return self.metadata / f"{meta.version}.{role}.json"

    def _member(
        self, role: str, meta: MetaFile, kind: type[Signed], delegator: Metadata[Any] | None
    ) -> Metadata[Any]:
        """A role's metadata as the one above names it: its hash, and signed by enough."""
        path = self._path(role, meta)
        metadata = _read(path, kind, meta)
        if delegator is not None:
            _verify(delegator, role, metadata, path)
        return metadata

    def target(self, metadata: Metadata[Targets], path: str) -> bytes:
        """A published target's bytes, with the length and hash that its role's metadata names."""
        described = metadata.signed.targets[path]
        file = self.targets / described.get_prefixed_paths()[0]
        try:
            data = read_bounded(file, most_bytes(path))
            described.verify_length_and_hashes(data)
        except (StorageError, RepositoryError):
            raise ConfigError(
                "is missing, or not what was signed", where=file, fix=_RESTORE
            ) from None
        return data

    def pending(self) -> dict[str, Pending]:
        """All roles' next versions, root first, then targets, then the others."""
        return {name: self.pending_of(name) for name in self.pending_roles()}

    def pending_roles(self) -> tuple[str, ...]:
        """Their names, in that order."""
        folder = self.folder / PENDING_FOLDER
        names = (
            [
                path.name
                for path in folder.iterdir()
                if (path / PENDING_FILE).is_file() and not path.name.startswith(".")
            ]
            if folder.is_dir()
            else []
        )
        return tuple(sorted(names, key=_order))

    def pending_of(self, name: str) -> Pending:
        """One role's next version."""
        folder = self.folder / PENDING_FOLDER / name
        metadata = _read(folder / PENDING_FILE, Root if name == ROOT else Targets)
        files = {}
        if isinstance(metadata.signed, Targets):
            for path, described in metadata.signed.targets.items():
                if ".." in path.split("/") or path.startswith("/"):
                    continue  # for `require_own` to refuse
                named = (*described.get_prefixed_paths(), path)  # `path`: of an earlier program
                beside = (folder / TARGETS_FOLDER / name for name in named)
                file = next((one for one in beside if one.is_file()), None)
                if file is None:
                    continue  # published before, unchanged
                files[path] = read_bounded(file, most_bytes(path))
                try:
                    described.verify_length_and_hashes(files[path])
                except RepositoryError:
                    raise ConfigError(
                        "is not what was signed",
                        where=file,
                        fix=f"sign again: bundle sign --role {name} --start-again",
                    ) from None
        return Pending(name, metadata, files)

    def _roots(self, timestamp: Metadata[Timestamp]) -> tuple[Metadata[Root], ...]:
        """Every root, verified one by the other.

        A newest one that a publish left behind when it was interrupted does not count: its
        timestamp never came.
        """
        roots: list[Metadata[Root]] = []
        while (path := self.metadata / f"{len(roots) + 1}.root.json").exists():
            root = _read(path, Root)
            _verify(roots[-1] if roots else root, ROOT, root, path)
            _verify(root, ROOT, root, path)
            roots.append(root)
        while roots and not _verified(roots[-1], TIMESTAMP, timestamp):
            roots.pop()
        if not roots:
            raise ConfigError("no root signs for this timestamp", where=self.metadata, fix=_RESTORE)
        return tuple(roots)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count for the next version of each role: keys that are pending count as soon
    as they are proposed, and are published with what they signed.

    `root`, `targets`: the newest, pending or published; `before`: the root that is published.
    """

    root: Metadata[Root]
    targets: Metadata[Targets]
    before: Metadata[Root] | None = None

    def standings(self, name: str, metadata: Metadata[Any]) -> tuple[Standing, ...]:
        """One standing; for a new root two, where the keys change: those before must agree, and
        those after.

        Empty: nobody is to sign this role.
        """
        payload, signatures = metadata.signed_bytes, metadata.signatures
        if name == ROOT:
            own = metadata.signed.get_verification_result(ROOT, payload, signatures)
            if self.before is None or _same_keys(self.before.signed, metadata.signed):
                return (_standing("", own),)
            return (
                _standing(
                    "the present keys",
                    self.before.signed.get_verification_result(ROOT, payload, signatures),
                ),
                _standing("the new keys", own),
            )
        delegator = self.root.signed if name in TOP_LEVEL else self.targets.signed
        try:
            return (_standing("", delegator.get_verification_result(name, payload, signatures)),)
        except ValueError:
            return ()

    def holders(self, name: str) -> dict[str, Key]:
        """The keys that count for a role, by id; of root the present ones and the new ones.

        Empty: there is no such role.
        """
        found = (
            dict(keys_of(self.root.signed, name))
            if name in TOP_LEVEL
            else dict(keys_of(self.targets.signed, name))
        )
        if name == ROOT and self.before is not None:
            found |= keys_of(self.before.signed, ROOT)
        return found

    def counting(self, name: str, metadata: Metadata[Any]) -> frozenset[str]:
        """The ids of the keys whose signature under this version is good, and counts."""
        found = set()
        for keyid, key in self.holders(name).items():
            if keyid in metadata.signatures:
                with suppress(UnverifiedSignatureError, VerificationError):
                    key.verify_signature(metadata.signatures[keyid], metadata.signed_bytes)
                    found.add(keyid)
        return frozenset(found)

    def roles(self) -> Iterator[str]:
        """Root, targets, the delegated ones, snapshot, timestamp."""
        yield from (ROOT, TARGETS)
        yield from delegations(self.targets.signed)
        yield from ONLINE


def trust_in(published: Published | None, pending: Mapping[str, Pending], folder: Path) -> Trust:
    """Whose signatures count now. Raises ConfigError where there is no repository at all."""
    root = published.root if published else None
    targets = published.targets if published else None
    if ROOT in pending:
        root = pending[ROOT].metadata
    if TARGETS in pending:
        targets = pending[TARGETS].metadata
    if root is None or targets is None:
        raise ConfigError(
            "holds no repository",
            where=folder,
            fix="make one with `platewarden bundle init`, or correct --city",
        )
    return Trust(root, targets, published.root if published else None)


def delegations(targets: Targets) -> tuple[str, ...]:
    """The delegated roles' names."""
    return tuple(targets.delegations.roles or ()) if targets.delegations else ()


def keys_of(delegator: Root | Targets, name: str) -> dict[str, Key]:
    """The keys of a role, by id; empty where there is no such role."""
    try:
        return {
            keyid: delegator.get_key(keyid) for keyid in delegator.get_delegated_role(name).keyids
        }
    except ValueError:
        return {}


def _order(name: str) -> tuple[int, str]:
    return {ROOT: 0, TARGETS: 1}.get(name, 2), name


def _same_keys(one: Root, other: Root) -> bool:
    return (
        set(one.roles[ROOT].keyids) == set(other.roles[ROOT].keyids)
        and one.roles[ROOT].threshold <= other.roles[ROOT].threshold
    )


def _standing(of: str, result: Any) -> Standing:
    signed, unsigned = (
        tuple(sorted(map(holder_of, keys.values()))) for keys in (result.signed, result.unsigned)
    )
    return Standing(of, result.threshold, signed, unsigned)


def _read(path: Path, kind: type[Signed], named: MetaFile | None = None) -> Metadata[Any]:
    """One metadata file, unverified but for the hash by which another names it.

    Raises ConfigError, StorageError.
    """
    metadata: Metadata[Any] | None = None
    try:
        data = read_bounded(path, MAX_METADATA_BYTES)
        if named is not None:
            named.verify_length_and_hashes(data)
        metadata = Metadata.from_bytes(data)
    except (DeserializationError, ValueError):
        pass
    except RepositoryError:
        raise ConfigError("is not what was published", where=path, fix=_RESTORE) from None
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise ConfigError("is missing", where=path, fix=_RESTORE) from None
        raise
    if metadata is None or not isinstance(metadata.signed, kind):
        raise ConfigError("is not such metadata, or damaged", where=path, fix=_RESTORE)
    return metadata


def _verified(delegator: Metadata[Any], name: str, metadata: Metadata[Any]) -> bool:
    try:
        delegator.signed.verify_delegate(name, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError):
        return False
    return True


def _verify(delegator: Metadata[Any], name: str, metadata: Metadata[Any], path: Path) -> None:
    if not _verified(delegator, name, metadata):
        raise ConfigError(
            f"role {name} is not signed by enough of those who hold it", where=path, fix=_RESTORE
        )
