"""Made-up policies as TOML text, lawful in form, drawn so that two of them often differ in one
thing only.
"""

import base64
import copy
import random
from datetime import date, timedelta

from agent.core.judging.explain.cited_lines import Source
from agent.core.judging.explain.explained_files import Files
from agent.core.policy.camera_roster import parse_roster
from agent.core.policy.charter import parse_charter
from agent.core.policy.schema.policy_file import parse_policy

DAY = date(2026, 11, 22)
CATEGORIES = ("stolen-vehicle", "amber-alert", "missing-person")
NAMES = ("town-pd", "county-sheriff", "next-town-pd")
PURPOSES = ("recovery", "search")
LEVELS = ("exact", "text", "confusable")
INCLUDE = ("plate", "crop", "captured_at", "camera")
CAMERAS = ("cam-1", "cam-2", "cam-3")
HOURS = ("06:00-09:30Z", "22:00-05:00Z", "09:30-10:00Z")
ROSTER = b"""\
city = "Town"
[[camera]]
id = "cam-1"
stands = "Main Street"
near = []
mount = "fixed"
[[camera]]
id = "cam-2"
stands = "Oak Street"
near = ["school"]
mount = "fixed"
group = "north"
[[camera]]
id = "cam-3"
stands = "Clinic Road"
near = ["health-care"]
mount = "fixed"
group = "south"
"""
KEYS = [
    base64.urlsafe_b64encode(bytes([number]) * 32).decode().rstrip("=") for number in range(2, 9)
]
PIN = "sha256/" + base64.b64encode(bytes(range(32))).decode()
HALL = {
    "id": "hall",
    "host": "mqtt.town.example",
    "addresses": ["203.0.113.10:8883"],
    "ca": "hall.pem",
    "spki_pins": [PIN],
    "recipients": [],
}


def toml(values) -> bytes:
    """A policy as `draw` makes it, as text: a line per key."""
    lines = [
        f"{key} = {_value(value)}" for key, value in values.items() if not isinstance(value, list)
    ]
    for kind in ("release", "recipient", "broker", "barred"):
        for table in values.get(kind, []):
            lines += [
                "",
                f"[[{kind}]]",
                *(f"{key} = {_value(value)}" for key, value in table.items()),
            ]
    return ("\n".join(lines) + "\n").encode()


def _value(value) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return "[" + ", ".join(map(_value, value)) + "]" if isinstance(value, list) else str(value)


def files(values, where="policy.toml", *, charter=b"", roster=b"") -> Files:
    """A policy as the commands load it, with charter and roster where given."""
    text = toml(values)
    above = (
        (parse_charter(charter, "charter.toml"), Source(charter, "charter.toml"))
        if charter
        else (None, None)
    )
    return Files(
        parse_policy(text, where),
        Source(text, where),
        *above,
        parse_roster(roster, "roster.toml") if roster else None,
    )


class Draw(random.Random):
    """Policies by chance."""

    def some(self, items):
        return self.sample(list(items), self.randint(1, len(items)))

    def rule(self, name, recipients):
        only = {"cameras": self.some(CAMERAS)} if self.random() < 0.3 else {}
        only |= {"max_false_leads": self.choice([1, 2, 9])} if self.random() < 0.3 else {}
        return only | {
            "rule": name,
            "categories": self.some(CATEGORIES),
            "match": self.some(LEVELS),
            "min_confidence": self.choice([0.0, 0.5, 0.8, 0.9, 1.0]),
            "max_per_hour": self.choice([1, 5, 20]),
            "recipient": self.choice(recipients),
            "purpose": self.choice(PURPOSES),
            "retention": self.choice(["2d", "7d", "21d"]),
            "include": self.some(INCLUDE),
        }

    def bar(self):
        what = {}
        if self.random() < 0.5:
            what = {"cameras": self.some(CAMERAS)}
        elif self.random() < 0.5:
            what = {"places": [self.choice(["school", "health-care"])]}
        when = {"hours": self.some(HOURS)} if not what or self.random() < 0.6 else {}
        return {**what, **when, "why": "Council resolution"}

    def policy(self):
        names = self.some(NAMES)
        return {
            "name": "Town policy",
            "version": self.randint(1, 9),
            "jurisdiction": "US-CA",
            "effective": DAY - timedelta(days=self.choice([0, 1, 30])),
            "expires": DAY + timedelta(days=self.choice([1, 30, 60])),
            "release": [self.rule(name, names) for name in "abc"[: self.randint(0, 3)]],
            "recipient": [
                {
                    "id": name,
                    "legal_name": name.title(),
                    "basis": "Ordinance 1",
                    "expires": DAY + timedelta(days=self.choice([1, 1, 40])),
                    "signing_key": KEYS[0],
                }
                for name in names
            ],
            "broker": self.brokers(names),
            "barred": [self.bar() for _ in range(self.choice([0, 0, 1, 2]))],
        }

    def brokers(self, names):
        """Mostly one for everybody; else one for a group, and one for the rest or another."""
        if self.random() < 0.7:
            return [HALL | {"recipients": names}]
        carried = [self.some(names), names]
        self.shuffle(carried)
        return [
            HALL | {"id": "north", "recipients": carried[0], "groups": ["north"]},
            HALL | {"recipients": carried[1]} | self.choice([{}, {"groups": ["south"]}]),
        ]

    def changed(self, values):
        """The same policy with one thing, or a few, changed; sometimes another one altogether."""
        if self.random() < 0.1:
            return self.policy()
        values = copy.deepcopy(values)
        for _ in range(self.choice([1, 1, 1, 2, 3])):
            self.choice(
                [
                    self._alter_rule,
                    self._alter_rule,
                    self._alter_recipient,
                    self._alter_head,
                    self._drop,
                    self._add,
                    self._bar,
                    self._brokers,
                ]
            )(values)
        return values

    def _alter_rule(self, values):
        if values["release"]:
            table = self.choice(values["release"])
            other = self.rule(table["rule"], [one["id"] for one in values["recipient"]])
            key = self.choice(list(other))
            table[key] = other[key]

    def _alter_recipient(self, values):
        table = self.choice(values["recipient"])
        table["signing_key" if self.random() < 0.3 else "basis"] = self.choice(KEYS)
        table["expires"] = DAY + timedelta(days=self.choice([1, 20, 40]))

    def _alter_head(self, values):
        values["expires"] = DAY + timedelta(days=self.choice([1, 30, 60]))
        values["version"] += 1

    def _bar(self, values):
        if values["barred"] and self.random() < 0.5:
            values["barred"].pop()
        else:
            values["barred"].append(self.bar())

    def _brokers(self, values):
        values["broker"] = self.brokers([one["id"] for one in values["recipient"]])

    def _drop(self, values):
        if values["release"]:
            values["release"].remove(self.choice(values["release"]))

    def _add(self, values):
        taken = {table["rule"] for table in values["release"]}
        values["release"].append(
            self.rule(
                next(name for name in "abcdefghij" if name not in taken),
                [one["id"] for one in values["recipient"]],
            )
        )
