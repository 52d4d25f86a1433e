"""Drafts a release of software for the city's signers: the release key's statement, checked, whom
it is for, and the packages beside the repository.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.layout import SOFTWARE, SOFTWARE_PATH, most_bytes, package_path
from agent.bundles.repository.packages import digest_of, keep_packages, put_package
from agent.bundles.repository.published import REPOSITORY_FOLDER, CityRepository, trust_in
from agent.bundles.repository.signing_keys import holder_of
from agent.city import drafts
from agent.city.software_shown import require_taken, rules_in, software_shown
from agent.core.software.signed_release import (
    MAX_PACKAGE_BYTES,
    MAX_STATEMENT_BYTES,
    Release,
    format_release,
    parse_release,
)
from agent.core.text.plain_words import quoted_names
from agent.disk.atomic_file import write_atomic
from agent.disk.input_file import read_input
from agent.errors import ConfigError, EnvelopeRefusedError, UsageError
from agent.values import dataclass
from agent.verifying.software_check import verify_statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from agent.core.policy.schema.software_rules import SoftwareRules
    from agent.core.software.signed_release import Statement


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line. `statement`: the file with the JWS; None: that of the draft or of what is
    published, for other cameras.
    """

    statement: Path | None
    packages: Sequence[Path]
    share: int
    cameras: frozenset[str]
    back: bool


@dataclass(frozen=True, slots=True)
class Drafted:
    """`absent`: kinds of machine whose package is not beside the repository; `signers`: who may
    sign it now, `threshold` of them.
    """

    statement: Statement
    shown: tuple[str, ...]
    absent: tuple[str, ...]
    signers: tuple[str, ...]
    threshold: int

    def lines(self) -> Iterator[str]:
        """For people."""
        yield from self.shown
        for kind in self.absent:
            yield f"No package for {kind} is here: such cameras keep what they run."
        if self.signers:
            yield (
                f"Now {self.threshold} of {quoted_names(self.signers)} type: platewarden bundle "
                "sign --role software; then: platewarden bundle publish."
            )
        else:
            yield (
                "Nobody signs software yet: platewarden bundle rotate --role software --add "
                "FILE.pub (three of them) --threshold 2"
            )

    def table(self) -> dict[str, object]:
        """As plain values."""
        return {
            "version": str(self.statement.version),
            "packages": [one.sha256 for one in self.statement.packages],
            "absent": list(self.absent),
            "signers": list(self.signers),
            "threshold": self.threshold,
        }


def draft_release(folder: Path, asked: Asked) -> Drafted:
    """Write software.json and the packages; only under `only_writer`.

    Raises UsageError, ConfigError, BundleRefusedError, EnvelopeRefusedError, StorageError: what no
    camera would take is not drafted.
    """
    city = CityRepository(folder)
    published, pending = city.published(), city.pending()
    trust = trust_in(published, pending, folder)
    charter = drafts.charter_text(folder)
    rules = rules_in(charter)
    before = [text for text in _earlier(city) if text is not None]
    statement = (
        read_input(asked.statement, MAX_STATEMENT_BYTES, missing="it comes with the packages")
        if asked.statement
        else _statement_of(before)
    )
    found = verify_statement(statement, rules.release_keys)
    require_taken(found, rules)
    repository = folder / REPOSITORY_FOLDER
    _put(repository, found, asked.packages)
    text = statement.decode("ascii").strip()
    release = format_release(Release(text, asked.share, asked.cameras, asked.back))
    write_atomic(folder / drafts.SOFTWARE_JSON, release, 0o644)
    named = {one.sha256 for one in found.packages}
    keep_packages(repository, named | {one for old in before for one in _named(old, rules)})
    absent = tuple(
        f"{one.architecture}, Python {one.python}"
        for one in found.packages
        if not (repository / package_path(one.sha256)).is_file()
    )
    holders = trust.holders(SOFTWARE)
    threshold = (
        trust.targets.signed.get_delegated_role(SOFTWARE).threshold if holders else rules.signers
    )
    signers = tuple(sorted(map(holder_of, holders.values())))
    return Drafted(found, software_shown(release, charter), absent, signers, threshold)


def _put(repository: Path, statement: Statement, files: Sequence[Path]) -> None:
    """Each package where cameras look for it. Raises UsageError, ConfigError, StorageError."""
    for file in files:
        digest, _ = digest_of(file, MAX_PACKAGE_BYTES)
        if digest not in {one.sha256 for one in statement.packages}:
            raise UsageError(
                f"is no package of version {statement.version}: its SHA-256 is {digest[:16]}…",
                where=file,
                fix="give the packages that came with the statement",
            )
        put_package(repository, file, digest, MAX_PACKAGE_BYTES)


def _earlier(city: CityRepository) -> Iterator[bytes | None]:
    """The releases that are drafted and published."""
    draft = city.folder / drafts.SOFTWARE_JSON
    yield (
        read_input(draft, most_bytes(SOFTWARE_PATH), missing="draft it again")
        if draft.is_file()
        else None
    )
    yield drafts.files_of(city, city.published(), SOFTWARE).get(SOFTWARE_PATH)


def _statement_of(before: Sequence[bytes]) -> bytes:
    if not before:
        raise UsageError(
            "there is no release yet whose share could change",
            where="--statement",
            fix="name the statement that came with the packages",
        )
    return parse_release(before[0], drafts.SOFTWARE_JSON).statement.encode()


def _named(untrusted_release: bytes, rules: SoftwareRules) -> Iterator[str]:
    """The packages of an earlier release, which cameras may still be fetching."""
    try:
        statement = parse_release(untrusted_release).statement.encode()
        yield from (one.sha256 for one in verify_statement(statement, rules.release_keys).packages)
    except (EnvelopeRefusedError, ConfigError):
        return


@dataclass(frozen=True, slots=True)
class Released:
    """What is published. `statement`: None where nothing is; `signed_by`: those whose signatures
    count.
    """

    statement: Statement | None
    shown: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    signed_by: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """For people."""
        if self.statement is None:
            yield "No software is released: cameras keep what they run."
            return
        yield from self.shown
        yield f"signed by {quoted_names(self.signed_by)}"
        for sha256 in self.absent:
            yield f"MISSING beside the repository: {package_path(sha256)}"

    def table(self) -> dict[str, object]:
        """As plain values."""
        return {
            "version": str(self.statement.version) if self.statement else None,
            "shown": list(self.shown),
            "absent": list(self.absent),
            "signed_by": list(self.signed_by),
        }


def released(folder: Path) -> Released:
    """What is published. Raises ConfigError, EnvelopeRefusedError, BundleRefusedError."""
    city = CityRepository(folder)
    published = city.published()
    text = drafts.files_of(city, published, SOFTWARE).get(SOFTWARE_PATH)
    metadata = published.role(SOFTWARE) if published else None
    if published is None or text is None or metadata is None:
        return Released(None)
    charter = drafts.published_texts(city, published).charter
    rules = rules_in(charter)
    statement = verify_statement(parse_release(text).statement.encode(), rules.release_keys)
    absent = tuple(
        one.sha256
        for one in statement.packages
        if not (folder / REPOSITORY_FOLDER / package_path(one.sha256)).is_file()
    )
    standings = trust_in(published, {}, folder).standings(SOFTWARE, metadata)
    signers = tuple(name for one in standings for name in one.signed)
    return Released(statement, software_shown(text, charter), absent, signers)
