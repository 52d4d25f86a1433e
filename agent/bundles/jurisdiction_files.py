"""Reads the jurisdictions' profiles that come with Platewarden, or one that a city wrote itself."""

from pathlib import Path

import agent
from agent import boundary
from agent.core.policy.jurisdiction import Profile, parse_profile
from agent.core.text.toml_document import MAX_TEXT_BYTES
from agent.disk.input_file import read_input
from agent.errors import ConfigError, UsageError

HERE = Path(agent.__file__).parent
# Where the profiles lie as installed, and in the repository.
FOLDERS = (HERE / "jurisdictions", HERE.parent / "config" / "jurisdictions")


def available() -> tuple[str, ...]:
    """The names of the shipped profiles, such as us-ca."""
    return tuple(sorted(path.stem for folder in FOLDERS for path in folder.glob("*.toml")))


def shipped(name: str) -> Profile | None:
    """A shipped profile by its name or by a policy's `jurisdiction`, in any case of letters; None
    where there is none.
    """
    wanted = name.lower()
    path = next(
        (
            folder / f"{wanted}.toml"
            for folder in FOLDERS
            if wanted in available() and (folder / f"{wanted}.toml").is_file()
        ),
        None,
    )
    return read(path) if path else None


def named(name_or_path: str) -> Profile:
    """The profile that a person asked for. Raises UsageError, ConfigError."""
    if name_or_path.endswith(".toml"):
        return read(Path(name_or_path))
    profile = shipped(name_or_path)
    if profile is None:
        raise UsageError(
            f"no profile {name_or_path[:32]!a}",
            fix=f"one of: {', '.join(available())}; or a file that ends in .toml",
        )
    return profile


@boundary.document("jurisdiction profile", error=ConfigError)
def read(path: Path) -> Profile:
    """A profile's file. Raises ConfigError."""
    return parse_profile(
        read_input(path, MAX_TEXT_BYTES, missing="name a profile, or leave it out"), path.name
    )
