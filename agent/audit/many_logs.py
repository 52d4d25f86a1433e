"""Verifies all the logs that an auditor names: one log that cannot be judged costs that one."""

from collections.abc import Sequence
from pathlib import Path

from agent.audit.found_logs import is_one_log, logs_at
from agent.audit.log_report import LogReport
from agent.audit.log_verify import Asked, Tell, verify
from agent.audit.trusted_keys import keys_nearby, keys_of
from agent.errors import PlatewardenError
from agent.storage.log_key import TrustedLogKeys
from agent.values import dataclass, replace

_WORST_FIRST = (3, 1, 2)


@dataclass(frozen=True, slots=True)
class Verification:
    """`logs`: each with the keys that it was judged by; `failed`: what could not be judged.

    `unused`: kept checkpoints that are of none of the logs. `many`: a folder above was named, or
    several paths.
    """

    logs: tuple[tuple[LogReport, TrustedLogKeys], ...]
    failed: tuple[PlatewardenError, ...]
    unused: tuple[Path, ...]
    many: bool

    @property
    def exit_code(self) -> int:
        """The worst: 3 a log was touched, 1 unreadable, 2 not all was checked, 0 whole."""
        codes = {report.verdict.exit_code for report, _ in self.logs}
        codes |= {error.exit_code for error in self.failed}
        codes |= {2} if self.unused else set()
        return next((code for code in _WORST_FIRST if code in codes), 0)


def verify_all(
    paths: Sequence[Path],
    key_files: Sequence[Path],
    root: Path | None,
    asked: Asked,
    tell: Tell = lambda _done, _all: None,
) -> Verification:
    """`asked.among_many` is decided here. Raises UsageError, StorageError for the keys; for a log
    only when it is the one log named.
    """
    keys = keys_of(key_files, root) if key_files else None
    many = len(paths) > 1 or not is_one_log(paths[0])
    found, faults = logs_at(paths)
    asked = replace(asked, among_many=many)
    failed: list[PlatewardenError] = [*faults]
    logs = []
    for path in found:
        try:
            judged_by = keys or keys_nearby(path)
            logs.append((verify(path, judged_by, asked=asked, tell=tell), judged_by))
        except PlatewardenError as error:
            if not many:
                raise
            failed.append(error)
    strangers = [set(report.strangers) for report, _ in logs if many]
    unused = set.intersection(*strangers) if strangers else set()
    if many and not logs:
        unused = set(asked.kept)
    return Verification(
        tuple(logs), tuple(failed), tuple(path for path in asked.kept if path in unused), many
    )
