"""The older build beside which ours is measured: a folder that is named, or a git worktree that is
made for this run and taken away after it.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "920b943"  # the build that issue 17 compares with


@contextmanager
def older_build(folder: Path | None, commit: str) -> Iterator[Path]:
    """A checkout of Platewarden. Raises UsageError."""
    if folder is not None:
        if not (folder / "agent" / "pipeline.py").is_file():
            raise UsageError("no checkout of Platewarden", where=folder, fix="give its root folder")
        yield folder.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="platewarden-base-") as made:
        place = Path(made) / "base"
        _git("worktree", "add", "--quiet", "--detach", str(place), commit)
        try:
            yield place
        finally:
            _git("worktree", "remove", "--force", str(place))


def base_options(parser: argparse.ArgumentParser) -> None:
    """`--base DIR` and `--no-base`, for `wanted_base`."""
    parser.add_argument("--base", type=Path, metavar="DIR", help=f"else a worktree of {COMMIT}")
    parser.add_argument("--no-base", action="store_true", help="no older build")


@contextmanager
def wanted_base(options: argparse.Namespace) -> Iterator[Path | None]:
    """The older build that was asked for, or None. Raises UsageError."""
    if options.no_base:
        yield None
    else:
        with older_build(options.base, COMMIT) as base:
            yield base


def _git(*words: str) -> None:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UsageError(
            f"git: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no answer'}",
            where=ROOT,
            fix="give an older checkout's folder with --base, or --no-base",
        )
