"""Hands the updater the files of an inbox: a folder that somebody else wrote, a stick, or what
`update` fetched.

Nothing in it is believed.

Mitigates against: files that vanish or grow while they are read, FIFOs that block, names that lead
out of the folder, metadata that fills the memory.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tuf.api.exceptions import DownloadError, DownloadHTTPError

from agent.bundles.layout import (
    MAX_METADATA_BYTES,
    MAX_TIMESTAMP_BYTES,
    METADATA_FOLDER,
    ROOT,
    TARGETS_FOLDER,
    TIMESTAMP,
)
from agent.bundles.updater import FetcherInterface, UpdaterConfig
from agent.core.reasons import Reason
from agent.disk.input_file import input_chunks
from agent.errors import BundleRefusedError, ConfigError

BASE = "inbox:/"
CONFIG = UpdaterConfig(
    max_root_rotations=64,
    root_max_length=MAX_METADATA_BYTES,
    timestamp_max_length=MAX_TIMESTAMP_BYTES,
    snapshot_max_length=MAX_METADATA_BYTES,
    targets_max_length=MAX_METADATA_BYTES,
    app_user_agent=None,
)
_NAME = re.compile(r"(?:metadata|targets)(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,199}){1,4}")
_METADATA = re.compile(r"metadata/(?:(\d{1,10})\.)?([A-Za-z0-9][A-Za-z0-9-]{0,79})\.json")
_NOT_FOUND = 404
_AGAIN = "copy or fetch the repository again, whole"


class Inbox(FetcherInterface):
    """Reads `folder`.

    Remembers what was read last, so that a refusal can say where and who signed: `role`, `file`,
    `raw` (by role), `refusal` (its own).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.role = ""
        self.file = ""
        self.raw: dict[str, bytes] = {}
        self.refusal: BundleRefusedError | None = None

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = url.removeprefix(BASE)
        self.file, self.refusal = name, None
        if _NAME.fullmatch(name) is None:
            raise self._refuse(
                Reason.BUNDLE_MALFORMED,
                "names a file that no bundle has",
                "the city must publish again",
            )
        metadata = _METADATA.fullmatch(name)
        self.role = metadata[2] if metadata else ""
        path = self.folder / name
        if not self._there(path):
            # that there is no newer root is how the updater learns that it has the newest
            if self.role != ROOT:
                self.refusal = BundleRefusedError(
                    Reason.BUNDLE_INCOMPLETE, "no such file", where=path, fix=_AGAIN
                )
            raise DownloadHTTPError("no such file", _NOT_FOUND)
        return self._metadata(path) if metadata else self._chunks(path)

    def _metadata(self, path: Path) -> Iterator[bytes]:
        most = MAX_TIMESTAMP_BYTES if self.role == TIMESTAMP else MAX_METADATA_BYTES
        data = b"".join(self._chunks(path, most))
        self.raw[self.role] = data
        return iter((data,))

    def _chunks(self, path: Path, most: int | None = None) -> Iterator[bytes]:
        """The file in pieces. Without `most`, whoever asked stops reading at the signed length."""
        try:
            if most is not None and (size := path.stat().st_size) > most:
                raise self._refuse(
                    Reason.BUNDLE_TOO_LARGE,
                    f"holds {size} bytes; at most {most} are read",
                    "is it the right stick?",
                )
            yield from input_chunks(path, most if most is not None else 1 << 40, missing=_AGAIN)
        except (ConfigError, OSError) as error:
            what = error.what if isinstance(error, ConfigError) else "cannot be read"
            raise self._refuse(Reason.BUNDLE_INCOMPLETE, what, _AGAIN) from None

    def _refuse(self, reason: Reason, what: str, fix: str) -> DownloadError:
        """Keep our own refusal, and give the updater an error that it knows."""
        self.refusal = BundleRefusedError(reason, what, where=self.folder / self.file, fix=fix)
        return DownloadError(what)

    def _there(self, path: Path) -> bool:
        """Path.exists says no, or raises, for a link into a folder that this user may not enter:
        that is for the Python version to say.
        """
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            raise self._refuse(Reason.BUNDLE_INCOMPLETE, "cannot be read", _AGAIN) from None
        return True


METADATA_URL, TARGETS_URL = f"{BASE}{METADATA_FOLDER}/", f"{BASE}{TARGETS_FOLDER}/"
