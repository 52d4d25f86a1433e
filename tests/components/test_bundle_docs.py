"""docs/ref/bundles.md says of every role what the code says: thresholds, online or not, lifetimes,
paths, what stops.
"""

import re
from pathlib import Path

import pytest

from agent.bundles.generation import Stops, stops
from agent.bundles.layout import MAX_TARGET_BYTES, ROLES, keys_role, most_bytes, rule_of

PAGE = (Path(__file__).parents[2] / "docs/ref/bundles.md").read_text()
ROWS = {
    row[0]: row[1:]
    for row in re.findall(
        r"^\| `([a-z<>-]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$",
        PAGE,
        re.MULTILINE,
    )
}
UNITS = {"day": 1, "year": 365}
STOPS = {
    Stops.EVERYTHING: "nothing is released or published",
    Stops.HOTLIST: "the list is stale",
    Stops.RECIPIENT: "nothing is sealed to that recipient",
    Stops.SOFTWARE: "no new software is installed",
}


def rules():
    yield from ROLES.items()
    yield "keys-<recipient>", rule_of(keys_role("town-pd"))


def test_every_role_is_there_and_no_other():
    assert set(ROWS) == {*ROLES, "keys-<recipient>"}


@pytest.mark.parametrize(("name", "rule"), list(rules()))
def test_the_row_says_what_the_code_does(name, rule):
    signs, _, needed, online, lives, stopped = ROWS[name]
    assert int(needed.split()[0]) == rule.least_signers
    assert ("of" not in needed) or int(needed.split()[-1]) == rule.keys
    assert online.startswith("yes") == rule.online
    number, unit = lives.split()
    assert int(number) * UNITS[unit.removesuffix("s")] == rule.lifetime.days
    assert all(f"`{path}`" in signs for path in rule.paths if not name.startswith("keys"))
    assert stopped.startswith(STOPS[stops(rule.name)])


def test_sizes():
    for size in re.findall(r"\| (\d+ [KM]iB)", PAGE):
        assert int(size.split()[0]) * {"KiB": 1 << 10, "MiB": 1 << 20}[size.split()[1]] in {
            *MAX_TARGET_BYTES.values(),
            most_bytes("keys/x.jws"),
            most_bytes("hotlist/cameras/000.keys"),
            16 << 10,
            512 << 10,
        }
