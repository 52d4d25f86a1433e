"""Reads a city's files: policy, charter, rosters, key lists, certificates and root; each when it is
asked for.

Nothing here proves who wrote them: either the folder is a verified generation's
(docs/ref/bundles.md), or the composition roots say that it is unsigned, or refuse. The hot list is
not read here: deliver uses this module and must not come near a plate (P2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from agent import boundary
from agent.bundles.layout import CAMERAS_PATH, MAX_TARGET_BYTES, ROSTER_PATH
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.text.toml_document import MAX_TEXT_BYTES, read_document
from agent.disk.input_file import read_input
from agent.errors import ConfigError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.core.policy.camera_roster import CameraRoster
    from agent.core.policy.charter import Charter
    from agent.core.policy.policy import Broker, Policy
    from agent.core.policy.schema.reading_rules import ReadingRules
    from agent.core.policy.schema.witness_rules import WitnessRules
    from agent.core.text.toml_document import Document

MAX_FILE_BYTES = 1024 * 1024
_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class CityFolder:
    """`folder`: city/ beside the settings file.

    Everything raises ConfigError naming the file and the next step.
    """

    folder: Path

    @boundary.document("policy", error=ConfigError)
    def policy(self) -> Policy:
        """policy.toml, parsed.

        Whether it is in force, and within the charter, is for
        core.policy.policy.require_in_force and core.policy.charter.require to say.
        """
        path = self.folder / "policy.toml"
        return parse_policy(
            read_input(path, MAX_TEXT_BYTES, missing="a camera needs its city's policy"), str(path)
        )

    @boundary.document("charter", error=ConfigError)
    def charter(self) -> Charter:
        """charter.toml, parsed."""
        from agent.core.policy.charter import parse_charter

        path = self.folder / "charter.toml"
        return parse_charter(
            read_input(
                path,
                MAX_TEXT_BYTES,
                missing="no policy is obeyed without the council's charter above it",
            ),
            str(path),
        )

    @boundary.document("charter's witnesses", error=ConfigError)
    def witnesses(self) -> WitnessRules | None:
        """What charter.toml says of witnesses, for whoever needs no more of it: the whole charter
        takes `status` a tenth of its start.
        """
        from agent.core.policy.schema.witness_rules import witness_rules

        return self._of_charter(witness_rules)

    @boundary.document("charter's promise of reading", error=ConfigError)
    def reading(self) -> ReadingRules | None:
        """What charter.toml promises of how cameras read."""
        from agent.core.policy.schema.reading_rules import reading_rules

        return self._of_charter(reading_rules)

    def _of_charter(self, part: Callable[[Document], _Part]) -> _Part:
        path = self.folder / "charter.toml"
        document = read_document(
            read_input(path, MAX_TEXT_BYTES, missing="the city has no charter"), str(path)
        )
        rules = part(document)
        document.require_faultless()
        return rules

    @boundary.document("roster of cameras", error=ConfigError)
    def cameras(self) -> CameraRoster:
        """roster.toml, parsed: which cameras there are and where they stand."""
        from agent.core.policy.camera_roster import parse_roster

        path = self.folder / "roster.toml"
        return parse_roster(
            read_input(
                path,
                MAX_TARGET_BYTES[CAMERAS_PATH],
                missing="the city lists its cameras there; without it nobody knows what is barred",
            ),
            str(path),
        )

    def obeyed(self) -> tuple[Policy, CameraRoster]:
        """The policy as this city's cameras obey it: within the charter, with the bars of both,
        kinds of place looked up in the roster.

        Raises ConfigError, and PolicyRefusedError where the charter forbids something. Whether it
        is in force is for core.policy.policy.require_in_force to say.
        """
        from agent.core.policy.camera_roster import in_place
        from agent.core.policy.charter import require

        policy, charter = self.policy(), self.charter()
        require(policy, charter)
        roster = self.cameras()
        return in_place(policy, charter, roster), roster

    def key_list(self, recipient: str) -> bytes:
        """The recipient's signed list of epoch keys, unverified.

        `recipient`: an id from the policy.
        """
        return self._read(
            f"keys/{recipient}.jws",
            "ask the recipient for its key list; without it nothing can be sealed to it",
        )

    def ca(self, broker: Broker) -> bytes:
        """The certificates, in PEM, that a broker's must descend from."""
        return self._read(f"ca/{broker.ca}", f"broker {broker.id!r} needs it; ask the city")

    def root(self) -> bytes:
        """The city root's public key, a JWK, unparsed."""
        return self._read("root.json", "the city's clerk has it")

    def roster(self) -> bytes:
        """The signed roster of enrolled cameras, unverified."""
        return self._read("roster.jws", "the city's clerk signs it", MAX_TARGET_BYTES[ROSTER_PATH])

    def _read(self, name: str, missing: str, most: int = MAX_FILE_BYTES) -> bytes:
        return read_input(self.folder / name, most, missing=missing)
