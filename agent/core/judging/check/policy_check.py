"""Checks a policy against its schema, its charter, its roster and its jurisdiction's facts: every
fault at once (docs/ref/policy-check.md).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal

from agent.core.judging.check.charter_check import against_charter, against_roster, hands
from agent.core.judging.check.finding import Because, Finding, at, malformed
from agent.core.judging.check.group_check import against_groups
from agent.core.judging.check.law_check import against_law
from agent.core.judging.policy_draft import PLACEHOLDER_KEY, PLACEHOLDER_PIN
from agent.core.policy.barring import barred_always
from agent.core.policy.camera_roster import MAX_CAMERAS, CameraRoster, look_up, open_roster
from agent.core.policy.charter import open_charter
from agent.core.policy.schema.policy_file import open_policy
from agent.core.policy.schema.tables import bars, names, raw
from agent.core.reasons import Reason
from agent.errors import ConfigError, PolicyRefusedError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.policy.barring import Bar
    from agent.core.policy.jurisdiction import Profile
    from agent.core.text.toml_document import Document, Path


@dataclass(frozen=True, slots=True)
class File:
    """A file's bytes, as nobody has checked them, and its name."""

    untrusted_text: bytes
    where: str


@dataclass(frozen=True, slots=True)
class Against:
    """What a policy is held against. None: not there, and told as a note. `today`: UTC.

    `other_purposes`: purposes that look like forbidden ones, and are others, as a person said.
    """

    charter: File | None
    roster: File | None
    profile: Profile | None
    today: date
    other_purposes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Checked:
    """Faults and notes, each in the order of files and lines.

    `malformed`: some file breaks its schema, so that more faults may hide behind.
    """

    faults: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    @property
    def malformed(self) -> bool:
        return any(fault.code is Reason.MALFORMED for fault in self.faults)

    def require_faultless(self, where: str) -> None:
        """Raise what the faults amount to: ConfigError (a file is malformed), else
        PolicyRefusedError.
        """
        if not self.faults:
            return
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        if self.malformed:
            raise ConfigError(
                f"{count}; no camera would obey it",
                where=where,
                fix="correct each and check again",
            )
        raise PolicyRefusedError(
            self.faults[0].code,
            count,
            where=where,
            fix="correct each, or ask the council and counsel; then check again",
        )


def check_policy(policy: File, against: Against) -> Checked:
    """Everything that is wrong with a policy. Pure; raises nothing, whatever the bytes."""
    document, parsed = open_policy(policy.untrusted_text, policy.where)
    found = [*malformed(document), *_notes(document, against)]
    charter_bars: tuple[Bar, ...] = ()
    roster: CameraRoster | None = None
    roster_document: Document | None = None
    if against.roster is not None:
        roster_document, roster = open_roster(against.roster.untrusted_text, against.roster.where)
        found += [
            *malformed(roster_document),
            *against_roster(document, roster, ("release", "barred")),
            *against_groups(document, parsed, roster, roster_document),
        ]
    if against.charter is not None:
        charter_document, charter = open_charter(
            against.charter.untrusted_text, against.charter.where
        )
        found += malformed(charter_document)
        if roster is not None:
            found += against_roster(charter_document, roster, ("barred",))
        if charter is not None:
            charter_bars = charter.barred
            found += against_charter(document, charter, charter_document, against.other_purposes)
            found += hands(charter_document, charter)
    all_bars = (
        tuple(look_up(bar, roster) for bar in (*charter_bars, *_bars(document)))
        if roster is not None
        else ()
    )
    if against.profile is not None and against.profile.use == "check":
        found += against_law(
            document, against.profile, roster, roster_document, all_bars, against.today
        )
    if roster is not None and roster_document is not None:
        found += _barred_cameras(roster_document, roster, all_bars)
    unique = sorted(set(found))
    return Checked(
        tuple(one for one in unique if not one.note), tuple(one for one in unique if one.note)
    )


def _bars(document: Document) -> tuple[Bar, ...]:
    """The policy's well-formed bars; their faults are told already."""
    before = len(document.faults)
    found = bars(document)
    del document.faults[before:]
    return found


def _notes(document: Document, against: Against) -> Iterator[Finding]:
    """What is no fault, and a signer should know."""
    for file, name in ((against.charter, "charter"), (against.roster, "roster")):
        if file is None:
            yield _note(
                document,
                (),
                f"not held against a {name}: there is no {name}.toml beside the policy",
                f"give --{name}",
            )
    yield from _law_notes(document, against.profile)
    yield from _placeholders(document)
    expires = document.table.get("expires")
    if type(expires) is date and expires <= against.today:
        yield _note(
            document,
            ("expires",),
            f"expired on {expires}: cameras refuse it",
            "give it new dates and a higher version",
            Reason.POLICY_EXPIRED,
        )


def _law_notes(document: Document, profile: Profile | None) -> Iterator[Finding]:
    where = ("jurisdiction",)
    if profile is None:
        yield _note(
            document,
            where,
            "not held against a law: no profile has these facts",
            "give --jurisdiction, or ask counsel",
        )
    elif profile.not_held():
        thin = "the facts are too thin" if profile.use == "data" else "there is none that we know"
        yield _note(
            document,
            where,
            f"not held against the law of {profile.name}: {thin} ({profile.not_held()})",
            "ask counsel: what was not found is not permitted by that",
        )
    elif document.table.get("jurisdiction") != profile.id:
        yield _note(
            document,
            where,
            f"held against {profile.name}, which is not what the policy names",
            "leave --jurisdiction out",
        )


def _placeholders(document: Document) -> Iterator[Finding]:
    for path, table in raw(document, "recipient"):
        if table.get("signing_key") == PLACEHOLDER_KEY:
            yield _note(
                document,
                (*path, "signing_key"),
                "a placeholder that no one holds: nothing can be sealed to it",
                "put the recipient's own key here",
            )
    for path, table in raw(document, "broker"):
        for place, pin in names(path, table, "spki_pins"):
            if pin == PLACEHOLDER_PIN:
                yield _note(
                    document,
                    place,
                    "a placeholder: no server has this key, so nothing is published",
                    "put the broker's own pin here",
                )


def _note(
    document: Document, path: Path, what: str, fix: str, code: Reason | Literal[""] = ""
) -> Finding:
    return at(document, path, what, fix, Because(code, "", "", note=True))


def _barred_cameras(
    roster_document: Document, roster: CameraRoster, all_bars: tuple[Bar, ...]
) -> Iterator[Finding]:
    """Cameras whose sensor stays closed, so that nobody wonders."""
    places = {
        table["id"]: path
        for path, table in reversed(tuple(raw(roster_document, "camera", MAX_CAMERAS)))
        if isinstance(table.get("id"), str)
    }
    for camera in roster.cameras.values():
        bar = barred_always(all_bars, camera.id)
        if bar is not None:
            told = Because(
                Reason.CAMERA_BARRED, bar.why, f"{bar.where}:{bar.line}, [[barred]]", note=True
            )
            yield at(
                roster_document,
                (*places.get(camera.id, ("camera",)), "id"),
                f'camera "{camera.id}" is barred at all hours: its sensor stays closed',
                "",
                told,
            )
