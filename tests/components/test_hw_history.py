"""The record of a night and the page that compares it: with fabricated records, hostile ones among
them.
"""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from hw_tests.history import page, record
from hw_tests.history.collecting import MASK, Collector
from hw_tests.history.judging import by_environment, compare
from hw_tests.history.record import Figure, Outcome, Run
from tests.support.browser import CHROMIUM, HEIGHT, WIDTH, Browser

BEGUN = datetime(2026, 11, 1, 22, 30, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
HOSTILE = "<script>alert(1)</script>\"'&"


def night(number, *tests, commit=None, figures=(), environment="simulated", sensor="none"):
    """`tests`: (name, outcome) or (name, outcome, message)."""
    where = {
        "environment": environment,
        "commit": commit or f"c{number:011d}",
        "sensor": sensor,
        "python": "3.11.2",
        "machine": "x",
        "version": "0.1.0",
    }
    outcomes = tuple(Outcome(name, outcome, 1.5, *message) for name, outcome, *message in tests)
    return Run(
        BEGUN + timedelta(days=number),
        where,
        {"detector": "0123456789ab"},
        outcomes,
        tuple(Figure(*one) for one in figures),
    )


def failing(*runs):
    (one,) = compare(runs).failing
    return one


# --- judging ---


def test_when_it_last_passed_and_since_when_it_fails():
    runs = [
        night(n, ("t", outcome))
        for n, outcome in enumerate(("passed", "passed", "failed", "skipped", "failed"))
    ]
    one = failing(*runs)
    assert (one.last_passed, one.since, one.flaky) == (runs[1], runs[2], False)


def test_what_never_passed_says_so():
    one = failing(night(0, ("t", "error")), night(1, ("t", "failed")))
    assert one.last_passed is None
    assert "never passed here" in page.page([night(0, ("t", "failed", "boom"))], [])


def test_a_flake_passed_and_failed_on_the_same_software():
    assert failing(
        night(0, ("t", "passed"), commit="a"), night(1, ("t", "failed"), commit="a")
    ).flaky
    assert not failing(
        night(0, ("t", "passed"), commit="a"), night(1, ("t", "failed"), commit="b")
    ).flaky
    other_models = Run(
        BEGUN,
        night(0, commit="a").where,
        {"detector": "ffffffffffff"},
        (Outcome("t", "passed", 1.0),),
    )
    assert not failing(other_models, night(1, ("t", "failed"), commit="a")).flaky, (
        "other weights are other software"
    )


def test_an_uncommitted_tree_is_like_no_other():
    assert not failing(
        night(0, ("t", "passed"), commit="a+"), night(1, ("t", "failed"), commit="a+")
    ).flaky
    assert not failing(
        night(0, ("t", "passed"), commit="unknown"), night(1, ("t", "failed"), commit="unknown")
    ).flaky


def test_mended_and_vanished():
    told = compare(
        [
            night(0, ("a", "failed"), ("b", "passed"), ("c", "passed")),
            night(1, ("a", "passed"), ("b", "skipped")),
        ]
    )
    assert (told.fixed, told.gone, told.failing) == (("a",), ("b", "c"), ())


def test_what_was_mended_on_the_same_software_is_told_once():
    """As a flake; it stood there twice."""
    runs = [night(n, ("a", outcome), commit="c") for n, outcome in enumerate(("failed", "passed"))]
    told = page.changes(compare(runs))
    assert told.count("<code>a</code>") == 1
    assert "flake" in told


def test_a_figure_that_moves_is_pointed_out():
    def series(*values):
        return compare(
            [night(n, figures=[("rate", value, "fps")]) for n, value in enumerate(values)]
        ).series[0]

    assert series(10, 10, 11, 8).moved == pytest.approx(-0.2)
    assert series(10, 10, 11, 9.5).moved is None
    assert series(10, 5).moved is None, "one night before is no median"
    assert series(0, 0, 0, 5).moved is None


def test_other_environments_and_sensors_are_other_stories():
    runs = [
        night(0),
        night(1, environment="pi-ssh", sensor="IMX708"),
        night(2, environment="pi-ssh", sensor="IMX296"),
    ]
    assert len(by_environment(runs)) == 3


# --- records ---


def test_a_record_comes_back_as_it_was(tmp_path):
    run = night(3, ("t", "failed", "boom"), figures=[("rate", 9.5, "fps")])
    path = record.write(tmp_path, run)
    assert record.read(path) == run
    assert [one.name for one in tmp_path.iterdir()] == [path.name], "nothing half-written stays"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.update(format=2), "format"),
        (lambda table: table.update(at="yesterday"), "yesterday"),
        (lambda table: table.pop("tests"), "tests"),
        (lambda table: table["where"].pop("commit"), "commit"),
        (lambda table: table["tests"][0].update(outcome="splendid"), "outcome"),
        (lambda table: table["tests"][0].update(seconds="long"), "number"),
        (lambda table: table["tests"][0].update(message="x" * 5000), "too long"),
        (lambda table: table["figures"].append({"name": "x", "value": True, "unit": ""}), "number"),
        (lambda table: table.update(tests=7), "TypeError"),
    ],
)
def test_a_record_that_is_none_is_one_line_and_the_others_stay(tmp_path, change, said):
    record.write(tmp_path, night(0, ("good", "passed")))
    path = record.write(tmp_path, night(1, ("t", "passed")))
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))
    runs, faults = record.read_all(tmp_path)
    assert len(runs) == len(faults) == 1
    assert faults[0].startswith(path.name)
    assert said in faults[0]
    shown = page.page(runs, faults)
    assert "A record that cannot be read" in shown
    assert "good" in shown


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": NaN}', b" " * 2_000_001],
)
def test_rubbish_is_one_line(tmp_path, content):
    (tmp_path / f"x{record.SUFFIX}").write_bytes(content)
    runs, faults = record.read_all(tmp_path)
    assert (runs, len(faults)) == ([], 1)
    assert len(faults[0]) < 300


# --- the page ---


def test_a_failing_test_stands_on_top_with_what_it_said_and_when_it_last_passed():
    runs = [
        night(0, ("test_a.py::t", "passed"), commit="aaaaaaaaaaaa"),
        night(1, ("test_a.py::t", "failed", "no marks in 60 frames"), commit="bbbbbbbbbbbb"),
    ]
    shown = page.page(runs, [])
    top = shown[: shown.index("<h3>")]
    for words in (
        "1 failed",
        "test_a.py::t",
        "no marks in 60 frames",
        "last passed 2026-11-01 22:30, commit aaaaaaaaaaaa",
        "failing since 2026-11-02 22:30",
    ):
        assert words in top


def test_the_newest_night_is_the_first_column_of_head_and_rows():
    shown = page.page(
        [
            night(0, ("test_a.py::test_it_works", "passed")),
            night(1, ("test_a.py::test_it_works", "failed")),
        ],
        [],
    )
    table = shown[shown.index("<table>") : shown.index("</table>")]
    assert re.findall(r"(\d\d\.11\.)<br>", table) == ["02.11.", "01.11."]
    assert re.findall(r'<td class="(\w+)"', table) == ["failed", "passed"]
    assert "a: it works" in table


def test_what_fails_comes_first_and_what_never_runs_here_last():
    runs = [
        night(
            n,
            ("a", "skipped"),
            ("b", "passed"),
            ("c", "failed" if n else "passed"),
            ("d", "passed" if n else "failed"),
            commit="x",
        )
        for n in range(2)
    ]
    table = page.page(runs, []).partition("<table>")[2]
    assert re.findall(r'<tr><td title="(\w)"', table) == ["c", "d", "b", "a"]


def test_nothing_in_a_record_becomes_html():
    where = dict.fromkeys(
        ("environment", "commit", "sensor", "python", "machine", "version"), HOSTILE
    )
    runs = [
        Run(
            BEGUN + timedelta(days=n),
            where,
            {HOSTILE: HOSTILE},
            (Outcome(HOSTILE, outcome, 1.0, HOSTILE),),
            (Figure(HOSTILE, n, HOSTILE),),
        )
        for n, outcome in enumerate(("passed", "passed", "passed", "failed", "skipped", "failed"))
    ]
    shown = page.page(runs, [HOSTILE])
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") > 10
    assert not re.search(r'(title|class)="[^"]*"[^ />][^>]*"', shown), (
        "an attribute was left by a quote"
    )


def test_the_page_is_whole_by_itself():
    shown = page.page([night(0, ("t", "passed"), figures=[("rate", 9.5, "fps")])], [])
    assert not re.search(r"(src|href)=|url\(|@import|<script|https?://", shown)
    assert "default-src 'none'" in shown
    assert "width=device-width" in shown


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_phone_shows_what_failed_and_last_night_without_scrolling_sideways(tmp_path):
    long = "test_a_very_long_file_name_of_a_test.py::" + "and_a_sentence_that_goes_on_" * 4
    runs = [
        night(
            n,
            (long, "passed" if n < 20 else "failed", "word " * 30),
            figures=[("a figure", n, "°C")],
        )
        for n in range(21)
    ]
    path = tmp_path / "index.html"
    path.write_text(page.page(runs, []), encoding="utf-8")
    with Browser(tmp_path / "profile") as browser:
        browser.go(path.as_uri())
        browser.until("document.readyState === 'complete' && !!document.querySelector('table')")
        assert browser.run("document.documentElement.scrollWidth") <= WIDTH
        assert browser.run("document.querySelector('.card').getBoundingClientRect().top") < HEIGHT
        assert (
            browser.run("document.querySelector('td.failed').getBoundingClientRect().right")
            <= WIDTH
        ), "last night's column"
        assert browser.requests == [path.as_uri()]
        assert browser.console == []


def test_a_skip_says_why_and_no_run_says_so():
    assert "no rtc here" in page.page([night(0, ("t", "skipped", "no rtc here"))], [])
    assert "No run is recorded yet" in page.page([], [])


def test_the_command_writes_the_page_and_its_exit_code_tells(tmp_path):
    record.write(tmp_path, night(0, ("t", "passed")))

    def run(*words):
        return subprocess.run(
            [sys.executable, "-m", "hw_tests.history", *map(str, words)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert run(tmp_path, tmp_path / "index.html").returncode == 0
    record.write(tmp_path, night(1, ("t", "failed")))
    assert run(tmp_path, tmp_path / "index.html").returncode == 1
    assert "1 failed" in (tmp_path / "index.html").read_text()
    assert run(tmp_path).returncode == 2
    assert "no such folder" in run(tmp_path / "nowhere", "x.html").stderr


# --- collecting ---


def report(name="hw_tests/test_a.py::t", when="call", outcome="passed", longrepr=None):
    return SimpleNamespace(
        nodeid=name,
        when=when,
        duration=0.5,
        failed=outcome == "failed",
        skipped=outcome == "skipped",
        passed=outcome == "passed",
        longrepr=longrepr,
    )


def collected(tmp_path, *reports, plates=()):
    collector = Collector(tmp_path, None, "simulated")
    collector.plates |= set(plates)
    for one in reports:
        collector.pytest_runtest_logreport(one)
    collector.pytest_sessionfinish()
    (run,), faults = record.read_all(tmp_path)
    assert faults == []
    return run


def test_the_worst_phase_is_the_outcome(tmp_path):
    crash = SimpleNamespace(reprcrash=SimpleNamespace(message="assert 1 == 2\nmore"))
    run = collected(
        tmp_path,
        *(report("a", "setup"), report("a"), report("a", "teardown")),
        *(
            report("b", "setup"),
            report("b", outcome="failed", longrepr=crash),
            report("b", "teardown"),
        ),
        *(report("c", "setup", "failed", crash), report("c", "teardown")),
        *(report("d", "setup", "skipped", ("f.py", 3, "Skipped: no rtc")), report("d", "teardown")),
    )
    assert {one.test: (one.outcome, one.message) for one in run.tests} == {
        "a": ("passed", ""),
        "b": ("failed", "assert 1 == 2 more"),
        "c": ("error", "assert 1 == 2 more"),
        "d": ("skipped", "no rtc"),
    }
    assert run.tests[0].seconds == 1.5


def test_a_shown_plate_is_struck_out_of_every_message(tmp_path):
    crash = SimpleNamespace(reprcrash=SimpleNamespace(message="expected 9ZZZ999, got nothing"))
    run = collected(tmp_path, report(outcome="failed", longrepr=crash), plates=("9ZZZ999",))
    assert run.tests[0].message == f"expected {MASK}, got nothing"
    assert not any("9ZZZ999" in path.read_text() for path in tmp_path.iterdir())


def test_what_the_night_never_came_to_is_an_error(tmp_path):
    """A camera that hangs ends the session; the rest looked as if nobody had asked for it."""
    collector = Collector(tmp_path, None, "simulated")
    names = ("hw_tests/test_a.py::t", "hw_tests/test_b.py::t")
    collector.pytest_collection_finish(
        SimpleNamespace(items=[SimpleNamespace(nodeid=name) for name in names])
    )
    collector.pytest_runtest_logreport(report(names[0]))
    collector.pytest_sessionfinish()
    (run,), _faults = record.read_all(tmp_path)
    assert [(one.test, one.outcome) for one in run.tests] == [
        ("test_a.py::t", "passed"),
        ("test_b.py::t", "error"),
    ]
    shown = page.page([run], [])
    assert "1 failed" in shown
    assert "did not run: the session ended before it" in shown


def test_what_follows_a_camera_that_did_not_come_up_is_an_error(tmp_path):
    """Labgrid only skips it, and the page said: not tried, and why."""
    skip = ("f.py", 3, "Skipped: CameraStrategy is in broken state")
    run = collected(tmp_path, report("a"), report("b", "setup", "skipped", skip))
    assert (run.tests[1].outcome, run.tests[1].message) == (
        "error",
        "did not run: CameraStrategy is in broken state",
    )


def test_a_run_in_which_nothing_ran_is_no_night(tmp_path):
    collector = Collector(tmp_path, None, "simulated")
    collector.pytest_runtest_logreport(report(outcome="skipped", longrepr=("f", 1, "Skipped: x")))
    collector.pytest_sessionfinish()
    assert list(tmp_path.iterdir()) == []
