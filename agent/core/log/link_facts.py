"""What deliver tells of its brokers and of what keeps reads waiting, as a small file: for `status`,
which has no connection of its own.

No plate: deliver holds none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields, parse_object
from agent.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime

NAME = "links.json"
MAX_BYTES = 65_536
MAX_LINKS = 64
MAX_WHY = 600


@dataclass(frozen=True, slots=True)
class Link:
    """One broker of the policy in force. `why`: what keeps it out of reach; empty: connected.

    `since`: when that began.
    """

    broker: str
    since: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """`at`: when something changed last; `running`: False once deliver has stopped in order.

    `why`, `since`: what keeps reads waiting and since when; empty: nothing does.
    """

    at: datetime
    running: bool
    links: tuple[Link, ...] = ()
    why: str = ""
    since: datetime | None = None


def format_facts(facts: LinkFacts) -> bytes:
    """As JSON."""
    links = [
        {"broker": link.broker, "since": rfc3339(link.since), "why": link.why}
        for link in facts.links[:MAX_LINKS]
    ]
    table = {
        "v": 1,
        "at": rfc3339(facts.at),
        "running": facts.running,
        "links": links,
        "why": facts.why,
        **({"since": rfc3339(facts.since)} if facts.since else {}),
    }
    return json.dumps(table, ensure_ascii=False).encode()


def parse_facts(untrusted: bytes, where: str) -> LinkFacts:
    """The inverse, strict: deliver has the network, so its file is a stranger's. Raises
    EnvelopeRefusedError(malformed).
    """
    fields = Fields(
        parse_object(untrusted, where),
        where,
        required=("v", "at", "running", "links", "why"),
        optional=("since",),
    )
    fields.exactly("v", 1)
    if not isinstance(fields.value("running"), bool):
        raise fields.bad("running", "true or false")
    links = tuple(_link(entry, where) for entry in fields.sequence("links", MAX_LINKS))
    return LinkFacts(
        fields.moment("at"),
        fields.value("running") is True,
        links,
        fields.text("why", most=MAX_WHY, least=0),
        fields.moment("since") if "since" in fields else None,
    )


def _link(untrusted: object, where: str) -> Link:
    entry = Fields(untrusted, where, required=("broker", "since", "why"))
    return Link(
        entry.identifier("broker"),
        entry.moment("since"),
        entry.text("why", most=MAX_WHY, least=0),
    )
