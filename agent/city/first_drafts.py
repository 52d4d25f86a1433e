"""A city's first charter, policy and roster: drafted, checked, and written only without a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.judging.check.policy_check import Against, Checked, File, check_policy
from agent.core.judging.policy_draft import draft
from agent.disk.atomic_file import write_atomic
from agent.errors import UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from agent.core.judging.policy_draft import Answers
    from agent.core.policy.jurisdiction import Profile

POLICY = "policy.toml"
NAMES = ("charter.toml", POLICY, "roster.toml")


@dataclass(frozen=True, slots=True)
class DraftFiles:
    """The three texts by file name, and what the check finds in them. Nothing is written yet."""

    folder: Path
    texts: Mapping[str, str]
    checked: Checked

    def keep(self) -> None:
        """Write them.

        Raises ConfigError or PolicyRefusedError where the check found a fault, else StorageError.
        """
        self.checked.require_faultless(str(self.folder / POLICY))
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.texts.items():
            write_atomic(self.folder / name, text.encode(), 0o644)


def draft_files(profile: Profile, answers: Answers, folder: Path, today: date) -> DraftFiles:
    """Draft the three, and check them as `policy check` does."""
    written = draft(profile, answers)
    texts = dict(zip(NAMES, (written.charter, written.policy, written.roster), strict=True))
    charter, policy, roster = (
        File(text.encode(), str(folder / name)) for name, text in texts.items()
    )
    checked = check_policy(policy, Against(charter, roster, profile, today))
    return DraftFiles(folder, texts, checked)


def require_free(folder: Path) -> None:
    """Refuse a folder that holds one of the three. Raises UsageError."""
    if not folder.is_dir() and folder.exists():
        raise UsageError("not a folder", where=folder, fix="name a folder with --out")
    for name in NAMES:
        if (folder / name).exists():
            raise UsageError(
                "is there already, and is not overwritten",
                where=folder / name,
                fix="name another folder with --out",
            )
