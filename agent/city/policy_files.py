"""What the commands of `policy` read: policy, charter and roster with their lines, what a policy is
checked against, and how long a hot list is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.jurisdiction_files import named, shipped
from agent.core.judging.check.policy_check import Against, File
from agent.core.judging.explain.cited_lines import Source
from agent.core.judging.explain.explained_files import Files
from agent.core.policy.camera_roster import MAX_BYTES as MAX_ROSTER_BYTES
from agent.core.policy.camera_roster import parse_roster
from agent.core.policy.charter import parse_charter
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.text.toml_document import MAX_TEXT_BYTES, open_document
from agent.core.text.visible import visible
from agent.disk.atomic_file import write_atomic
from agent.disk.input_file import read_input
from agent.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from agent.city.drafts import Texts
    from agent.core.judging.explain.provenance import Standing
    from agent.core.policy.jurisdiction import Profile


def load(policy: Path, charter: Path | None = None, roster: Path | None = None) -> Files:
    """A policy with charter and roster; without being told, charter.toml and roster.toml beside it,
    where they are.

    Raises ConfigError.
    """
    text = _read(policy, "name a policy file")
    parsed, lines = parse_policy(text, str(policy)), Source(text, str(policy))
    above = charter or beside(policy, "charter.toml")
    cameras = roster or beside(policy, "roster.toml")
    listed = (
        parse_roster(_read(cameras, "name the roster of cameras", MAX_ROSTER_BYTES), str(cameras))
        if cameras
        else None
    )
    profile = shipped(parsed.jurisdiction)
    if above is None:
        return Files(parsed, lines, roster=listed, profile=profile)
    council = _read(above, "name the council's charter")
    return Files(
        parsed,
        lines,
        parse_charter(council, str(above)),
        Source(council, str(above)),
        listed,
        profile,
    )


def files_of(texts: Texts, standing: Standing) -> Files:
    """What was published, as `explain` reads it. Raises ConfigError."""
    names = ("policy.toml", "charter.toml", "roster.toml")
    policy, charter, roster = texts.policy, texts.charter, texts.cameras
    if policy is None or charter is None or roster is None:
        missing = [
            name
            for name, text in zip(names, (policy, charter, roster), strict=True)
            if text is None
        ]
        raise ConfigError(
            "is not published", where=", ".join(missing), fix="publish it: bundle publish"
        )
    parsed = parse_policy(policy, names[0])
    return Files(
        parsed,
        Source(policy, names[0]),
        parse_charter(charter, names[1]),
        Source(charter, names[1]),
        parse_roster(roster, names[2]),
        shipped(parsed.jurisdiction),
        standing,
    )


def load_both(
    old: Path, new: Path, charter: Path | None, roster: Path | None
) -> tuple[Files, Files]:
    """Two policies to compare.

    A charter or roster that lies beside one of them only is held above both: else its absence would
    look like a change.
    """
    found = {
        name: (beside(old, name), beside(new, name)) for name in ("charter.toml", "roster.toml")
    }
    above, cameras = (
        (given, given) if given else (one or other, other or one)
        for given, (one, other) in zip((charter, roster), found.values(), strict=True)
    )
    return load(old, above[0], cameras[0]), load(new, above[1], cameras[1])


def load_for_check(
    policy: Path, charter: Path | None, roster: Path | None, jurisdiction: str | None, today: date
) -> tuple[File, Against]:
    """A policy as bytes, and what to hold it against: what was named, else what lies beside it and
    the profile that it names.

    Raises ConfigError.
    """
    written = _file(policy, "name a policy file")
    above = charter or beside(policy, "charter.toml")
    cameras = roster or beside(policy, "roster.toml")
    missing = "name it, or leave it out"
    against = Against(
        _file(above, missing) if above else None,
        _file(cameras, missing, MAX_ROSTER_BYTES) if cameras else None,
        _profile(written, jurisdiction),
        today,
    )
    return written, against


def _file(path: Path, missing: str, most: int = MAX_TEXT_BYTES) -> File:
    return File(_read(path, missing, most), str(path))


def _profile(policy: File, given: str | None) -> Profile | None:
    """The profile that was asked for, else the one that the policy names, if there is one."""
    if given:
        return named(given)
    written = jurisdiction_of(policy)
    return shipped(written) if written is not None else None


def jurisdiction_of(policy: File) -> str | None:
    """The one that a policy names, checked or not; None where it names none."""
    written = open_document(policy.untrusted_text, policy.where).table.get("jurisdiction")
    return written if isinstance(written, str) else None


def beside(policy: Path, name: str) -> Path | None:
    """The file of that name in the policy's folder, None where there is none."""
    path = policy.parent / name
    return path if path.is_file() else None


def _read(path: Path, missing: str, most: int = MAX_TEXT_BYTES) -> bytes:
    return read_input(path, most, missing=missing)


def listed_by_category(folder: Path, on: date) -> Mapping[str, int] | None:
    """How many entries of each category can match on that day, imported and added by hand, without
    those withdrawn; None where no list was imported.

    No plate is looked at. Raises ConfigError.
    """
    from agent.bundles.hotlist_file import BINARY, PLAIN, list_folder, read_hotlist

    lists = list_folder(folder)
    if not (lists / BINARY).is_file() and not (lists / PLAIN).is_file():
        return None
    return read_hotlist(folder, on).by_category(on)


def write_page(path: Path, html: str) -> None:
    """One HTML file, readable by all: it is for the public. Raises UsageError, StorageError."""
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(
            "not a file that can be written", where=path, fix="name a file in a folder that exists"
        )
    write_atomic(path, visible(html, keep="\n").encode("utf-8"), 0o644)
