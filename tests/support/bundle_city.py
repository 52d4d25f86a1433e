"""A city's repository of bundles in memory, made with tuf's own API, honest until a test makes it
lie: any role at any version, signed by anybody.
"""

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from agent.bundles.layout import (
    CHARTER_PATH,
    CITY_PATH,
    HOLDER,
    HOTLIST,
    HOTLIST_PATH,
    ISSUED,
    POLICY,
    POLICY_PATH,
    ROOT,
    SNAPSHOT,
    SOFTWARE,
    TARGETS,
    TIMESTAMP,
    TOP_LEVEL,
    CityIdentity,
    format_city,
    keys_path,
    keys_role,
    rule_of,
)
from agent.core.text.rfc3339 import rfc3339
from tests.support.judging import EXAMPLE

RECIPIENT = "exampleville-pd"
KEYS = keys_role(RECIPIENT)
PEOPLE = {
    ROOT: ("Ana Ortiz", "Ben Cho", "Cleo Park"),
    TARGETS: ("Ana Ortiz", "Ben Cho", "Cleo Park"),
    POLICY: ("Dora Lind", "Eli Roy", "Fay Sun"),
    SOFTWARE: ("Gil May", "Hal Roe", "Ivy Orr"),
}
FIRST = datetime(2026, 11, 22, 6, tzinfo=UTC)
OWN = CityIdentity("exampleville", "City of Exampleville")
COMPACT = JSONSerializer(compact=True)


def person(name: str) -> CryptoSigner:
    """A key that names its holder."""
    signer = CryptoSigner.generate_ed25519()
    public = SSlibKey(
        signer.public_key.keyid,
        signer.public_key.keytype,
        signer.public_key.scheme,
        signer.public_key.keyval,
        {HOLDER: name},
    )
    return CryptoSigner(signer._private_key, public)


@dataclass
class BundleCity:
    """`now`: the city's own clock.

    `files`: by role and target path; given ones replace those of `folder`. `published`: what a
    stick would hold, by path.
    """

    now: datetime = FIRST
    identity: CityIdentity = OWN
    signers: dict[str, list[CryptoSigner]] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    metadata: dict[str, Metadata] = field(default_factory=dict)
    published: dict[str, bytes] = field(default_factory=dict)
    folder: Path = EXAMPLE
    recipients: tuple[str, ...] = (RECIPIENT,)

    def __post_init__(self):
        for role in (*TOP_LEVEL, *self.delegated):
            self.signers[role] = [person(name) for name in PEOPLE.get(role, (f"{role} holder",))]
        text = {
            name: (self.folder / f"{name}.toml").read_bytes()
            for name in ("policy", "charter", "roster")
        }
        own = self.files
        self.files = {
            TARGETS: {CITY_PATH: format_city(self.identity), CHARTER_PATH: text["charter"]},
            POLICY: {
                POLICY_PATH: text["policy"],
                "policy/roster.toml": text["roster"],
                "policy/roster.jws": b"roster",
                "policy/root.json": b"{}",
                "policy/ca/city-hall-ca.pem": b"certificate",
            },
            HOTLIST: {HOTLIST_PATH: b"sealed list"},
            **{keys_role(name): {keys_path(name): b"key list"} for name in self.recipients},
        }
        for role, files in own.items():
            self.files[role] = {**self.files.get(role, {}), **files}
        self.root()
        for role in (TARGETS, *self.delegated):
            self.release(role)
        self.online()

    @property
    def delegated(self) -> tuple[str, ...]:
        """The roles below targets; that of software only where it was given files."""
        software = (SOFTWARE,) if SOFTWARE in self.files else ()
        return POLICY, HOTLIST, *map(keys_role, self.recipients), *software

    def root(self, *, signers=None, change=lambda _root: None) -> None:
        """The next root: by default signed by two of those who hold it now.

        `change` edits it before it is signed.
        """
        if ROOT in self.metadata:
            new = copy.deepcopy(self.metadata[ROOT].signed)
            new.version += 1
            new.expires = self.expires(ROOT)
        else:
            new = Root(version=1, expires=self.expires(ROOT), consistent_snapshot=True)
            for role in TOP_LEVEL:
                for signer in self.signers[role]:
                    new.add_key(signer.public_key, role)
                new.roles[role].threshold = rule_of(role).least_signers
        change(new)
        self.put(ROOT, new, signers or self.signers[ROOT][:2])

    def release(
        self,
        role: str,
        *,
        signers=None,
        expires=None,
        version=None,
        extra=None,
        change=lambda _targets: None,
    ) -> None:
        """The next version of targets or of a delegated role, over the files that it has now.

        `extra`: files that it signs and does not own.
        """
        before = self.metadata.get(role)
        new = Targets(
            version=version or (before.signed.version + 1 if before else 1),
            expires=expires or self.expires(role),
        )
        for path, data in {**self.files[role], **(extra or {})}.items():
            new.targets[path] = TargetFile.from_data(path, data, ["sha256"])
            self.published[f"targets/{new.targets[path].get_prefixed_paths()[0]}"] = data
        if role == TARGETS:
            new.delegations = before.signed.delegations if before else self.delegations()
        change(new)
        self.put(role, new, signers or self.signers[role][: rule_of(role).least_signers])

    def delegations(self) -> Delegations:
        roles, keys = {}, {}
        for name in self.delegated:
            public = [signer.public_key for signer in self.signers[name]]
            keys |= {key.keyid: key for key in public}
            roles[name] = DelegatedRole(
                name,
                [key.keyid for key in public],
                rule_of(name).least_signers,
                terminating=True,
                paths=list(rule_of(name).paths),
            )
        return Delegations(keys, roles)

    def online(
        self, *, signers=None, snapshot_version=None, versions=None, expires=None, issued=None
    ) -> None:
        """A new snapshot and a new timestamp, as the daily job makes them.

        `versions`: roles that snapshot names otherwise; `expires`: by role.
        """
        before = self.metadata.get(SNAPSHOT)
        new = Snapshot(
            version=snapshot_version or (before.signed.version + 1 if before else 1),
            expires=(expires or {}).get(SNAPSHOT) or self.expires(SNAPSHOT),
        )
        new.meta = {
            f"{role}.json": self.meta(role, (versions or {}).get(role))
            for role in self.metadata
            if role not in {ROOT, SNAPSHOT, TIMESTAMP}
        }
        self.put(SNAPSHOT, new, signers or self.signers[SNAPSHOT])
        self.timestamp(signers=signers, expires=(expires or {}).get(TIMESTAMP), issued=issued)

    def timestamp(self, *, signers=None, expires=None, issued=None, version=None) -> None:
        before = self.metadata.get(TIMESTAMP)
        new = Timestamp(
            version=version or (before.signed.version + 1 if before else 1),
            expires=expires or self.expires(TIMESTAMP),
        )
        new.snapshot_meta = self.meta(SNAPSHOT)
        new.unrecognized_fields[ISSUED] = rfc3339(issued or self.now)
        self.put(TIMESTAMP, new, signers or self.signers[TIMESTAMP])

    def meta(self, role: str, version: int | None = None) -> MetaFile:
        version = version or self.metadata[role].signed.version
        return MetaFile.from_data(
            version, self.published[f"metadata/{version}.{role}.json"], ["sha256"]
        )

    def put(self, role: str, signed, signers) -> None:
        """Sign, and publish under its version."""
        metadata = Metadata(signed)
        for signer in signers:
            metadata.sign(signer, append=True)
        self.metadata[role] = metadata
        name = "timestamp.json" if role == TIMESTAMP else f"{signed.version}.{role}.json"
        self.published[f"metadata/{name}"] = metadata.to_bytes(COMPACT)

    def expires(self, role: str) -> datetime:
        return (self.now + rule_of(role).lifetime).replace(microsecond=0)

    def day_passes(self, days: float = 1, roles: tuple[str, ...] = (HOTLIST,)) -> None:
        """Some time later: the roles are signed again, and the daily job has run."""
        self.now += timedelta(days=days)
        for role in roles:
            self.release(role)
        self.online()

    def edit_policy(self, old: bytes, new: bytes, **how) -> None:
        """A new policy, published."""
        text = self.files[POLICY][POLICY_PATH]
        assert old in text
        self.files[POLICY][POLICY_PATH] = text.replace(old, new)
        self.release(POLICY, **how)
        self.online()

    def anchor(self, folder: Path) -> Path:
        """trust/root.json, as enrolment leaves it."""
        path = folder / "trust/root.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.published["metadata/1.root.json"])
        return path

    def write(self, folder: Path) -> Path:
        """The whole repository into a folder, targets first and timestamp last."""
        for name in sorted(
            self.published,
            key=lambda name: (name == "metadata/timestamp.json", name.startswith("metadata")),
        ):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.published[name])
        return folder
