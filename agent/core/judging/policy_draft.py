"""Writes the first charter, policy and roster of a city from a jurisdiction's profile and a few
answers; pure text, checked by `policy check` before it is kept.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

from agent.core.policy.policy import TEST
from agent.core.reasons import Reason
from agent.core.text.encoding import PIN_PREFIX, b64url
from agent.errors import PolicyRefusedError, UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from datetime import date

    from agent.core.policy.jurisdiction import Profile

# Keys and pins that no one holds: with them nothing is published, which is how a draft must fail.
# `policy check` points at each.
PLACEHOLDER_KEY = b64url(hashlib.sha256(b"platewarden: a signing key that no one holds").digest())
PLACEHOLDER_PIN = PIN_PREFIX + base64.b64encode(
    hashlib.sha256(b"platewarden: a pin that no server has").digest()
).decode("ascii")
SUGGESTED_RETENTION_DAYS = 21  # fits the strictest caps of the shipped profiles but one
CATEGORIES = ("stolen-vehicle", "amber-alert")
PURPOSE = "stolen-vehicle-recovery"
FORBIDDEN_PURPOSES = ("commercial-use", "immigration-enforcement")


@dataclass(frozen=True, slots=True)
class Answers:
    """What `policy new` asks.

    `key`, `pin`: placeholders where empty. `address`: of the broker, with port.
    """

    city: str
    recipient: str
    legal_name: str
    basis: str
    kind: str
    camera: str
    stands: str
    near: tuple[str, ...]
    host: str
    address: str
    effective: date
    expires: date
    retention_days: int
    key: str = ""
    pin: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """The texts of charter.toml, policy.toml and roster.toml."""

    charter: str
    policy: str
    roster: str


def require_place(profile: Profile) -> None:
    """Refuse a profile under which a fixed camera has no place, or whose facts are too thin to
    begin from.

    Raises PolicyRefusedError, UsageError.
    """
    fact = profile.forbids_fixed_cameras()
    if fact is not None:
        why = f"fixed cameras are not allowed in {profile.name}: {fact.says} ({fact.citation})"
        raise PolicyRefusedError(
            Reason.JURISDICTION_FORBIDS_CAMERA,
            why,
            where=f"{profile.where}:{fact.line}",
            fix="ask counsel",
        )
    if profile.not_held():
        raise UsageError(
            f"the facts for {profile.name} are too thin to begin from: {profile.not_held()}",
            where=profile.where,
            fix="ask counsel; or begin from another",
        )


def retention_for(profile: Profile) -> int:
    """The retention that `policy new` suggests, in days."""
    cap = profile.max_retention_days
    return SUGGESTED_RETENTION_DAYS if cap is None else min(cap, SUGGESTED_RETENTION_DAYS)


def draft(profile: Profile, answers: Answers) -> Draft:
    """The three files.

    Values are written as TOML strings; whether they are lawful is for `policy check`.
    """
    return Draft(_charter(profile, answers), _policy(profile, answers), _roster(profile, answers))


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's."""
    return json.dumps(value, ensure_ascii=False)


def _names(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(map(_text, values)) + "]"


def _charter(profile: Profile, answers: Answers) -> str:
    purposes = tuple(sorted({*FORBIDDEN_PURPOSES, *profile.gathered("forbidden_purposes")}))
    places = profile.gathered("protected_places")
    barred = (
        (
            "\n[[barred]]                             # no camera watches near these\n"
            f"places = {_names(places)}\nwhy = {_text(_source(profile, 'protected_places'))}\n"
        )
        if places
        else ""
    )
    return f"""\
# What no policy of {answers.city} may do, whatever the clerk writes: \
a draft for the council, made from the facts for {profile.name}.
# The facts are not advice; counsel confirms them. Every key: docs/ref/policy.md

name = {_text(f"{answers.city} charter for licence-plate cameras")}
forbidden_recipients = []              \
# ids of agencies that may never receive, such as us-dhs-ice-ero
forbidden_kinds = {_names(profile.gathered("forbidden_kinds"))}
forbidden_purposes = {_names(purposes)}

# Only these: whoever and whatever is not named here needs the council, under any name.
allowed_recipients = {_names((answers.recipient,))}
allowed_kinds = {_names((answers.kind,))}
allowed_purposes = {_names((PURPOSE,))}
allowed_categories = {_names((*CATEGORIES, TEST))}  # "{TEST}": the installer's printed plate
max_retention = "{answers.retention_days}d"
{barred}"""


def _source(profile: Profile, key: str) -> str:
    """The citation of the first fact with that limit, short enough for one line."""
    citations = (fact.citation for fact in profile.facts if getattr(fact, key))
    return next(citations, profile.name)[:110].strip()


def _policy(profile: Profile, answers: Answers) -> str:
    return f"""\
# A draft: what it names leaves a camera, and nothing else does. Every key: docs/ref/policy.md

name = {_text(f"{answers.city} ALPR policy")}
version = 1
jurisdiction = {_text(profile.id)}
effective = {answers.effective}
expires = {answers.expires}                   # from this day the cameras publish nothing

[hotlist]
max_age_hours = 24                     # an older list raises nothing
additions_per_day = 0                  # by hand

[[release]]                            \
# what leaves, for which match, to whom; what no rule names is dropped
rule = "stolen-and-amber"
categories = {_names(CATEGORIES)}
match = ["exact", "text"]              # "confusable" never leaves by this rule
min_confidence = 0.9
max_per_hour = 20                      # a budget; beyond it: counted, dropped
recipient = {_text(answers.recipient)}
purpose = {_text(PURPOSE)}
retention = "{answers.retention_days}d"
include = ["plate", "crop", "captured_at", "camera"]

[[release]]                            # an installer's printed plate: \
no list can name it. Remove it when all cameras stand
rule = "rehearsal"
categories = [{_text(TEST)}]
match = ["text"]                       # no state issues it, so nothing is "exact"
min_confidence = 0.8
max_per_hour = 5
recipient = {_text(answers.recipient)}
purpose = {_text(PURPOSE)}
retention = "2d"
include = ["plate", "crop"]
{_parties(answers)}"""


def _parties(answers: Answers) -> str:
    return f"""
[[recipient]]
id = {_text(answers.recipient)}
kind = {_text(answers.kind)}
legal_name = {_text(answers.legal_name)}
basis = {_text(answers.basis)}
expires = {answers.expires}
signing_key = {_text(answers.key or PLACEHOLDER_KEY)}  \
# `platewarden receiver keys`, on the recipient's side

[[broker]]
id = "city-hall"
host = {_text(answers.host)}           \
# for SNI and the certificate only; the camera resolves no names
addresses = {_names((answers.address,))}
ca = "city-hall-ca.pem"
spki_pins = {_names((answers.pin or PLACEHOLDER_PIN,))}
recipients = {_names((answers.recipient,))}
"""


def _roster(profile: Profile, answers: Answers) -> str:
    roads = sorted(
        {road for fact in profile.facts if fact.fixed_cameras == "forbidden" for road in fact.roads}
    )
    road = (
        f'road = "other"  # correct it where it stands on {" or ".join(roads)}: '
        f"no fixed camera may be there in {profile.name}\n"
        if roads
        else ""
    )
    return f"""\
# The city's cameras: where each stands and what is near. \
Kinds of place: docs/ref/policy.md, The roster

city = {_text(answers.city)}

[[camera]]
id = {_text(answers.camera)}
stands = {_text(answers.stands)}
near = {_names(answers.near)}
mount = "fixed"
{road}"""
