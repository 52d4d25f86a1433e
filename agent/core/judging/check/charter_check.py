"""Holds a policy, as written, against its charter and its roster: so that what breaks the charter
is told together with what breaks the schema.

The camera's own check is `core.policy.charter.require`, over parsed values; tests hold that both
refuse the same policies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.judging.check.finding import Because, Finding, at
from agent.core.policy.schema.fields import retention_days
from agent.core.policy.schema.tables import names, raw
from agent.core.reasons import Reason
from agent.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.policy.camera_roster import CameraRoster
    from agent.core.policy.charter import Charter, CharterFault
    from agent.core.text.toml_document import Document, Path

OTHER = (
    "correct the name; or, where it is another purpose, say so by name: --other-purpose NAME; the "
    "council's allowed_purposes would say it for good"
)
ABOVE = "The council's charter stands above the policy."


def days_written(value: object) -> int | None:
    """A retention as written, in days; None where that is a fault of its own."""
    try:
        return retention_days(value)
    except ValueError:
        return None


def against_charter(
    policy: Document,
    charter: Charter,
    charter_document: Document,
    other_purposes: frozenset[str] = frozenset(),
) -> Iterator[Finding]:
    """Everything in the policy that the charter forbids, each at its own line, with the charter's
    line as source.

    `other_purposes`: those of which a person says, by name, that they are not the forbidden ones
    that they look like.
    """
    told = _Told(policy, charter, charter_document)
    for path, table in raw(policy, "recipient"):
        yield from told.recipients(names(path, table, "id"))
        yield from told.kind(path, table.get("kind", ""))
    for path, table in raw(policy, "broker"):
        yield from told.recipients(names(path, table, "recipients"))
    for path, table in raw(policy, "release"):
        yield from told.recipients(names(path, table, "recipient"))
        yield from told.purposes(names(path, table, "purpose"), other_purposes)
        yield from told.categories(names(path, table, "categories"))
        days = days_written(table.get("retention"))
        if days is not None and days > charter.max_retention_days:
            what = f"{days} days are longer than the charter's {charter.max_retention_days}"
            yield at(
                policy,
                (*path, "retention"),
                what,
                f'at most "{charter.max_retention_days}d"',
                told.because(Reason.CHARTER_RETENTION, "max_retention"),
            )
    yield from told.additions(policy.table.get("hotlist"))


class _Told:
    """The charter's sentences as findings in the policy."""

    def __init__(self, policy: Document, charter: Charter, above: Document) -> None:
        self._policy, self._charter, self._above = policy, charter, above

    def because(self, code: Reason, key: str, name: str = "") -> Because:
        """The sentence that forbids, as file:line:column of the charter."""
        listed = self._above.table.get(key)
        path: Path = (key,)
        if isinstance(listed, list) and name in listed:
            path = (key, listed.index(name))
        elif isinstance(listed, dict):
            path = (key, name)
        line, column = self._above.place(path)
        return Because(code, ABOVE, f"{self._above.where}:{line}:{column}, {key}")

    def recipients(self, named: Iterator[tuple[Path, str]]) -> Iterator[Finding]:
        for path, name in named:
            if name in self._charter.forbidden_recipients:
                because = self.because(
                    Reason.CHARTER_FORBIDS_RECIPIENT, "forbidden_recipients", name
                )
                yield at(
                    self._policy,
                    path,
                    f'the charter forbids "{name}" by name',
                    "remove it here; only the council can allow it",
                    because,
                )
            elif (fault := self._charter.forbids_recipient(name)) is not None:
                yield self._not_allowed(path, fault, "allowed_recipients")

    def kind(self, path: Path, kind: object) -> Iterator[Finding]:
        if not isinstance(kind, str):
            return  # a fault of its own, told by the schema
        if not self._charter.forbidden_kinds or (
            kind and kind not in self._charter.forbidden_kinds
        ):
            allowed = self._charter.allowed_kinds
            if allowed is not None and kind not in allowed:
                because = self.because(Reason.CHARTER_FORBIDS_KIND, "allowed_kinds")
                what = f"the charter does not allow recipients of kind {kind[:64]!a}"
                yield at(self._policy, (*path, "kind"), what, f"one of: {_few(allowed)}", because)
            return
        because = self.because(Reason.CHARTER_FORBIDS_KIND, "forbidden_kinds", kind)
        what = (
            f'the charter forbids recipients of kind "{kind}"'
            if kind
            else "the charter forbids kinds of recipients, and this one does not tell its own"
        )
        yield at(
            self._policy,
            (*path, "kind"),
            what,
            "remove the recipient; only the council can allow it" if kind else "add kind",
            because,
        )

    def purposes(
        self, named: Iterator[tuple[Path, str]], others: frozenset[str]
    ) -> Iterator[Finding]:
        for path, name in named:
            if name in self._charter.forbidden_purposes:
                because = self.because(Reason.CHARTER_FORBIDS_PURPOSE, "forbidden_purposes", name)
                yield at(
                    self._policy,
                    path,
                    f'the charter forbids the purpose "{name}"',
                    "remove the rule; only the council can allow it",
                    because,
                )
            elif (fault := self._charter.forbids_purpose(name)) is not None:
                yield self._not_allowed(path, fault, "allowed_purposes")
            elif (near := self._charter.nearly_forbidden(name)) is not None:
                what = f'{name[:64]!a} is near "{near}", which the charter forbids'
                place = self.because(Reason.PURPOSE_NEAR_FORBIDDEN, "forbidden_purposes", near)
                yield at(self._policy, path, what, OTHER, replace(place, note=name in others))

    def _not_allowed(self, path: Path, fault: CharterFault, key: str) -> Finding:
        """What is on no list of those that the charter allows."""
        allowed: frozenset[str] = getattr(self._charter, key) or frozenset()
        because = self.because(fault.reason, key)
        return at(
            self._policy, path, f"the charter: {fault.what}", f"one of: {_few(allowed)}", because
        )

    def additions(self, written: object) -> Iterator[Finding]:
        asked = written.get("additions_per_day") if isinstance(written, dict) else None
        most = self._charter.hotlist.additions_per_day
        if type(asked) is int and asked > most:
            yield at(
                self._policy,
                ("hotlist", "additions_per_day"),
                f"{asked} additions by hand a day are more than the charter's {most}",
                f"at most {most}",
                self.because(Reason.CHARTER_HOTLIST_LIMIT, "hotlist", "additions_per_day"),
            )

    def categories(self, named: Iterator[tuple[Path, str]]) -> Iterator[Finding]:
        allowed = self._charter.allowed_categories
        for path, name in named:
            if name not in allowed:
                because = self.because(Reason.CHARTER_FORBIDS_CATEGORY, "allowed_categories")
                yield at(
                    self._policy,
                    path,
                    f"{name[:64]!a} is not a category that the charter allows",
                    f"one of: {', '.join(sorted(allowed)) or 'none'}",
                    because,
                )


def hands(charter_document: Document, charter: Charter) -> Iterator[Finding]:
    """A note where no second hand is asked for."""
    if not charter.hotlist.signers:
        yield at(
            charter_document,
            (),
            "names no [[hotlist_signer]]: one person alone can put a plate on the list by hand",
            "name two people or more, so that two must sign each entry",
            Because("", "", "", note=True),
        )


def _few(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def against_roster(
    document: Document, roster: CameraRoster, table_names: tuple[str, ...]
) -> Iterator[Finding]:
    """Cameras that a policy or a charter names and the roster does not: a misspelt id would bar or
    permit nothing.
    """
    because = Because(
        Reason.CAMERA_NOT_IN_ROSTER,
        "A misspelt camera would look barred, or permitted, and be neither.",
        f"{roster.where}, [[camera]]",
    )
    for name in table_names:
        for path, table in raw(document, name):
            for place, camera in names(path, table, "cameras"):
                if camera not in roster.cameras:
                    yield at(
                        document,
                        place,
                        f"{camera[:64]!a} is not in the roster",
                        "list the camera there, or correct the id",
                        because,
                    )
