"""Made-up hot lists, good ones and spoiled ones, from kinds and a seed; every plate is fictitious.

A good list is written in any form that programs write. A spoiled one has one fault of one kind, and
says at which lines and in which words it must be told.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from agent.bundles.issuer_files import issuers_for
from agent.core.hotlist.confusion import CONFUSABLE_GROUPS, fold
from agent.core.hotlist.entry import REQUIRED
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.hotlist.intake.ncic import STANDARD, Layout, parse_spans
from agent.core.hotlist.plausibility.doubts import Allowed, Lists
from agent.core.hotlist.plausibility.of_rows.rows import RowDoubts
from agent.core.hotlist.plausibility.whole import require_plausible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.core.hotlist.compiled_format import Compiled
    from agent.core.hotlist.index import EntryKey

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TODAY = NOW.date()
US = issuers_for("US-CA")
SHAPES = ("DLLLDDD", "LLLDDDD", "DDDLLL", "LLLDDD", "LDDDDDD", "DDDDDDD", "LLLLLL")
STATES = ("CA", "NV", "OR", "AZ", "WA", "TX", "NY", "FL", "CO", "MT")
CATEGORIES = ("stolen-vehicle",) * 6 + ("stolen-plate",) * 3 + ("missing-person",)
DIGITS, LETTERS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Given:
    """What is to be taken: the file's bytes, and all that decides about it."""

    data: bytes
    as_of: datetime = NOW
    layout: Layout | None = None
    held: Compiled | None = None
    withdrawn: frozenset[EntryKey] = frozenset()

    def take(self, allowed: Allowed = frozenset()) -> Compiled:
        """As `hotlist import` takes it. Raises ConfigError."""
        chunks = (self.data[at : at + 1_000_003] for at in range(0, len(self.data), 1_000_003))
        source = Source(chunks, "list", self.as_of, self.layout)
        done = import_list(source, None, TODAY, doubts=RowDoubts(US, allowed)).compiled
        cases = self.layout is None or self.layout.has_cases
        require_plausible(Lists(done, self.held, self.withdrawn, TODAY, cases), "list", allowed)
        return done


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A list, and how it must be told: at these lines (none: as a whole), in these words."""

    given: Given
    lines: Sequence[int]
    words: str
    flag: str = field(default="")


def plate(chance: random.Random) -> str:
    """A made-up text of a US shape that stands for nothing else."""
    while True:
        text = "".join(
            chance.choice(DIGITS if kind == "D" else LETTERS) for kind in chance.choice(SHAPES)
        )
        if text not in US.words and len(set(text)) > 1:
            return text


def rows(chance: random.Random, number: int, mark: str = "26") -> list[Row]:
    """Rows as an agency has them: a case of its own for each, sometimes of two vehicles."""
    made: list[Row] = []
    for at in range(number):
        reported = TODAY - timedelta(days=chance.randrange(300))
        made.append(
            {
                "plate": plate(chance),
                "state": f"US-{chance.choice(STATES)}",
                "category": chance.choice(CATEGORIES),
                "agency": f"Example County {chance.randrange(40)}",
                "case": f"{mark}-{at - (at % 50 == 1):06}",
                "source_date": str(reported),
                "expires": str(TODAY + timedelta(days=1 + chance.randrange(300))),
            }
        )
    return made


def csv(listed: Sequence[Row], separator: str = ",", header: Sequence[str] = REQUIRED) -> bytes:
    """In the plainest form."""
    lines = [
        separator.join(header),
        *(separator.join(row[name] for name in REQUIRED) for row in listed),
    ]
    return ("\n".join(lines) + "\n").encode()


def compiled(listed: Sequence[Row], as_of: datetime = NOW) -> Compiled:
    """A list that is held."""
    return Given(csv(listed), as_of).take()


# Good ones: forms that programs write.


def _upper(listed: Sequence[Row]) -> Given:
    return Given(csv(listed, header=[name.replace("_", " ").title() for name in REQUIRED]))


def _with_empty_rows(listed: Sequence[Row]) -> Given:
    lines = csv(listed).splitlines()
    return Given(b"\r\n".join([b"", *lines[:3], b",,,,,,", b"", *lines[3:], b";" * 6, b"\x1a"]))


def _quoted(listed: Sequence[Row]) -> Given:
    lines = csv(listed).decode().splitlines()
    return Given("\r\n".join('"' + line.replace(",", '","') + '"' for line in lines).encode())


def _spaced(listed: Sequence[Row]) -> Given:
    marks = " -."
    return Given(
        csv(
            [
                row | {"plate": row["plate"][:3].lower() + marks[at % 3] + row["plate"][3:]}
                for at, row in enumerate(listed)
            ]
        )
    )


def _records(listed: Sequence[Row]) -> Given:
    return Given("\r\n".join([*map(record, listed), "\x1a"]).encode(), layout=layout())


FORMS: tuple[Callable[[Sequence[Row]], Given], ...] = (
    lambda listed: Given(csv(listed)),
    lambda listed: Given(csv(listed, ";")),
    lambda listed: Given(csv(listed, "\t")),
    lambda listed: Given(b"sep=;\r\n" + csv(listed, ";")),
    lambda listed: Given(csv(listed, "\t").decode().encode("utf-16")),
    lambda listed: Given(csv(listed).decode().encode("utf-16-be")),
    lambda listed: Given(csv(listed).decode().encode("utf-8-sig").replace(b"\n", b"\r\n")),
    _upper,
    _with_empty_rows,
    _quoted,
    _spaced,
    _records,
    lambda listed: Given(csv(listed), held=compiled(listed)),
    lambda listed: Given(csv(listed[len(listed) // 3 :]), held=compiled(listed, EARLIER)),
)
EARLIER = NOW - timedelta(days=1)


def record(row: Row) -> str:
    """As a fixed-width record."""
    code = {"stolen-vehicle": "V", "stolen-plate": "P", "missing-person": "M"}[row["category"]]
    day = row["source_date"].replace("-", "")
    return f"{code}{day}{row['plate']:<10}{row['state'][3:]}2019EXMA"


def layout(columns: str = STANDARD) -> Layout:
    """Of such records."""
    return Layout(parse_spans(columns), TODAY, "Example CJIS", "X-1")


# Spoiled ones: a kind each. Line 2 is the first row.


def _one_row(chance: random.Random, field_name: str, value: str, words: str) -> Spoiled:
    listed = rows(chance, chance.randrange(10, 400))
    at = chance.randrange(len(listed))
    listed[at][field_name] = value
    return Spoiled(Given(csv(listed)), [at + 2], words)


def a_date(chance: random.Random) -> Spoiled:
    month = chance.choice(("Jan", "Mar", "Mai", "Okt", "Dez", "Sep"))
    day = chance.randrange(1, 29)
    value = chance.choice(
        (
            f"{day}-{month}",
            f"{month}-{day:02}",
            f"{day:02}-{month}-26",
            f"2026-03-{day:02}",
            f"{day}/3/2026",
            f"3/{day}/26",
            f"2026-03-{day:02} 00:00:00",
            f"{day}. {month}",
        )
    )
    return _one_row(chance, "plate", value, "plate: (a date|must be letters)")


def a_number(chance: random.Random) -> Spoiled:
    number = chance.randrange(1000, 9_999_999)
    value = chance.choice((f"{number}.0", f"{number}.00", f"{number:.2E}", f"{number:.4e}"))
    return _one_row(chance, "plate", value, "plate: a number with")


def an_error(chance: random.Random) -> Spoiled:
    value = chance.choice(("#REF!", "#NAME?", "#VALUE!", "########", '"=""0012345"""', "'0012345"))
    return _one_row(chance, "plate", value, "plate: (an error value|a formula)")


def a_word(chance: random.Random) -> Spoiled:
    word = chance.choice(sorted(US.words))
    word = "".join(chance.choice((one, one.lower(), one.replace("O", "0"))) for one in word)
    at = chance.randrange(1, len(word))
    value = word[:at] + chance.choice(("", " ", "-", ".")) + word[at:]
    return _one_row(chance, "plate", value, 'plate: a word for "no plate"')


def a_repeated_character(chance: random.Random) -> Spoiled:
    value = chance.choice("X0x") * chance.randrange(1, 10)
    return _one_row(chance, "plate", value, 'plate: a word for "no plate"')


def no_plate(chance: random.Random) -> Spoiled:
    return _one_row(chance, "plate", chance.choice(("", "-", "?", " - ")), "plate: empty")


def no_country(chance: random.Random) -> Spoiled:
    while (code := "".join(chance.choices(LETTERS, k=2))) in US.countries | US.states["US"]:
        pass
    value = chance.choice((code, f"{code}-{chance.randrange(1000)}"))
    return _one_row(chance, "state", value, "state: no such country")


def no_state(chance: random.Random) -> Spoiled:
    while (code := "".join(chance.choices(LETTERS, k=2))) in US.states["US"]:
        pass
    return _one_row(chance, "state", f"US-{code}", "state: US has no such state")


def letters_alone(chance: random.Random) -> Spoiled:
    code = chance.choice(sorted(US.states["US"]))
    return _one_row(chance, "state", code, "state: (without its country|.* alone is a country)")


def far_away(chance: random.Random) -> Spoiled:
    code = chance.choice(sorted(US.countries - US.lists_hold - US.states["US"]))
    return _one_row(chance, "state", code, "state: lists of US hold no plates of")


def nothing_left(chance: random.Random) -> Spoiled:
    listed = rows(chance, 30)
    dates = {"source_date": str(TODAY - timedelta(days=9)), "expires": str(TODAY)}
    gone = [row | dates for row in listed]
    return Spoiled(Given(csv(gone), held=compiled(listed)), [], "nothing is left", "empty")


def shrunk(chance: random.Random) -> Spoiled:
    listed = rows(chance, chance.randrange(20, 500))
    kept = listed[: chance.randrange(1, len(listed) // 2)]
    return Spoiled(Given(csv(kept), held=compiled(listed)), [], "the list shrank", "shrink")


def made_earlier(chance: random.Random) -> Spoiled:
    listed, before = rows(chance, 20), NOW - timedelta(seconds=chance.randrange(1, 99_999))
    given = Given(csv(listed), before, held=compiled(listed))
    return Spoiled(given, [], "before the list that is held", "older")


def a_copy(chance: random.Random) -> Spoiled:
    listed = rows(chance, 1000)
    days = chance.randrange(2, 100)
    older = [row for row in listed if row["source_date"] < str(TODAY - timedelta(days=days))]
    newest = rows(chance, 1)[0] | {"source_date": str(TODAY), "case": "new"}
    given = Given(csv(older), held=compiled([*listed, newest]))
    return Spoiled(given, [], "its newest report is", "older")


def _protecting(chance: random.Random) -> list[Row]:
    return [row | {"category": "never-release"} for row in rows(chance, 9, "P")]


def unprotected(chance: random.Random) -> Spoiled:
    listed, safe = rows(chance, 200), _protecting(chance)
    gone = chance.randrange(1, len(safe) + 1)
    given = Given(csv([*listed, *safe[gone:]]), held=compiled([*listed, *safe]))
    return Spoiled(given, [], f"{gone} protections .* are not in this list", "unprotect")


def protected_for_less(chance: random.Random) -> Spoiled:
    listed, safe = rows(chance, 200), _protecting(chance)
    longer = [row | {"expires": str(TODAY + timedelta(days=400))} for row in safe]
    shorter = chance.randrange(len(safe))
    after = [*longer[:shorter], safe[shorter], *longer[shorter + 1 :]]
    given = Given(csv([*listed, *after]), held=compiled([*listed, *longer]))
    return Spoiled(given, [202 + shorter], "protections .* end earlier", "unprotect")


def lost_zeros(chance: random.Random) -> Spoiled:
    listed = rows(chance, 200)
    for at in (17, 80):
        listed[at]["plate"] = f"0{chance.randrange(100):02}{chance.randrange(1000, 9999)}"
    after = [
        row | {"plate": row["plate"].lstrip("0")} if at in {17, 80} else row
        for at, row in enumerate(listed)
    ]
    given = Given(csv(after), held=compiled(listed))
    return Spoiled(given, [19, 82], "held with noughts in front", "lost-zeros")


def returned(chance: random.Random) -> Spoiled:
    listed = rows(chance, 100)
    at = chance.randrange(len(listed))
    row = listed[at]
    gone = (row["plate"], row["state"], row["category"], row["agency"], "an older case")
    given = Given(csv(listed), withdrawn=frozenset({gone}))
    return Spoiled(given, [at + 2], "a plate that was withdrawn by hand", "returned")


def twins(chance: random.Random) -> Spoiled:
    listed = rows(chance, chance.randrange(20, 300))
    at = chance.randrange(len(listed))
    group = chance.choice(CONFUSABLE_GROUPS)
    one, other = chance.sample(group, 2)
    listed[at]["plate"] = f"7{one}{chance.randrange(1000, 9999)}"
    twin = listed[at] | {"plate": listed[at]["plate"].replace(one, other, 1)}
    assert fold(twin["plate"]) == fold(listed[at]["plate"])
    given = Given(csv([*listed, twin]))
    return Spoiled(given, [at + 2, len(listed) + 2], "look-alikes of one case", "twins")


def of_one_case(chance: random.Random) -> Spoiled:
    listed, many = rows(chance, 300), chance.randrange(21, 60)
    for row in listed[:many]:
        row |= {"case": "26-999999", "agency": "Example County 1"}
    words = f"{many} entries of one case"
    return Spoiled(Given(csv(listed)), range(2, many + 2), words, "bulk")


def of_one_day(chance: random.Random) -> Spoiled:
    listed, many = rows(chance, 2000), chance.randrange(101, 300)
    for row in listed[:many]:
        row |= {"source_date": str(TODAY), "agency": "Example PD", "category": "missing-person"}
    return Spoiled(Given(csv(listed)), range(2, many + 2), "were reported on one day", "bulk")


def a_csv_as_records(chance: random.Random) -> Spoiled:
    listed = csv(rows(chance, 30), chance.choice(",;\t"))
    without = chance.choice((listed, listed.split(b"\n", 1)[1]))
    return Spoiled(Given(without, layout=layout()), [], "is a CSV, and no records")


def records_as_a_csv(chance: random.Random) -> Spoiled:
    text = "\r\n".join(map(record, rows(chance, 30)))
    return Spoiled(Given(text.encode()), [1], "is a record of fixed width")


def a_column_off(chance: random.Random) -> Spoiled:
    shift = chance.choice((1, 2, 3))
    text = "\r\n".join(" " * shift + record(row) for row in rows(chance, 50))
    return Spoiled(Given(text.encode(), layout=layout()), [], f"stand {shift} column")


def a_record_off(chance: random.Random) -> Spoiled:
    text = [record(row) for row in rows(chance, 50)]
    at = chance.randrange(len(text))
    text[at] = chance.choice((" " + text[at], text[at][1:]))
    words = "code: not a letter"
    return Spoiled(Given("\n".join(text).encode(), layout=layout()), [at + 1], words)


def cut_short(chance: random.Random) -> Spoiled:
    listed = csv(rows(chance, 30)).splitlines()
    at = chance.randrange(1, len(listed))
    listed[at] = listed[at][: chance.randrange(9, 30)]
    return Spoiled(Given(b"\n".join(listed)), [at + 1], "fields where the header has 7")


def shifted_columns(chance: random.Random) -> Spoiled:
    listed = csv(rows(chance, 10), header=[*REQUIRED[1:], REQUIRED[0]])
    return Spoiled(Given(listed), range(2, 12), "(state|category|expires): must be")


def cut_utf16(chance: random.Random) -> Spoiled:
    listed = csv(rows(chance, chance.randrange(10, 50))).decode().encode("utf-16")
    return Spoiled(Given(listed[:-1]), [], "begins as UTF-16")


def look_alikes(chance: random.Random) -> Spoiled:
    listed = rows(chance, 20)
    crowd = [
        listed[0] | {"plate": "".join(chance.choices("0ODQ", k=9)), "case": f"K-{at}"}
        for at in range(1400)
    ]
    return Spoiled(Given(csv([*listed, *crowd])), [], r"entries look like one another, in lines \d")


KINDS: tuple[Callable[[random.Random], Spoiled], ...] = (
    a_date,
    a_number,
    an_error,
    a_word,
    a_repeated_character,
    no_plate,
    no_country,
    no_state,
    letters_alone,
    far_away,
    nothing_left,
    shrunk,
    made_earlier,
    a_copy,
    unprotected,
    protected_for_less,
    lost_zeros,
    returned,
    twins,
    of_one_case,
    of_one_day,
    a_csv_as_records,
    records_as_a_csv,
    a_column_off,
    a_record_off,
    cut_short,
    shifted_columns,
    cut_utf16,
    look_alikes,
)


def lines_in(told: str) -> set[int]:
    """All line numbers that a refusal names."""
    heads = re.findall(r"^list:(\d+):", told, re.MULTILINE)
    lists = re.findall(r"; lines ([\d, ]+)", told)
    return {int(one) for one in [*heads, *(n for part in lists for n in re.findall(r"\d+", part))]}
