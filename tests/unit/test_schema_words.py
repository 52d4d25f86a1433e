"""What every closed schema says of every wrong value: our words, the place, the next step; never a
library's, a pattern, or a secret.

The cases are made from the models' own fields.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent import settings
from agent.core.camera.view import parse_view
from agent.core.policy.camera_roster import CameraTable, RosterTable, parse_roster
from agent.core.policy.charter import CharterTable, parse_charter
from agent.core.policy.jurisdiction import FactTable, ProfileTable, parse_profile
from agent.core.policy.roster_csv import parse_roster_csv
from agent.core.policy.schema import (
    hold_limits,
    hotlist_rules,
    reading_rules,
    software_rules,
    tables,
    witness_rules,
)
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.text.schema.section import Section
from agent.core.text.schema_words import field_of
from agent.core.text.suggestion import nearest
from agent.errors import ConfigError, EnvelopeRefusedError
from agent.fleet import fleet_settings
from agent.receiver import receiver_settings
from agent.receiver.inbox import inbox_settings
from agent.receiver.inbox.oidc import oidc_settings
from agent.receiver.ringing import ring_settings

SECRET = "QwErTyUiOp"
WRONG = (
    *(f'"{SECRET}"', '"10"', '""', "10", "-1", "99999999999", "1.5", "nan", "inf", "true"),
    *("[]", f'["{SECRET}"]', "[1]", "[[1]]", "{ a = 1 }", "2026-11-22", "2026-11-22T10:00:00Z"),
)
LEAST_REFUSED = 9  # of these, by a field of any type
NOT_OURS = re.compile(
    r"Input should|should match|should have|pydantic|https?://|Field required|Value error"
    r"|\[a-z|\[0-9|\[A-Z|\\[dws]|\{\d+,|[a-z]_type\b|_parsing|extra_forbidden"
    r"|not what this key takes"  # the words for a kind of fault that nobody thought of
)
SECRETS = {"signing_key", "spki_pins"}
FREE_TEXT = {"name", "why", "basis", "legal_name", "stands", "city", "says", "citation", "thin"}


@dataclass(frozen=True)
class Table:
    """One table of one file. `header`: as in the file, empty at its top."""

    read: Callable[[Path], object]
    file: str
    header: str
    model: type[Section]

    def __str__(self) -> str:
        return f"{self.file}{self.header}"

    def fields(self) -> list[str]:
        return [name for name in self.model.own_fields() if name not in {"file", "root"}]

    def says(self, folder: Path, line: str) -> list[str]:
        """All faults of a file whose third line is this one."""
        path = folder / self.file
        path.write_text(f"# made by a test\n{self.header}\n{line}\n")
        try:
            self.read(path)
        except ConfigError as error:
            return str(error).splitlines()
        return []

    def says_of(self, folder: Path, field: str, value: str) -> list[str]:
        """What it says of one field, at its line."""
        name = ".".join(part for part in (self.header.strip("[]"), field) if part)
        told = self.says(folder, f"{field} = {value}")
        require_our_words(told)
        return [line for line in told if line.startswith(f"{folder / self.file}:3: {name}: ")]


def by_text(parse: Callable[[bytes, str], object]) -> Callable[[Path], object]:
    return lambda path: parse(path.read_bytes(), str(path))


def sections() -> Iterator[Table]:
    yield Table(settings.load, "platewarden.toml", "", settings.Settings)
    for name, field in settings.Settings.own_fields().items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield Table(settings.load, "platewarden.toml", f"[{name}]", field.annotation)


def receiver(path: Path) -> object:
    return receiver_settings.load(path.parent)


def fleet(path: Path) -> object:
    return fleet_settings.load(path.parent)


TABLES = (
    *sections(),
    Table(by_text(parse_policy), "policy.toml", "", tables.PolicyTable),
    Table(by_text(parse_policy), "policy.toml", "[hotlist]", tables.HotlistTable),
    Table(by_text(parse_policy), "policy.toml", "[[release]]", tables.ReleaseTable),
    Table(by_text(parse_policy), "policy.toml", "[[recipient]]", tables.RecipientTable),
    Table(by_text(parse_policy), "policy.toml", "[[broker]]", tables.BrokerTable),
    Table(by_text(parse_policy), "policy.toml", "[[bundle_source]]", tables.BundleSourceTable),
    Table(by_text(parse_policy), "policy.toml", "[[barred]]", tables.BarredTable),
    Table(by_text(parse_charter), "charter.toml", "", CharterTable),
    Table(by_text(parse_charter), "charter.toml", "[[barred]]", tables.BarredTable),
    Table(by_text(parse_charter), "charter.toml", "[hotlist]", hotlist_rules.HotlistRulesTable),
    Table(by_text(parse_charter), "charter.toml", "[[hotlist_signer]]", hotlist_rules.SignerTable),
    Table(by_text(parse_charter), "charter.toml", "[holds]", hold_limits.HoldLimitsTable),
    Table(by_text(parse_charter), "charter.toml", "[[hold_signer]]", hotlist_rules.SignerTable),
    Table(by_text(parse_charter), "charter.toml", "[witnesses]", witness_rules.WitnessRulesTable),
    Table(by_text(parse_charter), "charter.toml", "[software]", software_rules.SoftwareRulesTable),
    Table(by_text(parse_charter), "charter.toml", "[reading]", reading_rules.ReadingRulesTable),
    Table(by_text(parse_roster), "roster.toml", "", RosterTable),
    Table(by_text(parse_roster), "roster.toml", "[[camera]]", CameraTable),
    Table(by_text(parse_profile), "us-xx.toml", "", ProfileTable),
    Table(by_text(parse_profile), "us-xx.toml", "[[fact]]", FactTable),
    Table(receiver, "receiver.toml", "", receiver_settings.ReceiverSettings),
    Table(fleet, "fleet.toml", "", fleet_settings.FleetSettings),
    Table(receiver, "receiver.toml", "[broker]", receiver_settings.BrokerSettings),
    Table(receiver, "receiver.toml", "[store]", receiver_settings.StoreSettings),
    Table(receiver, "receiver.toml", "[inbox]", inbox_settings.InboxSettings),
    Table(receiver, "receiver.toml", "[[inbox.position]]", inbox_settings.PositionSettings),
    Table(receiver, "receiver.toml", "[inbox.oidc]", oidc_settings.OidcSettings),
    Table(receiver, "receiver.toml", "[ring]", ring_settings.RingSettings),
    Table(receiver, "receiver.toml", "[[ring.webhook]]", ring_settings.WebhookSettings),
    Table(receiver, "receiver.toml", "[[ring.push]]", ring_settings.PushSettings),
    Table(receiver, "receiver.toml", "[[ring.mail]]", ring_settings.MailSettings),
    Table(receiver, "receiver.toml", "[[ring.program]]", ring_settings.ProgramSettings),
    Table(receiver, "receiver.toml", "[[ring.desktop]]", ring_settings.DesktopSettings),
)
every_table = pytest.mark.parametrize("table", TABLES, ids=str)


def require_our_words(told: list[str]) -> None:
    for line in told:
        assert not NOT_OURS.search(line), line


def test_every_schema_of_a_file_that_people_write_is_here():
    here = {table.model for table in TABLES}
    # made and read by the program alone: it says "not as `platewarden hotlist add` writes it"
    own = {
        "agent.core.hotlist.intake.manual_acts",
        "agent.core.hotlist.compiled_format",
        "agent.core.hotlist.changes",
        "agent.vision.models",
        "agent.peers.plate_config",
    }
    ours = {one for one in Section.__subclasses__() if one.__module__.startswith("agent.")}
    assert {one for one in ours if one.__module__ not in own} <= here


@every_table
def test_every_wrong_type_is_told_at_its_line_in_our_words_with_the_next_step(table, tmp_path):
    for field in table.fields():
        told = {value: table.says_of(tmp_path, field, value) for value in WRONG}
        refused = {value for value, lines in told.items() if lines}
        assert len(refused) >= LEAST_REFUSED - (field in FREE_TEXT), (field, refused)
        for lines in told.values():
            assert all(line.endswith(")") for line in lines), lines


@every_table
def test_a_number_in_quotes_is_no_number_and_neither_is_true(table, tmp_path):
    for field, info in table.model.own_fields().items():
        kind = field_of(info.annotation).kind
        if kind in {int, float} and field not in {"retention", "max_retention"}:
            noun = "a whole number" if kind is int else "a number"
            (quoted,) = table.says_of(tmp_path, field, '"10"')
            assert f"must be {noun}" in quoted
            assert quoted.endswith("(write a number, without quotes)")
            assert table.says_of(tmp_path, field, "true")
        elif kind is bool:
            (quoted,) = table.says_of(tmp_path, field, '"true"')
            assert "must be true or false (write one of them, without quotes)" in quoted


@every_table
def test_a_number_out_of_range_names_itself_and_the_range(table, tmp_path):
    for field, info in table.model.own_fields().items():
        found = field_of(info.annotation)
        if found.kind not in {int, float} or not found.span():
            continue
        low, high = found.limit("ge"), found.limit("le")
        outside = [low - 1] if low is not None else []
        outside += [high + 1] if high is not None else []
        assert outside, field
        for number in outside:
            (said,) = table.says_of(tmp_path, field, str(number))
            assert f": {number} is out of range: it must be " in said
            assert all(str(one) in said for one in (low, high) if one is not None)


@every_table
def test_a_mistyped_key_gets_its_suggestion_and_another_word_the_list(table, tmp_path):
    names = table.fields()
    for field in names:
        typo = f"{field[:-2]}{field[-1]}{field[-2]}"
        if len(field) < 4 or typo in names:
            continue
        (said,) = table.says_of(tmp_path, typo, "1")
        assert said.endswith(f"unknown key (did you mean `{field}`?)")
    (said,) = table.says_of(tmp_path, "zzzzzz", f'"{SECRET}"')
    assert "unknown key (allowed here: " in said
    assert SECRET not in said
    assert ", root" not in said
    assert ", file" not in said  # it is filled in, and no key of platewarden.toml


@every_table
def test_no_key_and_no_pin_is_repeated(table, tmp_path):
    for field in SECRETS & set(table.fields()):
        for value in (f'"{SECRET}"', f'["{SECRET}"]', f'["sha256/{SECRET}"]'):
            assert SECRET not in "".join(table.says(tmp_path, f"{field} = {value}"))


def test_settings_repeat_no_text_but_the_cameras_id(tmp_path):
    for table in sections():
        for field in set(table.fields()) - {"camera_id"}:
            for value in (f'"{SECRET}"', f'["{SECRET}"]'):
                assert SECRET not in "".join(table.says(tmp_path, f"{field} = {value}"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,stand,near,mount\ncam-1,Street,,\n", "roster.csv:1: .*did you mean `stands`?"),
        ("id,stands,near,mount\nCAM 1,Street,,\n", "line 2: 'CAM 1' is no camera id"),
        ("id,stands,near,mount\ncam-1,Street,bank,\n", "line 2: 'bank' is no kind of place"),
        ("id,stands,near,mount\ncam-1,Street,,pole\n", "line 2: `mount` must be one of"),
    ],
)
def test_a_roster_in_csv_says_its_line_and_the_column(text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        parse_roster_csv(text.encode(), "roster.csv")
    require_our_words([str(caught.value)])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"v": 1, "zones": [], "masks": [], "zonse": []}', "did you mean `zones`?"),
        ('{"v": 1, "zones": "x", "masks": []}', "`zones` must be a list of at most 8"),
        ('{"v": "1", "zones": [], "masks": []}', "`v` must be 1"),
        ('{"v": 1, "zones": [[["0.1", 0], [1, 0], [1, 1]]], "masks": []}', "numbers from 0 to 1"),
    ],
)
def test_aims_shapes_say_the_member(text, said):
    with pytest.raises(EnvelopeRefusedError) as caught:
        parse_view(text.encode(), "view.json")
    assert said in str(caught.value)
    require_our_words([str(caught.value)])


def test_only_a_near_word_is_suggested():
    names = ("width", "height", "frames_per_second")
    assert nearest("widht", names) == "width"
    assert nearest("Frames-per-second", names) == "frames_per_second"
    assert nearest("fps", names) is None
    assert nearest("width" * 1000, names) is None  # comparing takes time, and nobody types that
