"""Whether a camera takes the version that its city has released, and why not."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from agent.core.reasons import Reason
from agent.core.software.installed import Installed
from agent.values import dataclass

if TYPE_CHECKING:
    from agent.core.software.installed import Memory
    from agent.core.software.signed_release import PackageFile, Release, Statement
    from agent.core.software.software_version import SoftwareVersion


class Answer(StrEnum):
    """What a camera does with a release."""

    TAKE = "take"
    KEEP = "keep"  # nothing to do, and nothing wrong
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that asks. `architecture`: as dpkg says it; `python`: 3.11."""

    camera: str
    architecture: str
    python: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A release whose signatures were verified. `signed`: the version of role `software`;
    `signers`: how many holders' signatures counted; `wanted`: how many the charter asks for.
    """

    release: Release
    statement: Statement
    signed: int
    signers: int
    wanted: int
    floor: SoftwareVersion


@dataclass(frozen=True, slots=True)
class Choice:
    """`offered`: the released version; of which package is None where there is none for this
    machine. `what`: in words; `reason`: of a refusal.
    """

    answer: Answer
    offered: Installed
    package: PackageFile | None
    what: str
    reason: Reason | None = None


def choose(signed: Signed, machine: Machine, confirmed: Installed, memory: Memory) -> Choice:
    """What this machine does with a release. The checks stand in the order of their weight: who
    signed, then what, then whether it is this camera's turn.
    """
    statement, release = signed.statement, signed.release
    package = statement.package_for(machine.architecture, machine.python)
    offered = Installed(statement.version, package.sha256 if package else "", statement.state)

    def answer(kind: Answer, what: str, reason: Reason | None = None) -> Choice:
        return Choice(kind, offered, package, what, reason)

    refused = _refusal(signed, machine, confirmed, offered)
    if package is not None and package.sha256 == confirmed.sha256:
        return answer(Answer.KEEP, f"{statement.version} runs here already")
    if refused is not None:
        return answer(Answer.REFUSE, refused[1], refused[0])
    if memory.given_up(offered.sha256, signed.signed):
        what = f"{statement.version} was tried, and rolled back; the city must release anew"
        return answer(Answer.KEEP, what)
    if not release.is_for(machine.camera, statement.version):
        return answer(Answer.KEEP, f"{statement.version} is not yet for this camera")
    return answer(Answer.TAKE, f"{statement.version} is released")


def _refusal(
    signed: Signed, machine: Machine, confirmed: Installed, offered: Installed
) -> tuple[Reason, str] | None:
    version = signed.statement.version
    if signed.signers < signed.wanted:
        what = f"{signed.signers} of the city's signers released {version}, {signed.wanted} must"
        return Reason.SOFTWARE_SIGNERS, what
    if version < signed.floor:
        what = f"version {version} is below {signed.floor}, the charter's floor"
        return Reason.SOFTWARE_BELOW_FLOOR, what
    if not offered.sha256:
        kind = f"{machine.architecture}, Python {machine.python}"
        what = f"version {version} has no package for {kind}"
        return Reason.SOFTWARE_PLATFORM, what
    if offered.state < confirmed.state:
        what = f"version {version} cannot read what {confirmed.version} has written"
        return Reason.SOFTWARE_STATE, what
    if version < confirmed.version and not signed.release.back:
        what = f"version {version} is older than {confirmed.version}, and no way back is released"
        return Reason.SOFTWARE_OLDER, what
    return None
