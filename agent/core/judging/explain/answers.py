"""Puts the camera's answers into sentences for people: who may receive what, and for everybody else
which lines refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.judging.explain.explanation import Scope, grants, tally, whole_refusal
from agent.core.judging.explain.law_notes import Law, law_on
from agent.core.judging.explain.prohibitions import Prohibition, prohibitions
from agent.core.judging.explain.provenance import lapse_told
from agent.core.reasons import Reason
from agent.core.text.plain_words import plain_day
from agent.core.wire.match_level import MatchLevel
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from agent.core.judging.explain.cited_lines import Cited
    from agent.core.judging.explain.explained_files import Files
    from agent.core.judging.explain.explanation import Grant, Tally
    from agent.core.judging.explain.provenance import Standing
    from agent.core.policy.camera_roster import CameraRoster
    from agent.core.policy.charter import Charter
    from agent.core.policy.policy import Policy, ReleaseRule


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that refuses: its code, a sentence, and the lines it rests on."""

    reason: Reason
    says: str
    cited: tuple[Cited, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one recipient may have (`grants`), the lines that allow it (`cited`), and what refuses
    it, the strongest first (`obstacles`).

    `purpose`: the one asked about, or none. Where something is granted, `obstacles` say what else
    is refused. `law`: what the jurisdiction's facts say of recipients and purposes.
    """

    recipient: str
    legal_name: str
    basis: str
    purpose: str
    grants: tuple[Grant, ...]
    cited: tuple[Cited, ...]
    obstacles: tuple[Obstacle, ...]
    law: tuple[Law, ...]

    @property
    def allowed(self) -> bool:
        return bool(self.grants)


@dataclass(frozen=True, slots=True)
class Explained:
    """Everybody whom the files name, those who may receive first.

    `asked`: questions put to `decide`; `default`: what refuses whoever is not named; `bars`:
    everybody; `forbids`: what the charter forbids every policy. `only`: the recipient or purpose
    that was asked about, where it was one.
    """

    policy: Policy
    charter: Charter | None
    on: date
    cameras: tuple[str, ...]
    asked: int
    answers: tuple[Answer, ...]
    default: Obstacle
    bars: tuple[Obstacle, ...]
    roster: CameraRoster | None
    standing: Standing | None = None
    forbids: tuple[Prohibition, ...] = ()
    only: str = ""

    @property
    def grants(self) -> tuple[Grant, ...]:
        return tuple(grant for answer in self.answers for grant in answer.grants)


def explain(
    files: Files, on: date, *, recipient: str = "", purpose: str = "", camera: str = ""
) -> Explained:
    """Who could receive what on that day; only `recipient`, only for `purpose`, and only from
    `camera`, where given.
    """
    scope = Scope(on, (camera,) if camera else files.cameras)
    found = tally(files.obeyed, files.charter, scope)
    teller = _Teller(files, scope, found, purpose)
    named = [recipient] if recipient else everybody(files)
    # The sort is stable: otherwise they stay in the order of the files.
    answers = sorted((teller.answer(one) for one in named), key=lambda one: not one.allowed)
    return Explained(
        files.policy,
        files.charter,
        scope.on,
        scope.cameras,
        found.asked,
        tuple(answers),
        teller.unlisted(),
        tuple(teller.bars()),
        files.roster,
        files.standing,
        prohibitions(files.charter, files.charter_lines),
        recipient or purpose,
    )


def everybody(files: Files) -> list[str]:
    """Whoever is named anywhere in policy or charter."""
    policy = files.policy
    forbidden = sorted(files.charter.forbidden_recipients) if files.charter else []
    return list(
        dict.fromkeys(
            [*policy.recipients, *(rule.recipient for rule in policy.releases), *forbidden]
        )
    )


class _Teller:
    """Finds the sentences and lines behind one tally."""

    def __init__(self, files: Files, scope: Scope, found: Tally, purpose: str) -> None:
        self._files, self._scope, self._found, self._purpose = files, scope, found, purpose
        self._policy, self._lines = files.policy, files.policy_lines
        standing = files.standing
        self._lapsed = (
            standing.lapsed if standing is not None and standing.lapsed_before(scope.on) else None
        )
        self._grants = [
            grant
            for grant in grants(files.obeyed, found)
            if (not purpose or grant.purpose == purpose) and not self._lapsed
        ]
        self._rule_index = {
            str(table.get("rule")): index for index, table in self._lines.tables("release")
        }
        self._recipient_index = {
            str(table.get("id")): index for index, table in self._lines.tables("recipient")
        }

    def answer(self, recipient: str) -> Answer:
        """One recipient's answer."""
        granted = tuple(grant for grant in self._grants if grant.recipient == recipient)
        known = self._policy.recipients.get(recipient)
        obstacles = (
            self._limits(granted)
            if granted
            else (*self._whole(recipient), *self._absent(recipient), *self._denied(recipient))
        )
        return Answer(
            recipient=recipient,
            legal_name=known.legal_name if known else "",
            basis=known.basis if known else "",
            purpose=self._purpose,
            grants=granted,
            cited=tuple(dict.fromkeys(line for grant in granted for line in self._rests_on(grant))),
            obstacles=tuple(dict.fromkeys(obstacles)),
            law=law_on(
                self._files.profile,
                known,
                frozenset(
                    {self._purpose} if self._purpose else {grant.purpose for grant in granted}
                ),
            ),
        )

    def unlisted(self) -> Obstacle:
        """What refuses whoever is not named at all."""
        listed = tuple(
            self._lines.cite("recipient", index, "id") for index in self._recipient_index.values()
        )
        named = _few(list(self._recipient_index)) if listed else "nobody"
        says = f"the policy names only {named} as recipients; whoever is not named is refused"
        return Obstacle(
            Reason.RECIPIENT_NOT_IN_POLICY, says, listed or (self._lines.whole("no [[recipient]]"),)
        )

    def _whole(self, recipient: str) -> Iterator[Obstacle]:
        """What was published had lapsed; what the charter says of the one who asks and of the
        purpose; then why a camera would not obey this policy at all.
        """
        charter, lines = self._files.charter, self._files.charter_lines
        if self._lapsed is not None:
            says = f"nobody got anything on that day: {lapse_told(self._lapsed)}"
            yield Obstacle(Reason.BUNDLE_LAPSED, says, ())
        told = charter.forbids_recipient(recipient) if charter is not None else None
        if told is not None and charter is not None and lines is not None:
            named = recipient in charter.forbidden_recipients
            how = "forbids it by name" if named else "allows others only"
            yield Obstacle(
                told.reason,
                f"the council {how}; a policy that lists it is refused whole",
                (lines.cite_at(told.line),),
            )
        purpose = charter.forbids_purpose(self._purpose) if charter and self._purpose else None
        if purpose is not None and charter is not None and lines is not None:
            named = self._purpose in charter.forbidden_purposes
            how = "forbids" if named else "does not allow"
            to = "everybody" if named else "anybody"
            says = f'the council {how} the purpose "{self._purpose}" to {to}'
            yield Obstacle(purpose.reason, says, (lines.cite_at(purpose.line),))
        for fault in whole_refusal(self._policy, charter):
            if lines is not None and fault != told:
                yield Obstacle(
                    fault.reason,
                    f"a camera refuses this policy whole: {fault.what}",
                    (lines.cite_at(fault.line),),
                )

    def _absent(self, recipient: str) -> Iterator[Obstacle]:
        """What the policy does not say: a recipient, a rule, a purpose, a broker."""
        if recipient not in self._policy.recipients:
            yield self.unlisted()
        rules = [rule for rule in self._policy.releases if rule.recipient == recipient]
        if not rules:
            others = tuple(self._of_rule(rule.rule, "recipient") for rule in self._policy.releases)
            says = "no rule gives it anything; what no rule names is dropped in the camera's memory"
            yield Obstacle(
                Reason.RULE_NOT_IN_POLICY, says, others or (self._lines.whole("no [[release]]"),)
            )
        elif self._purpose and all(rule.purpose != self._purpose for rule in rules):
            says = f'no rule gives it anything for the purpose "{self._purpose}"'
            yield Obstacle(
                Reason.PURPOSE_NOT_IN_POLICY,
                says,
                tuple(self._of_rule(rule.rule, "purpose") for rule in rules),
            )
        if not any(recipient in broker.recipients for broker in self._policy.brokers):
            lines = tuple(
                self._lines.cite("broker", index, "recipients")
                for index, _ in self._lines.tables("broker")
            )
            yield Obstacle(
                Reason.NO_BROKER_FOR_RECIPIENT,
                "no broker carries readings to it",
                lines or (self._lines.whole("no [[broker]]"),),
            )

    def _denied(self, recipient: str) -> Iterator[Obstacle]:
        """What `decide` said of the rules that are for it, where none of them releases anything."""
        for rule in self._policy.releases:
            if rule.recipient == recipient and (not self._purpose or rule.purpose == self._purpose):
                for reason in self._found.denied.get(rule.rule, {}):
                    if reason in {Reason.CAMERA_BARRED, Reason.HOURS_BARRED}:
                        yield from self.bars()
                    elif reason not in {
                        Reason.CATEGORY_NOT_RELEASED,
                        Reason.MATCH_LEVEL_NOT_RELEASED,
                    }:
                        yield self._of_reason(rule, reason)

    def _limits(self, granted: tuple[Grant, ...]) -> Iterator[Obstacle]:
        """What the rules that release something refuse all the same."""
        for grant in granted:
            rule = self._policy.rule(grant.rule)
            for reason in self._found.denied.get(grant.rule, {}):
                if rule is not None and reason not in {Reason.CAMERA_BARRED, Reason.HOURS_BARRED}:
                    yield self._of_reason(rule, reason)
        yield from self.bars()

    def bars(self) -> Iterator[Obstacle]:
        """The bars that hold for a camera that was asked about."""
        for bar in self._files.obeyed.barred:
            cameras = [camera for camera in self._scope.probed_cameras if bar.covers(camera)]
            which = (
                f"{_few(cameras)}"
                if self._scope.cameras and len(cameras) < len(self._scope.cameras)
                else "every camera"
            )
            unknown = (
                " (no roster says which are near)"
                if bar.places and self._files.roster is None
                else ""
            )
            when = f"at {', '.join(map(str, bar.hours))}" if bar.hours else "at all hours"
            reason = Reason.HOURS_BARRED if bar.hours else Reason.CAMERA_BARRED
            if cameras:
                yield Obstacle(
                    reason,
                    f"nothing leaves from {which}{unknown} {when}: {bar.why}",
                    (self._files.cite(bar.where, bar.line),),
                )

    def _of_reason(self, rule: ReleaseRule, reason: Reason) -> Obstacle:
        named, day = f'rule "{rule.rule}"', self._scope.on
        categories = ", ".join(sorted(rule.categories))
        levels = ", ".join(level for level in MatchLevel if level in rule.match)
        says, keys = {
            Reason.CATEGORY_NOT_RELEASED: (
                f"{named} is for {categories}, no other category",
                ("categories",),
            ),
            Reason.MATCH_LEVEL_NOT_RELEASED: (
                f"{named} lets out {levels} matches, no weaker ones",
                ("match",),
            ),
            Reason.CAMERA_NOT_RELEASED: (
                f"{named} is for {_few(sorted(rule.cameras or ()))}, no other camera",
                ("cameras",),
            ),
            Reason.CONFIDENCE_TOO_LOW: (
                f"{named} asks for a confidence of {rule.min_confidence}",
                ("min_confidence",),
            ),
        }.get(reason, (f"{named} does not release here", ("rule",)))
        if reason is Reason.RECIPIENT_EXPIRED:
            return Obstacle(
                reason,
                f"its authority has ended by {plain_day(day)}",
                (self._of_recipient(rule.recipient, "expires"),),
            )
        if reason is Reason.POLICY_NOT_IN_FORCE:
            return Obstacle(
                reason,
                f"the policy is not in force on {plain_day(day)}",
                (self._lines.cite("effective"), self._lines.cite("expires")),
            )
        if reason is Reason.NO_BROKER_FOR_RECIPIENT:
            return self._of_groups(rule)
        return Obstacle(reason, says, tuple(self._of_rule(rule.rule, key) for key in keys))

    def _of_groups(self, rule: ReleaseRule) -> Obstacle:
        """Some broker carries this rule's reads, and none of those is for a camera that was asked
        about.
        """
        lines, obeyed = [], self._files.obeyed
        for index, table in self._lines.tables("broker"):
            if "groups" in table and rule.recipient in table.get("recipients", ()):
                lines.append(self._lines.cite("broker", index, "groups"))
        cameras = [
            camera
            for camera in self._scope.probed_cameras
            if rule.at(camera) and not obeyed.served(rule.recipient, camera)
        ]
        which = _few(cameras) if self._scope.cameras else "any camera"
        if self._files.roster is None:
            which += " (no roster says of which group each is)"
        says = f'rule "{rule.rule}": no broker for the group of {which} carries its readings'
        return Obstacle(Reason.NO_BROKER_FOR_RECIPIENT, says, tuple(lines))

    def _rests_on(self, grant: Grant) -> Iterator[Cited]:
        """The lines that allow it: rule, recipient, broker."""
        rule = self._policy.rule(grant.rule)
        for key in (
            "rule",
            "categories",
            "match",
            "recipient",
            "purpose",
            "retention",
            *(("cameras",) if rule and rule.cameras is not None else ()),
        ):
            yield self._of_rule(grant.rule, key)
        for key in ("id", "basis", "expires"):
            yield self._of_recipient(grant.recipient, key)
        for index, table in self._lines.tables("broker"):
            if table.get("id") in grant.brokers:
                yield self._lines.cite("broker", index, "recipients")
                if "groups" in table:
                    yield self._lines.cite("broker", index, "groups")

    def _of_rule(self, rule: str, key: str) -> Cited:
        return self._lines.cite("release", self._rule_index[rule], key)

    def _of_recipient(self, recipient: str, key: str) -> Cited:
        return self._lines.cite("recipient", self._recipient_index[recipient], key)


def _few(names: list[str], most: int = 6) -> str:
    """Names for a sentence; of many, the first ones."""
    shown = [*names[:most], f"{len(names) - most} others"] if len(names) > most else names
    return "".join(shown) if len(shown) < 2 else f"{', '.join(shown[:-1])} and {shown[-1]}"
