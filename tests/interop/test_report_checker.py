"""The page that checks a report, in a real browser, against the same reports, logs and attacks as
the Python code: what is as it was is identical, one leaf changed is named, and nothing unchecked
is told as checked.
"""

import json
import random
import re
import shutil
import sqlite3
from contextlib import closing
from hashlib import sha256

import pytest
from tuf.api.metadata import Metadata
from tuf.api.serialization.json import JSONSerializer

from agent.bundles.layout import SNAPSHOT, TIMESTAMP
from agent.city.report.checker.checker_page import LEFT_TO_THE_COMMAND, checker_page
from agent.city.report.figures import of_logs
from agent.city.report.make import Asked, make
from agent.city.report.recompute import recompute
from agent.city.report.report_tables import Period
from agent.city.report.shown.forms import as_json
from tests.interop.page_seen import on_paper, require_sound
from tests.support.audit_logs import tamper
from tests.support.browser import CHROMIUM, DESK, PHONE, Browser, resize
from tests.support.reported_city import (
    DOMAIN,
    PD,
    closings_and_checkpoints,
    named_by_domain,
    report_holds,
    report_outcomes,
    reported_city,
)
from tests.support.told_logs import Leaf

pytestmark = [
    pytest.mark.interop,
    pytest.mark.usefixtures("quick_disk"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]
NOVEMBER = "2026-11"
NAMES = ("other-federal-agency", PD)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "check.html"
    file.write_bytes(checker_page())
    return file


@pytest.fixture(scope="module")
def one_browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(one_browser, page):
    one_browser.requests.clear()
    one_browser.console.clear()
    one_browser.go(page.as_uri())
    one_browser.until("document.readyState === 'complete' && typeof given === 'object'")
    return one_browser


def report_of(city):
    wanted = Asked(city.folder, [city.logs], Period(NOVEMBER), NAMES, [city.key])
    return as_json(make(wanted).report)


def written(made, folder):
    """The report beside the city; what a newsroom would be sent."""
    file = folder / "report.json"
    file.write_bytes(report_of(made.log()))
    return file


@pytest.fixture
def city(tmp_path):
    made = reported_city(tmp_path)
    named_by_domain(made)
    report_outcomes(made)
    closings_and_checkpoints(made)
    made.told.logs["main-street-2", "watch"].insert(
        -2, Leaf(made.told.logs["main-street-2", "watch"][-2].at, "overflow", {"what": "ü <b>"})
    )
    return made, written(made, tmp_path)


def sent(made, file):
    """Every file that one drags in."""
    found = [file, made.key, *made.folder.rglob("*"), *made.logs.rglob("*")]
    return [str(one) for one in found if one.is_file() and one.suffix != ".lock"]


def by_the_command(city):
    """`report --verify` of the same files."""
    made, file = city
    return recompute(file, Asked(made.folder, [made.logs], Period(NOVEMBER), (), [made.key]))


def put(browser, files):
    chosen = browser.call("Runtime.evaluate", expression="document.getElementById('files')")
    browser.call("DOM.setFileInputFiles", files=files, objectId=chosen["result"]["objectId"])
    browser.until("!document.getElementById('check').disabled")


def checked(browser, files):
    """What the page tells: its verdict in a word, and the lists."""
    put(browser, files)
    browser.run("run()")
    lists = ("differences", "unchecked", "notes", "counted", "left")
    told = {name: browser.run(f"[...$('{name}').children].map(e => e.innerText)") for name in lists}
    return browser.run("$('result').className"), told


def test_the_same_report_is_identical(browser, city):
    verdict, told = checked(browser, sent(*city))
    assert (verdict, told["differences"], told["unchecked"]) == ("same", [], [])
    assert len(told["counted"]) == len(list(of_logs([], [], []))) + 1 - len(LEFT_TO_THE_COMMAND)
    assert {"Who was asked about", "Who holds the keys"} <= set(told["left"])
    assert not set(told["left"]) & set(told["counted"])
    assert "Identical" in browser.run("$('verdict').innerText")


def test_a_checkpoint_whose_line_ends_were_changed_is_no_fault(browser, city):
    file = city[0].logs / WATCH / "checkpoint"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    browser.run("given.notes.length = 0")
    verdict, told = checked(browser, sent(*city))
    assert (verdict, told["differences"], told["unchecked"]) == ("same", [], [])
    logs, notes = browser.run("[given.logs.length, given.notes.length]")
    assert logs == notes, "each log's checkpoint was read"


@pytest.mark.parametrize(("name", "data"), [("checkpoint", b"cut off"), ("cosigned", b"\xff")])
def test_a_checkpoint_that_cannot_be_read_is_told_as_the_command_tells_it(
    browser, city, name, data
):
    (city[0].logs / WATCH / name).write_bytes(data)
    done = [one for one in by_the_command(city).made.logs if one.report.origin == ORIGIN]
    assert [one.report.verdict for one in done] == ["not-all-checked"]
    verdict, told = checked(browser, sent(*city))
    assert (verdict, told["differences"]) == ("unchecked", [])
    assert f"The file {name} cannot be read as a checkpoint" in " ".join(told["unchecked"])


def test_a_database_that_is_no_log_does_no_harm(browser, city):
    """Deliver keeps one beside its log."""
    other = city[0].logs / "main-street-2/deliver/attempts.sqlite"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE attempt (read_id TEXT)")
    verdict, told = checked(browser, sent(*city))
    assert (verdict, told["unchecked"]) == ("same", [])


def test_nobody_is_asked_for_anything(browser, city, page):
    checked(browser, sent(*city))
    assert [one for one in browser.requests if not one.startswith("blob:")] == [page.as_uri()]
    assert browser.console == []
    reached = browser.run(
        "fetch('https://example.invalid/').then(() => 'reached', () => 'refused')"
    )
    assert reached == "refused"
    assert "Content Security Policy" in " ".join(browser.console)


def test_a_script_that_somebody_adds_does_not_run(one_browser, page, tmp_path):
    file = tmp_path / "spoilt.html"
    file.write_text(page.read_text().replace("</body>", "<script>window.x = 1</script></body>"))
    one_browser.go(file.as_uri())
    one_browser.until("document.readyState === 'complete' && typeof given === 'object'")
    assert one_browser.run("typeof window.x") == "undefined"


def test_a_folder_is_dropped(browser, city, tmp_path):
    made, file = city
    everything = tmp_path / "everything"
    for name in (made.folder, made.logs):
        shutil.copytree(name, everything / name.name)
    for name in (file, made.key):
        shutil.copy(name, everything)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(everything)], "dragOperationsMask": 1}
        browser.call("Input.dispatchDragEvent", type=kind, x=100, y=100, data=data)
    browser.until("!document.getElementById('check').disabled")
    browser.run("run()")
    assert browser.run("$('result').className") == "same"


WATCH = "main-street-2/watch"
ORIGIN = f"{DOMAIN}/platewarden/{WATCH}"
ATTACKS = {
    "a detail changed": (
        "UPDATE leaf SET details = CAST(replace(details, 'exact', 'text') AS BLOB) WHERE n = 1",
        "leaf 1: [leaf-changed]",
    ),
    "one leaf deleted": ("DELETE FROM leaf WHERE n = 7", "leaf 7: [leaf-missing]"),
    "the last leaf deleted": (
        "DELETE FROM leaf WHERE n = (SELECT max(n) FROM leaf)",
        "[log-truncated]",
    ),
    "a hash changed with its details": (
        "UPDATE leaf SET hash = zeroblob(32), details = NULL, salt = NULL WHERE n = 5",
        "leaf 5: [leaf-changed]",
    ),
    "half of a leaf wiped": (
        "UPDATE leaf SET details = NULL WHERE n = 4",
        "leaf 4: [leaf-changed]",
    ),
    "peaks changed": (
        "UPDATE checkpoint SET peaks = zeroblob(length(peaks)) WHERE size = 9",
        "leaf 8: [checkpoint-invalid]",
    ),
    "a checkpoint's root changed": (
        "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 3) WHERE size = 9",
        "leaf 8: [checkpoint-invalid]",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_one_leaf_touched_is_named(browser, city, name):
    statement, says = ATTACKS[name]
    tamper(city[0].logs / WATCH, statement)
    verdict, told = checked(browser, sent(*city))
    assert verdict == "differs"
    by_command = by_the_command(city).differences
    assert any(f"log {ORIGIN}: " in one and says in one for one in by_command), by_command
    assert any(f"log {ORIGIN}: " in one and says in one for one in told["differences"])
    assert told["counted"] == []


def test_one_leaf_withheld_is_named(browser, city):
    tamper(city[0].logs / WATCH, "UPDATE leaf SET details = NULL, salt = NULL WHERE n = 2")
    verdict, told = checked(browser, sent(*city))
    assert verdict == "differs"
    assert f"Log {ORIGIN}: leaf 2 is withheld" in told["notes"][0]
    assert any("the report says whole" in one for one in told["differences"])


def test_a_report_of_a_log_with_a_withheld_leaf_is_the_same_and_says_so(browser, tmp_path):
    made = reported_city(tmp_path).log()
    tamper(made.logs / WATCH, "UPDATE leaf SET details = NULL, salt = NULL WHERE n = 2")
    file = tmp_path / "report.json"
    file.write_bytes(report_of(made))
    verdict, told = checked(browser, sent(made, file))
    assert (verdict, told["differences"]) == ("same", [])
    assert "leaf 2 is withheld" in told["notes"][0]


def test_a_recipients_hold_log_is_counted_too(browser, tmp_path):
    made, file = reported_city(tmp_path), tmp_path / "report.json"
    key = report_holds(made)
    made.log()
    wanted = Asked(made.folder, [made.logs], Period(NOVEMBER), NAMES, [made.key, key])
    file.write_bytes(as_json(make(wanted).report))
    verdict, told = checked(browser, [*sent(made, file), str(key)])
    assert (verdict, told["differences"]) == ("same", [])
    rows = json.loads(file.read_bytes())["tables"]["holds"]["rows"]
    assert [PD, NOVEMBER, "keep", [5, 9]] in rows


def test_an_edited_log_that_another_key_signed(browser, city):
    """All of it forged: the tree fits, and the signatures do not."""
    note = "CAST(replace(note, substr(note, -40, 20), 'AAAAAAAAAAAAAAAAAAAA') AS BLOB)"
    tamper(city[0].logs / WATCH, f"UPDATE checkpoint SET note = {note} WHERE size > 20")
    verdict, told = checked(browser, sent(*city))
    assert verdict == "differs"
    assert any("leaf 20: [checkpoint-invalid]" in one for one in told["differences"])


def test_a_number_changed_in_the_report_is_named_with_its_table(browser, city):
    made, file = city
    table = json.loads(file.read_text())
    table["tables"]["releases"]["rows"][1][4] = [5, 9]
    table["said"][1] = table["said"][1].replace("Nothing", "Something")
    file.write_text(json.dumps(table))
    verdict, told = checked(browser, sent(made, file))
    assert verdict == "differs"
    assert sum("table releases: it " in one for one in told["differences"]) == 2
    assert any(one.startswith("said: it says") for one in told["differences"])


@pytest.mark.parametrize("change", [lambda rows: rows + rows[:1], lambda rows: rows[::-1]])
def test_rows_told_twice_or_in_another_order(browser, city, change):
    made, file = city
    table = json.loads(file.read_text())
    table["tables"]["dropped"]["rows"] = change(table["tables"]["dropped"]["rows"])
    file.write_text(json.dumps(table))
    verdict, told = checked(browser, sent(made, file))
    assert verdict == "differs"
    assert [one[:14] for one in told["differences"]] == ["table dropped:"]


def test_another_history_under_the_same_key_is_told_to_the_month(browser, city):
    made, file = city
    made.told.logs["main-street-2", "watch"][5].details["sightings"] = 1
    shutil.rmtree(made.logs / WATCH)
    only = {("main-street-2", "watch"): made.told.logs["main-street-2", "watch"]}
    made.told.logs.clear()
    made.told.logs.update(only)
    made.log()
    _, told = checked(browser, sent(made, file))
    assert any("another history, signed by the same key" in one for one in told["differences"])
    assert any("between leaves 0 and" in one and NOVEMBER in one for one in told["differences"])


def without(city, part):
    return [one for one in sent(*city) if not re.search(part, one)]


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (WATCH, f"Log {ORIGIN} is not here"),
        (r"1\.root\.json", "the archive lacks the city's first root"),
        (r"roster\.jws", "the archive lacks roster.jws"),
        (r"1\.policy\.json", "the archive lacks policy.json"),
        (r"city-log\.json", "no key that the city's roster states signed it"),
    ],
)
def test_what_is_missing_is_told_and_nothing_is_vouched_for(browser, city, part, says):
    verdict, told = checked(browser, without(city, part))
    assert verdict == "unchecked"
    assert any(says in one for one in told["unchecked"]), told
    assert told["counted"] == []


def test_metadata_that_too_few_signed(browser, city):
    [policy] = city[0].folder.rglob("2.policy.json")
    table = json.loads(policy.read_text())
    table["signatures"] = table["signatures"][:1]
    _replaced(city[0], policy, json.dumps(table, separators=(",", ":")))
    verdict, told = checked(browser, sent(*city))
    assert verdict == "unchecked"
    assert "policy 2 of the archive is not signed by enough" in " ".join(told["unchecked"])


def _replaced(made, file, text):
    """Another file under the hash that the snapshots state, so that only its signatures tell: who
    publishes holds the keys of snapshot and timestamp.
    """
    old, new = (sha256(one).hexdigest() for one in (file.read_bytes(), text.encode()))
    file.write_bytes(text.encode())
    folder = file.parent
    for role in (SNAPSHOT, TIMESTAMP):
        for one in folder.glob(f"*{role}.json"):
            metadata = Metadata.from_file(str(one))
            for meta in metadata.signed.meta.values() if role == SNAPSHOT else ():
                if meta.hashes and meta.hashes["sha256"] == old:
                    meta.hashes["sha256"] = new
            if role == TIMESTAMP:
                meta = metadata.signed.snapshot_meta
                snapshot = (folder / f"{meta.version}.snapshot.json").read_bytes()
                meta.length, meta.hashes = len(snapshot), {"sha256": sha256(snapshot).hexdigest()}
            metadata.sign(made.city.signers[role][0])
            metadata.to_file(str(one), JSONSerializer(compact=True))


def test_a_browser_without_ed25519_vouches_for_nothing(browser, city):
    browser.run(
        "crypto.subtle.importKey = () => Promise.reject(new DOMException('', 'NotSupportedError'))"
        ";0"
    )
    verdict, told = checked(browser, sent(*city))
    assert verdict == "unchecked"
    assert "cannot check Ed25519" in told["unchecked"][0]


def test_a_damaged_file_ends_in_words(browser, city):
    """Random bytes changed in a log: never identical, never without an end."""
    chance = random.Random(5)
    database = city[0].logs / WATCH / "log.sqlite"
    good = database.read_bytes()
    for _ in range(12):
        bad = bytearray(good)
        for _ in range(40):
            bad[chance.randrange(100, len(bad))] = chance.randrange(256)
        database.write_bytes(bad)
        browser.run("given.logs.length = 0")
        browser.run("given.reports = 0")
        verdict, told = checked(browser, sent(*city))
        assert verdict != "same"
        assert told["differences"] + told["unchecked"]


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_it_is_seen_whole_and_axe_finds_nothing(browser, city, size):
    resize(browser, size)
    table = json.loads(city[1].read_text())
    table["tables"]["releases"]["rows"][1][4] = [5, 9]
    city[1].write_text(json.dumps(table))
    checked(browser, sent(*city))
    assert browser.run("document.documentElement.scrollWidth") <= size[0]
    require_sound(browser)


def test_it_prints(browser, city, tmp_path):
    checked(browser, sent(*city))
    paper = " ".join(on_paper(browser, tmp_path).split())
    for words in ("Identical: every number", "Counted again here", "not checked here", "Who holds"):
        assert words in paper
