"""Builds and runs the trial of a version on a camera: verifies the bundles for itself, chooses,
checks the package, tries it, and keeps it or goes back.
"""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent.bundles.generation_store import BundleStore
from agent.bundles.layout import HOTLIST, package_path
from agent.core.log.link_facts import NAME as LINKS
from agent.core.reasons import Reason, reason_of
from agent.core.software.choice import Answer, choose
from agent.core.software.installed import FOLDER, Trial
from agent.disk.atomic_file import private_folder
from agent.errors import BundleRefusedError, ConfigError, RefusedError, StorageError
from agent.host.clock import TrustedClock
from agent.sides.signed_city import BUNDLES
from agent.sides.software.signed_software import signed_software
from agent.sides.software.trial_run import Times, TrialRun
from agent.software.memory_file import keep_memory, read_memory
from agent.software.package_check import check_package
from agent.software.running_version import running, this_machine
from agent.software.unit_control import SystemdUnits
from agent.software.version_store import VersionStore
from agent.values import dataclass

if TYPE_CHECKING:
    from agent.core.software.choice import Choice, Machine, Signed
    from agent.core.software.installed import Installed, Memory
    from agent.settings import Settings
    from agent.software.unit_control import Units

RUN = Path("/run/platewarden-software")
SYSTEM = Path("/")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `runs`: the version outside trials; `refused`: why it is not the released
    one.
    """

    runs: Installed
    what: str
    memory: Memory
    refused: RefusedError | None = None


@dataclass(frozen=True, slots=True)
class CameraSoftware:
    """The parts of one run. `machine`: of the releases; `system`: where the units lie."""

    settings: Settings
    store: VersionStore
    units: Units
    clock: TrustedClock
    times: Times
    machine: Machine
    system: Path = SYSTEM

    @classmethod
    def build(cls, settings: Settings, run: Path = RUN) -> CameraSoftware:
        """Of this machine. Raises StorageError."""
        folder = settings.state / FOLDER
        private_folder(folder, 0o755)
        store = VersionStore(folder, run, running())
        units = SystemdUnits(settings.state / "deliver" / LINKS, settings.file)
        times = Times(lambda: datetime.now(UTC), time.monotonic, time.sleep, signal.alarm)
        machine = this_machine(settings.camera_id)
        return cls(settings, store, units, TrustedClock(folder), times, machine)

    def settle(self, *, booting: bool) -> Outcome:
        """End what an earlier run left: a trial that was cut off leads back.

        Raises StorageError.
        """
        with self.store.alone():
            memory = TrialRun(self.store, self.units, self.times, booting=booting).run()
        return Outcome(self.store.confirmed(), "settled", memory)

    def apply(self) -> Outcome:
        """Take in what is new, and try what the city has released for this camera.

        Raises StorageError, ConfigError.
        """
        with self.store.alone():
            memory = TrialRun(self.store, self.units, self.times).run()
            self.store.tidy({self.store.confirmed().sha256})
            try:
                return self._applied(memory)
            except RefusedError as error:
                runs = self.store.confirmed()
                return Outcome(runs, error.what, read_memory(self.store.folder), error)
            except StorageError:
                TrialRun(self.store, self.units, self.times).run()  # back, if a trial had begun
                raise

    def _applied(self, memory: Memory) -> Outcome:
        confirmed = self.store.confirmed()
        signed = self._signed()
        if signed is None:
            return Outcome(confirmed, "the city has released nothing", memory)
        choice = choose(signed, self.machine, confirmed, memory)
        if choice.answer is Answer.REFUSE and choice.reason is not None:
            raise self._refused(memory, choice, choice.reason, choice.what)
        package = choice.package
        if choice.answer is Answer.KEEP or package is None:
            return Outcome(confirmed, choice.what, memory)
        file = self.settings.bundles / package_path(package.sha256)
        if not file.is_file():
            return Outcome(confirmed, f"{choice.what}; its package has not come yet", memory)
        trial = Trial(choice.offered, signed.signed)
        run = TrialRun(self.store, self.units, self.times)
        try:
            check_package(file, package, choice.offered, self.machine, self.system)
            memory = run.run(trial, file)
        except BundleRefusedError as error:
            raise self._refused(memory, choice, Reason(error.reason), error.what) from None
        except ConfigError as error:
            raise self._refused(memory, choice, Reason.SOFTWARE_ALTERED, error.what) from None
        return self._tried(memory, choice)

    def _tried(self, memory: Memory, choice: Choice) -> Outcome:
        confirmed = self.store.confirmed()
        if confirmed == choice.offered:
            return Outcome(confirmed, f"{confirmed.version} is confirmed", memory)
        told = memory.steps[-1].told if memory.steps else ""
        error = BundleRefusedError(
            Reason.SOFTWARE_UNHEALTHY,
            f"{choice.offered.version} was tried and rolled back: {told}",
            where=choice.offered.sha256[:16],
            fix=f"{confirmed.version} runs on; tell whoever released it",
        )
        return Outcome(confirmed, error.what, memory, error)

    def _refused(
        self, memory: Memory, choice: Choice, reason: Reason, what: str
    ) -> BundleRefusedError:
        self._note(memory, choice.offered, reason, what)
        return BundleRefusedError(
            reason, what, where="software/release.json", fix="docs/ref/reasons.md says who acts"
        )

    def _note(self, memory: Memory, of: Installed, reason: str, what: str) -> None:
        """A refusal, for the log, once."""
        noted = memory.noted(self.times.now(), "refused", of, reason, what)
        if noted != memory:
            keep_memory(self.store.folder, noted)

    def _signed(self) -> Signed | None:
        """The release in the newest bundles that verify. Raises RefusedError, StorageError."""
        store = BundleStore(
            self.store.folder / BUNDLES,
            self.settings.anchor,
            self.settings.limits,
            rig=self.settings.rig,
            leave_out=frozenset({HOTLIST}),
        )
        generation = store.current()
        if generation is not None:
            self.clock.signed_time(generation.issued, generation.expiry["timestamp"])
        with suppress(RefusedError):  # watch's log tells why; what is in force stays
            generation = store.take_in(self.settings.bundles, self.clock.now()) or generation
        if generation is None:
            return None
        now = self.clock.now()
        try:
            return signed_software(generation, max(now.utc, now.at_least or now.utc))
        except (RefusedError, ConfigError) as error:
            memory = read_memory(self.store.folder)
            self._note(memory, self.store.confirmed(), reason_of(error), error.what)
            if isinstance(error, RefusedError):
                raise
            raise BundleRefusedError(
                Reason.BUNDLE_MALFORMED, error.what, where=error.where, fix=error.fix
            ) from None
