"""Version 2 of the sealed read, which only the tests know: a camera or a receiver is new by being
handed NEW.

It differs where a version may: a tag has another name, and there is one more.
"""

from dataclasses import replace

from agent.core.text.strict_json import Fields
from agent.core.wire import tags as version_1
from agent.core.wire.tags import Tags
from agent.core.wire.versions import VERSIONS, TagForm, Versions

SUITE = "suite-of-the-tests"


def format_tags(tags: Tags) -> dict[str, object]:
    table = version_1.format_tags(tags)
    number = table.pop("seq")
    return {**table, "v": 2, "number": number, "suite": SUITE}


def parse_tags(untrusted_tags: object) -> Tags:
    names = {*version_1.TAG_NAMES} - {"seq"} | {"number", "suite"}
    fields = Fields(untrusted_tags, "tags", required=names)
    fields.exactly("v", 2)
    fields.exactly("suite", SUITE)
    table = {name: fields.value(name) for name in names - {"number", "suite"}}
    return replace(
        version_1.parse_tags({**table, "v": 1, "seq": fields.value("number")}), version=2
    )


OLD = VERSIONS
NEW = Versions({**VERSIONS.forms, 2: TagForm(format_tags, parse_tags)})
