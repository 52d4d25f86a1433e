"""`platewarden report`: counted from the signed archive and verified logs alone, the same bytes for
the same files, and made again by anybody, who is told where it differs.
"""

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from agent.city.report.bands import band
from agent.city.report.make import Asked, make
from agent.city.report.outcome_tables import share
from agent.city.report.recompute import recompute
from agent.city.report.report_tables import Period
from agent.city.report.shown.forms import as_json
from agent.commands.report import app
from agent.core.text.rfc3339 import rfc3339
from agent.core.wire.receipt import Disposition
from agent.errors import LogRefusedError, UsageError
from tests.support.audit_logs import tamper
from tests.support.reported_city import (
    CITY_LOG,
    COUNTY,
    FIRST_DAY,
    PD,
    named_by_domain,
    report_holds,
    report_outcomes,
    reported_city,
)
from tests.support.told_logs import HOUR, Leaf, write

pytestmark = pytest.mark.usefixtures("quick_disk")
NOVEMBER = "2026-11"
STRANGER = "other-federal-agency"
WIPED = "UPDATE leaf SET details = NULL, salt = NULL"


@pytest.fixture
def made(tmp_path):
    """A city with its logs, not yet written."""
    return reported_city(tmp_path)


def asked(city, *names, period=NOVEMBER):
    return Asked(city.folder, [city.logs], Period(period), names, [city.key])


def report(city, *names, period=NOVEMBER):
    return make(asked(city, *names, period=period)).report


def rows(told, code):
    """A table's rows as dictionaries of texts."""
    table = next(one for one in told.tables if one.code == code)
    return [dict(zip(table.columns, map(str, row), strict=True)) for row in table.rows]


def run(city, *words):
    options = ("--city", city.folder, "--key", city.key)
    return CliRunner().invoke(app, list(map(str, (city.logs, *options, *words))))


def test_releases_by_rule_recipient_camera_and_month(made):
    told = report(made.log())
    assert [tuple(row.values()) for row in rows(told, "releases")] == [
        ("county-road-9", NOVEMBER, "amber-to-county", COUNTY, "5–9"),
        ("county-road-9", NOVEMBER, "stolen-and-amber", PD, "1–4"),
        ("main-street-2", NOVEMBER, "stolen-and-amber", PD, "10–14"),
    ]
    assert {row["recipient"]: row["released"] for row in rows(told, "recipients")} == {
        COUNTY: "5–9",
        PD: "10–19",
    }


def test_cameras_matches_ends_drops_refusals_and_lists(made):
    told = report(made.log())
    camera = rows(told, "cameras")[0]
    assert (camera["hours"], camera["vehicles"]) == ("40", "1,680–1,684")
    assert camera["minutes stale"] == "120"
    assert [row["matches"] for row in rows(told, "matches")] == ["20–24"]
    ends = {(row["recipient"], row["what"]): row["readings"] for row in rows(told, "ends")}
    assert ends[PD, "withdrawal"] == "5–9"
    assert {row["reason"]: row["vehicles"] for row in rows(told, "dropped")} == {
        "hotlist-stale": "5–9",
        "no-hotlist-match": "3,200–3,204",
    }
    (refusal,) = rows(told, "refusals")
    assert (refusal["destination"], refusal["refusals"]) == ("connect to 198.51.100.7:443", "1–4")
    acts = {row["act"]: row["entries"] for row in rows(told, "by-hand")}
    assert acts == {"add": "1–4", "approve": "1–4"}
    assert {row["changes"] for row in rows(told, "clocks")} == {"1"}


def test_holds_are_told_by_recipient_and_month_in_fives_and_without_a_read(made):
    key = report_holds(made)
    made.log()
    told = make(replace(asked(made), keys=[made.key, key])).report
    assert [tuple(row.values()) for row in rows(told, "holds")] == [
        (PD, NOVEMBER, "begin", "1–4"),
        (PD, NOVEMBER, "end", "1–4"),
        (PD, NOVEMBER, "keep", "5–9"),
        (PD, NOVEMBER, "open", "1–4"),
    ]
    assert f"{1:032x}" not in as_json(told).decode()
    assert not [row for row in rows(told, "gaps") if row["log"].endswith("/hold")]


def test_a_hold_that_did_not_end_stands_among_the_gaps(made):
    key = report_holds(made)
    made.told.logs[PD, "hold"].pop()
    made.log()
    told = make(replace(asked(made), keys=[made.key, key])).report
    (gap,) = [row for row in rows(told, "gaps") if row["log"].endswith("/hold")]
    assert (gap["finding"], gap["bad"], gap["leaf"]) == ("hold-without-end", "bad", "0")


def test_what_became_of_leads_by_camera_and_list(made):
    report_outcomes(made)
    told = report(made.log())
    by_camera = {row["camera"]: row for row in rows(told, "outcomes")}
    assert by_camera["main-street-2"]["list"] == "stolen-vehicle"
    assert {by_camera["main-street-2"][one.value] for one in Disposition} == {"1–4"}
    # 3 to 12 were false, and 1 to 4 were right.
    assert by_camera["main-street-2"]["false of those followed"] == "42–93 %"
    (every,) = rows(told, "false-leads")
    assert every["right-car"] == "1–9"
    assert every["false of those followed"] == "25–97 %"


def test_both_names_of_one_camera_s_log_are_counted_together(made, tmp_path):
    """Whoever holds the key may begin a second log under the city's domain."""
    report_outcomes(made)
    one = report(made.log(), PD)
    named_by_domain(made)
    made.told.logs = {name: made.told.logs[name] for name in [("main-street-2", "watch")]}
    write(made.told, made.logs / "named")
    two = report(made, PD)
    for code, column, before, after in (
        ("releases", "released", "10–14", "20–24"),
        ("outcomes", "right-car", "1–4", "1–4"),
    ):
        numbers = [
            [row[column] for row in rows(told, code) if row["camera"] == "main-street-2"]
            for told in (one, two)
        ]
        assert numbers == [[before], [after]], code
    assert two.said[0].startswith("25–29 readings went")


def test_nobody_reported_anything(made):
    told = report(made.log())
    assert rows(told, "outcomes") == rows(told, "false-leads") == []


@pytest.mark.parametrize(
    ("false", "right", "told"),
    [(0, 0, ""), (0, 3, "0 %"), (3, 0, "100 %"), (1, 1, "20–80 %"), (10, 90, "9–14 %")],
)
def test_a_share_says_no_more_than_its_bands(false, right, told):
    assert share(band(false), band(right)) == told
    if false + right:
        low, high = (int(one) for one in (told.strip(" %").split("–") * 2)[:2])
        assert low <= 100 * false / (false + right) <= high


def test_policies_with_their_dates_changes_and_holders(made):
    told = report(made.log())
    policies = rows(told, "policies")
    assert [(row["version"], row["since"][:10], row["until"][:10]) for row in policies] == [
        ("7", "2026-10-30", "2026-11-15"),
        ("8", "2026-11-15", "still in f"),
    ]
    assert {row["signed by"] for row in policies} == {"Dora Lind, Eli Roy"}
    assert "policy version 8" in " ".join(row["what"] for row in rows(told, "changes"))
    holders = {row["role"]: row["holders"] for row in rows(told, "holders")}
    assert holders["root"] == "Ana Ortiz, Ben Cho, Cleo Park"
    # The daily job came after the first 15 days: what was published had lapsed by then.
    assert [row["from"][:10] for row in rows(told, "lapses")] == ["2026-11-02"]
    (obeyed,) = rows(told, "obeyed")
    assert (obeyed["published"], obeyed["cameras"]) == ("NO", "2")


def test_nothing_went_there_and_nothing_could(made):
    told = report(made.log(), STRANGER, "example-fusion-center", PD)
    first, second, third = told.said
    assert first.startswith("Nothing went to example-fusion-center in November 2026")
    assert "and nothing could" in first
    assert second.startswith(f"10–19 readings went to {PD}")
    assert third.startswith(f"Nothing went to {STRANGER} in November 2026")
    whys = [row for row in rows(told, "asked") if row["recipient"] == STRANGER]
    assert {row["policy"] for row in whys} == {"7", "8"}
    assert {row["could receive"] for row in whys} == {"no"}
    assert any("[recipient-not-in-policy]" in row["why"] for row in whys)
    assert all("policy.toml:" in row["lines"] for row in whys)


def test_nothing_went_there_although_it_could(tmp_path):
    city = reported_city(tmp_path, {("main-street-2", PD): 6}).log()
    (said,) = report(city, COUNTY).said
    assert "A policy of that time would have permitted it" in said


def test_a_camera_without_a_log_is_told(made):
    for process in ("watch", "deliver"):
        del made.told.logs["county-road-9", process]
    told = report(made.log(), STRANGER)
    assert "by the logs of 1 of 2 cameras" in told.said[0]
    missing = [row["log"] for row in rows(told, "logs") if row["verdict"] == "not here"]
    assert missing == [f"platewarden/county-road-9/{one}" for one in ("deliver", "watch")]


def test_gaps_are_told_without_the_words_of_a_reading(made):
    leaves = made.told.logs["main-street-2", "watch"]
    gone = next(
        n for n, one in enumerate(leaves) if one.details.get("hour", "")[:13].endswith("T05")
    )
    leaves.pop(gone)
    end = leaves[-1].at - timedelta(hours=2)
    leaves.insert(-2, Leaf(end, "lost", {"read": "x", "what": "the file is gone"}))
    gaps = rows(report(made.log()), "gaps")
    found = {row["finding"]: row["what"] for row in gaps if "main-street-2" in row["log"]}
    assert "2026-11-01T05:00:00.000Z" in found["hour-without-counts"]
    assert found["read-lost"] == ""


def test_only_the_period_counts(made):
    late = FIRST_DAY + timedelta(days=40)
    made.told.logs["main-street-2", "watch"].append(Leaf(late, "start", {}))
    made.log()
    assert rows(report(made, period="2026-10"), "releases") == []
    day = rows(report(made, period="2026-11-02"), "cameras")
    assert {row["hours"] for row in day} == {"17"}
    with pytest.raises(UsageError, match="no policy was published"):
        report(made, period="2025")


def test_the_same_files_give_the_same_bytes(made, tmp_path):
    made.log()
    first = run(made, "--period", NOVEMBER, "--asked", STRANGER).stdout_bytes
    assert first == run(made, "--period", NOVEMBER, "--asked", STRANGER).stdout_bytes
    moved = tmp_path / "moved"
    made.logs.rename(moved)
    made.log()
    again = run(made, "--period", NOVEMBER, "--asked", STRANGER, "--asked", STRANGER)
    assert again.exit_code == 0
    assert len(again.stdout_bytes) == len(first)  # new salts give other roots


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_asks_nobody_and_holds_no_script(made):
    made.told.logs["main-street-2", "deliver"].append(
        Leaf(FIRST_DAY + 44 * HOUR, "refusal", {"reason": "<script>x", "what": "&"})
    )
    text = run(made.log(), "--period", NOVEMBER).output
    tags = Page(text).tags
    assert not {"script", "link", "img", "iframe"} & {name for name, _ in tags}
    links = [attrs["href"] for _, attrs in tags if "href" in attrs]
    assert links
    assert all(link.startswith("#") for link in links)
    assert "&lt;script&gt;x" in text
    assert not [attrs for _, attrs in tags if "src" in attrs]


@pytest.mark.parametrize("form", ["html", "json", "csv"])
def test_no_reading_and_no_time_of_one_stands_in_it(made, form):
    """P9: what is told is a number; when a reading was released, the logs alone say."""
    made.told.logs["main-street-2", "watch"].insert(
        -2, Leaf(FIRST_DAY + 40 * HOUR, "lost", {"read": "main-street-2-lost", "what": "gone"})
    )
    told = run(made.log(), "--period", NOVEMBER, "--as", form).output
    releases = [
        one for leaves in made.told.logs.values() for one in leaves if "read" in one.details
    ]
    assert len(releases) > 40
    for one in releases:
        assert one.details["read"] not in told
        minute = rfc3339(one.at)[:16]
        assert minute not in told
        assert minute.replace("T", " ") not in told  # as the page writes it


def test_as_csv(made):
    cells = list(csv.DictReader(io.StringIO(run(made.log(), "--period", NOVEMBER, "--csv").output)))
    released = [one for one in cells if (one["table"], one["column"]) == ("releases", "released")]
    assert [(one["at_least"], one["at_most"]) for one in released] == [
        ("5", "9"),
        ("1", "4"),
        ("10", "14"),
    ]


def test_a_log_that_was_touched_is_told_in_the_report_and_ends_with_3(made, tmp_path):
    tamper(
        made.log().logs / "main-street-2/watch",
        "UPDATE leaf SET details = NULL, salt = NULL WHERE n = 3",
    )
    out = tmp_path / "report.json"
    result = run(made, "--period", NOVEMBER, "--json", "--out", out)
    assert isinstance(result.exception, LogRefusedError)
    table = json.loads(out.read_text())["tables"]["logs"]["rows"]
    assert [row[1:4] for row in table if row[0].endswith("main-street-2/watch")] == [
        ["withheld", 67, 1]
    ]


@pytest.mark.parametrize("leaf", [1, 30])
def test_all_but_a_changed_leaf_is_counted_once(made, leaf):
    """What was counted until the leaf that is not as it was signed is counted anew."""
    made.log()
    first = report(made)
    whole = rows(first, "cameras")[1]
    changed = "UPDATE leaf SET details = CAST(replace(details, 'os', 'so') AS BLOB)"
    tamper(made.logs / "main-street-2/watch", f"{changed} WHERE n = {leaf}")
    told = report(made)
    logs = {row["log"]: row for row in rows(told, "logs")}
    log = logs["platewarden/main-street-2/watch"]
    assert (log["verdict"], log["left out"]) == ("not-as-signed", "1")
    camera = rows(told, "cameras")[1]
    assert (camera["camera"], whole["hours"]) == ("main-street-2", "40")
    assert camera["hours"] in {"39", "40"}
    [before, after] = [
        [row for row in rows(one, "releases") if row["camera"] == "main-street-2"]
        for one in (first, told)
    ]
    assert after == before  # 12 or 11


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--period", "October"), "is no day, month or year"),
        (("--period", "2026-13"), "is no day, month or year"),
        (("--period", "2026-11", "--asked", "ICE & co"), "is no identifier"),
        ((), "is no day, month or year"),
    ],
)
def test_what_cannot_be_asked(made, words, said):
    with pytest.raises(UsageError, match=said):
        raise run(made, *words).exception


def test_two_copies_of_one_log_are_refused(made, tmp_path):
    made.log()
    (made.logs / "again").mkdir()
    for file in (made.logs / "main-street-2/watch").iterdir():
        (made.logs / "again" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(UsageError, match="is a second log"):
        report(made)


def test_many_logs_in_other_processes_give_the_same(made, monkeypatch):
    made.log()
    many = as_json(report(made))
    monkeypatch.setattr("agent.city.report.make.FEW", 100)
    assert as_json(report(made)) == many


def test_the_city_s_own_log_is_counted_only_with_its_key(made):
    made.log()
    wanted = Asked(made.folder, [made.logs], Period(NOVEMBER))
    told = make(wanted).report
    assert CITY_LOG[0] not in {one.origin.split("/")[1] for one in told.pins}
    assert rows(told, "by-hand") == []


def test_what_the_file_says_is_what_is_made_again(made, tmp_path):
    file = tmp_path / "r.json"
    file.write_bytes(as_json(report(made.log(), STRANGER)))
    other = asked(made, PD, period="2026")
    assert recompute(file, other).differences == ()
