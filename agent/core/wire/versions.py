"""Which versions of the sealed read a build seals and opens, and what every version keeps
(docs/ref/versions.md).
"""

from collections.abc import Callable, Iterable, Mapping

from agent.core.reasons import Reason
from agent.core.text.strict_json import Fields, malformed
from agent.core.wire import tags as version_1
from agent.core.wire.tags import MAX_SEQUENCE, READ_ID, Tags
from agent.errors import EnvelopeRefusedError
from agent.values import dataclass

KEPT_TAGS = ("v", "read", "device", "recipient")
"""The tags that no version may rename or write differently: a receipt needs them."""


@dataclass(frozen=True, slots=True)
class TagForm:
    """One version's tags. `format`: the value of the header member `alpr`; `parse`: the inverse,
    strict.
    """

    format: Callable[[Tags], dict[str, object]]
    parse: Callable[[object], Tags]


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that one build seals and opens: N and N − 1, each with its tag form. A build
    that knew more would keep old formats alive for ever.
    """

    forms: Mapping[int, TagForm]

    def __post_init__(self) -> None:
        newest = max(self.forms)
        if set(self.forms) != {newest, max(newest - 1, 1)}:
            raise ValueError("a build knows versions N and N - 1, and no other")

    @property
    def known(self) -> tuple[int, ...]:
        """The numbers, newest first."""
        return tuple(sorted(self.forms, reverse=True))

    def format_tags(self, tags: Tags) -> dict[str, object]:
        """The value of the header member `alpr`, in the tags' own version."""
        return self.forms[tags.version].format(tags)

    def parse_tags(self, untrusted_tags: object) -> Tags:
        """The inverse, strict. Raises EnvelopeRefusedError(malformed or unsupported-version)."""
        form = self.forms.get(version_of(untrusted_tags))
        if form is None:
            raise EnvelopeRefusedError(
                Reason.UNSUPPORTED_VERSION,
                f"`v` is not {' or '.join(map(str, self.known))}",
                where="tags",
                fix="update Platewarden on the side that refuses",
            )
        return form.parse(untrusted_tags)


@dataclass(frozen=True, slots=True)
class EnvelopeMinimum:
    """What the tags of every version say in the same way: enough to answer a read that this build
    cannot read.
    """

    version: int
    read_id: str
    device: str
    recipient: str


def version_of(untrusted_tags: object) -> int:
    """The version that the tags claim. Raises EnvelopeRefusedError(malformed)."""
    if not isinstance(untrusted_tags, dict) or "v" not in untrusted_tags:
        raise malformed("is not a JSON object with `v`", "tags")
    return Fields({"v": untrusted_tags["v"]}, "tags", required=("v",)).whole("v", 1, MAX_SEQUENCE)


def parse_minimum(untrusted_tags: object) -> EnvelopeMinimum:
    """The four tags that every version keeps, strict; the others may be anything. Raises
    EnvelopeRefusedError(malformed).
    """
    table = untrusted_tags if isinstance(untrusted_tags, dict) else {}
    fields = Fields(
        {name: table[name] for name in KEPT_TAGS if name in table}, "tags", required=KEPT_TAGS
    )
    return EnvelopeMinimum(
        version=fields.whole("v", 1, MAX_SEQUENCE),
        read_id=fields.pattern("read", READ_ID, "32 lower-case hex digits"),
        device=fields.identifier("device"),
        recipient=fields.identifier("recipient"),
    )


def highest_common(ours: Iterable[int], theirs: Iterable[int]) -> int | None:
    """The highest version that both sides know; None when there is none."""
    return max(set(ours) & set(theirs), default=None)


VERSIONS = Versions({1: TagForm(version_1.format_tags, version_1.parse_tags)})
"""Those of this build."""
