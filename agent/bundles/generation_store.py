"""Keeps what one process has verified: one generation in force, the next one made beside it and
switched to by one rename, or not at all.

    generations/7/{metadata/,city/,generation.json}     current → generations/7

Power may fail at any instant: `current` then names the old generation or the new one, whole. What a
crash left is removed by the next update.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agent import boundary
from agent.bundles.city_folder import CityFolder
from agent.bundles.generation import (
    CITY,
    FACTS,
    METADATA,
    Generation,
    digests,
    format_facts,
    open_generation,
)
from agent.bundles.layout import (
    MAX_METADATA_BYTES,
    MAX_TIMESTAMP_BYTES,
    METADATA_FOLDER,
    ROOT,
    TIMESTAMP,
)
from agent.core.policy.policy import require_in_force
from agent.core.reasons import Reason
from agent.disk.atomic_file import (
    private_folder,
    read_bounded,
    storage_error,
    sync_folder,
    write_new,
)
from agent.disk.input_file import read_input
from agent.disk.private_file import open_private
from agent.errors import (
    BundleRefusedError,
    ConfigError,
    PlatewardenError,
    PolicyRefusedError,
    StorageError,
)
from agent.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from agent.core.time.instant import Instant
    from agent.settings import Limits

CURRENT, GENERATIONS, PART, LOCK = "current", "generations", ".part", "lock"


class BundleStore:
    """The bundles of one process.

    `folder`: its own, under its state; `anchor`: the city's first root, from enrolment; `rig`:
    whether rigs' cities are obeyed; `leave_out`: roles whose files this process must not hold;
    `camera`: the id by which it finds its key to the hot list, empty where it wants none.
    """

    def __init__(
        self,
        folder: Path,
        anchor: Path,
        limits: Limits,
        *,
        rig: bool,
        leave_out: frozenset[str] = frozenset(),
        camera: str = "",
    ) -> None:
        self._folder = folder
        self._anchor_path = anchor
        self._limits = limits
        self._rig = rig
        self._leave_out, self._camera = leave_out, camera

    @property
    def folder(self) -> Path:
        """Where generations lie."""
        return self._folder

    @boundary.document("verified bundles", error=BundleRefusedError)
    def current(self) -> Generation | None:
        """The generation in force, every file as it was verified; None before the first.

        Raises BundleRefusedError, StorageError.
        """
        try:
            # Path.readlink gives a Path, and the link's text is wanted.
            name = os.readlink(self._folder / CURRENT)  # noqa: PTH115
        except FileNotFoundError:
            return None
        except OSError as error:
            raise storage_error(error, self._folder / CURRENT, "cannot read") from None
        generation = open_generation(self._folder / GENERATIONS / name.rpartition("/")[2])
        if generation.facts.anchor != hashlib.sha256(self._anchor()).hexdigest():
            what = (
                "was verified under another root than the one "
                f"that enrolment put into {self._anchor_path}"
            )
            raise BundleRefusedError(
                Reason.BUNDLE_OTHER_CITY,
                what,
                where=self._folder,
                fix="if this camera was enrolled anew, remove that folder",
            )
        return generation

    @boundary.document("bundles", error=BundleRefusedError)
    def take_in(self, inbox: Path, now: Instant) -> Generation | None:
        """Verify what lies in `inbox` and switch to it, as a whole; None where there is nothing
        new.

        Raises RefusedError and changes nothing; StorageError where this machine's disk fails.
        """
        anchor = self._anchor()
        with self._alone():
            current = self.current()
            if current is not None and not self._news(inbox, current):
                return None
            # python-tuf is loaded only for what may be new: it takes a quarter of watch's start
            from agent.bundles.inbox import Inbox
            from agent.bundles.verification import Verification

            source = Inbox(inbox)
            reference = self._reference(current, now)
            part = self._new_part(current)
            try:
                facts = Verification(
                    part,
                    source,
                    anchor,
                    reference,
                    self._limits,
                    self._leave_out,
                    self._camera,
                ).run(current, rig=self._rig)
                _require_whole(part / CITY, now)
                files = digests(part / CITY)
                write_new(part / FACTS, format_facts(facts, files))
                candidate = Generation(int(part.name.removesuffix(PART)), part, facts, files)
                _sync_tree(part)
                return self._switch(candidate)
            finally:
                shutil.rmtree(part, ignore_errors=True)  # gone by now, if all went well

    def _anchor(self) -> bytes:
        return read_input(
            self._anchor_path,
            MAX_METADATA_BYTES,
            missing="enrol this camera: its city gives the file",
        )

    def _news(self, inbox: Path, current: Generation) -> bool:
        """Another timestamp, or a root that follows ours: one that takes a stolen key's authority
        must not wait for a timestamp by that very key. What cannot be read counts as news: the
        verification refuses it, and says why.
        """
        metadata, timestamp = inbox / METADATA_FOLDER, f"{TIMESTAMP}.json"
        try:
            (metadata / f"{current.versions[ROOT] + 1}.root.json").stat()
        except FileNotFoundError:
            pass
        except OSError:
            return True
        else:
            return True
        try:
            found = read_input(metadata / timestamp, MAX_TIMESTAMP_BYTES, missing="")
        except (OSError, PlatewardenError):
            return True
        return found != read_bounded(current.folder / METADATA / timestamp, MAX_METADATA_BYTES)

    def _reference(self, current: Generation | None, now: Instant) -> datetime:
        """The time by which expiry is judged.

        A clock set back would make everything valid again: behind the newest issue, nothing is
        taken in.
        """
        floors = [
            moment
            for moment in (now.at_least, current.issued if current else None)
            if moment is not None
        ]
        if floors and now.utc < max(floors):
            what = (
                f"the clock says {now.utc:%Y-%m-%d %H:%M:%S} UTC, "
                f"and it cannot be earlier than {max(floors):%Y-%m-%d %H:%M:%S} UTC"
            )
            raise BundleRefusedError(
                Reason.CLOCK_BEHIND_BUNDLES,
                what,
                where=self._folder,
                fix="set this machine's clock; until then nothing is released",
            )
        return now.utc

    def _new_part(self, current: Generation | None) -> Path:
        """A folder for the next generation, with what was verified before, for comparing."""
        generations = self._folder / GENERATIONS
        private_folder(generations)
        try:
            for path in generations.glob(f"*{PART}"):
                shutil.rmtree(path)
            number = (
                max(
                    (int(path.name) for path in generations.iterdir() if path.name.isdecimal()),
                    default=0,
                )
                + 1
            )
            part = generations / f"{number}{PART}"
            part.mkdir(mode=0o700)
            if current is not None:
                shutil.copytree(current.folder / METADATA, part / METADATA, symlinks=True)
        except OSError as error:
            raise storage_error(error, generations, "cannot make the next generation") from None
        return part

    def _switch(self, candidate: Generation) -> Generation:
        final = candidate.folder.with_name(str(candidate.number))
        link = self._folder / f"{CURRENT}{PART}"
        try:
            candidate.folder.rename(final)
            sync_folder(final.parent)
            link.unlink(missing_ok=True)
            link.symlink_to(f"{GENERATIONS}/{final.name}")
            # This is the one instant at which the new generation takes effect.
            link.replace(self._folder / CURRENT)
            sync_folder(self._folder)
        except OSError as error:
            raise storage_error(
                error, self._folder, "cannot switch to the next generation"
            ) from None
        for path in final.parent.iterdir():
            if path != final:
                with suppress(OSError):  # the next update tries again
                    shutil.rmtree(path)
        return replace(candidate, folder=final)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One update at a time: two would remove one another's work."""
        private_folder(self._folder)
        descriptor = open_private(self._folder / LOCK, "cannot open")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise StorageError(
                "another process takes bundles in here",
                where=self._folder,
                fix="end it; each process needs a state folder of its own",
            ) from None
        finally:
            os.close(descriptor)


def _require_whole(folder: Path, now: Instant) -> None:
    """The policy obeys the charter, is in force, and what it names is there.

    Raises BundleRefusedError, PolicyRefusedError.
    """
    city = CityFolder(folder)
    try:
        policy, _ = city.obeyed()
        require_in_force(policy, now)
        for server in policy.servers.values():
            city.ca(server)
    except ConfigError as error:
        # The message does not name the folder, which is about to go.
        what, where = (text.replace(f"{folder}/", "") for text in (error.what, error.where))
        raise BundleRefusedError(
            Reason.BUNDLE_MALFORMED, what, where=where, fix="the city must publish again"
        ) from None
    except PolicyRefusedError as error:
        raise PolicyRefusedError(
            error.reason,
            error.what.replace(f"{folder}/", ""),
            fix=error.fix,
        ) from None


def _sync_tree(folder: Path) -> None:
    """Every file and folder below survives a power cut."""
    try:
        for path, _, names in os.walk(folder):
            for name in names:
                descriptor = os.open(Path(path, name), os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            sync_folder(Path(path))
    except OSError as error:
        raise storage_error(error, folder, "cannot sync") from None
