"""What tests of `platewarden provision` share: the command as typed, a city's root, a folder's
names.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root

from agent import cli

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)


def typed(capsys, *arguments) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    code = 0
    try:
        cli.main(["provision", *map(str, arguments)])
    except SystemExit as stop:
        code = stop.code or 0
    out, err = capsys.readouterr()
    return code, out, err


def a_root(folder: Path, version: int = 1) -> Path:
    """1.root.json of a made-up city; soundly signed, whichever version."""
    signer = CryptoSigner.generate_ed25519()
    root = Root(version=version, expires=NOW + timedelta(days=700))
    for role in ("root", "targets", "snapshot", "timestamp"):
        root.add_key(signer.public_key, role)
    metadata = Metadata(root)
    metadata.sign(signer)
    path = folder / "1.root.json"
    metadata.to_file(str(path))
    return path


def tree(folder: Path) -> list[str]:
    """Every name below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
