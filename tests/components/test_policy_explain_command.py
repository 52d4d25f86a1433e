"""`policy explain` and `policy diff` as typed: one screen, the lines that refuse, JSON, the pages,
the exit codes; the documented figures.
"""

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agent.cli import main
from agent.core.judging.explain.false_leads import Inputs
from tests.support.judging import EXAMPLE

POLICY = EXAMPLE / "policy.toml"
ON = ("--on", "2026-11-22")
DOCS = Path(__file__).parents[2] / "docs/ref"


def run(*arguments):
    """Exit code of the command as typed."""
    with pytest.raises(SystemExit) as ended:
        main(["policy", *map(str, arguments)])
    return ended.value.code or 0


def line_of(file, text):
    return next(
        number
        for number, line in enumerate((EXAMPLE / file).read_text().splitlines(), 1)
        if text in line
    )


# --- explain ---


def words(text):
    """What was printed, however it was wrapped."""
    return " ".join(text.split())


def test_the_forbidden_unit_fits_one_screen_and_every_line_that_refuses_is_named(
    capsys, monkeypatch
):
    monkeypatch.chdir(EXAMPLE.parents[2])
    assert (
        run("explain", POLICY.relative_to(EXAMPLE.parents[2]), "--recipient", "us-dhs-ice-ero", *ON)
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert 24 <= len(lines) <= 40
    assert max(map(len, lines)) <= 100
    screen = "\n".join(lines)
    assert "NO. No camera under this policy sends it anything" in screen
    assert f"charter.toml:{line_of('charter.toml', 'us-dhs-ice-ero')} " in screen
    for listed in ("exampleville-pd", "example-county-sheriff"):
        assert f"policy.toml:{line_of('policy.toml', f'id = {json.dumps(listed)}')} " in screen
    for reason in (
        "charter-forbids-recipient",
        "recipient-not-in-policy",
        "rule-not-in-policy",
        "no-broker-for-recipient",
    ):
        assert f"[{reason}]" in screen
    assert "7284.6" in screen, "the law's citation"


def test_the_other_unit_is_refused_by_other_lines(capsys):
    run("explain", POLICY, "--recipient", "us-dhs-hsi", *ON)
    screen = capsys.readouterr().out
    assert "NO. No camera" in screen
    assert "[charter-forbids-recipient]" not in screen
    assert "[recipient-not-in-policy]" in screen


def test_the_police_department_gets_hits_from_the_cameras_that_are_not_barred(capsys):
    run("explain", POLICY, "--recipient", "exampleville-pd", *ON)
    screen = capsys.readouterr().out
    assert "YES. Exampleville Police Department, by Ordinance 2026-14." in screen
    assert "never clinic-road-1" in screen
    assert re.search(r"charter\.toml:\d+ +\[\[barred\]\]", screen)
    assert "estimates" in screen


def test_everybody_in_overview_those_who_may_first(capsys):
    run("explain", POLICY, *ON)
    screen = capsys.readouterr().out
    marks = re.findall(r"^  (YES|NO)  ", screen, re.MULTILINE)
    assert marks == sorted(marks, reverse=True)
    assert "anybody else" in screen


def test_json_holds_the_same(capsys):
    run("explain", POLICY, "--json", *ON)
    told = json.loads(capsys.readouterr().out)
    may = {answer["recipient"]: answer["may_receive"] for answer in told["answers"]}
    assert may["exampleville-pd"]
    assert not may["us-dhs-ice-ero"]
    (rule,) = next(
        answer["rules"] for answer in told["answers"] if answer["recipient"] == "exampleville-pd"
    )
    assert rule["cameras"]["main-street-2"] == "all day"
    assert "clinic-road-1" not in rule["cameras"]
    assert told["anybody_else"]["refused_by"][0]["reason"] == "recipient-not-in-policy"


def test_another_list_size_scales_the_estimate(capsys):
    figures = []
    for size in ("1000", "100000"):
        run("explain", POLICY, "--json", "--list-size", size, *ON)
        told = json.loads(capsys.readouterr().out)
        figures.append(told["answers"][0]["rules"][0]["false_leads_per_camera_and_day"]["estimate"])
    assert figures[1] == pytest.approx(100 * figures[0])
    assert figures[1] == pytest.approx(10_000 * (0.1 + 0.1) * 100_000 / 158_184_000)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--recipient", "ICE ERO"), "is no identifier"),
        (("--recipient", "us-dhs-ice-er\u043e"), "is no identifier"),  # the last letter is Cyrillic
        (("--charter", "nowhere.toml"), "no such file"),
        (("--html", "/nowhere/page.html"), "not a file that can be written"),
    ],
)
def test_what_cannot_be_obeyed_is_a_usage_error(arguments, says, capsys):
    assert run("explain", POLICY, *arguments) == 2
    assert says in capsys.readouterr().err


def test_the_figures_in_the_document_are_those_of_the_code():
    text = (DOCS / "policy-explain.md").read_text()
    for field in dataclasses.fields(Inputs):
        if field.default is not dataclasses.MISSING:
            assert f"| {field.default:,} |" in text, f"{field.name}: {field.default}"


# --- the pages ---


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.sources, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [
            value for name, value in attrs if name in {"src", "href", "action", "srcset"}
        ]
        if tag not in {"meta", "br", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page(path):
    text, links = path.read_text(), Links()
    links.feed(text)
    assert links.open == []
    assert "{{" not in text
    assert not {"script", "link", "img", "iframe"} & set(links.tags)
    assert all(source.startswith("#") for source in links.sources)
    assert "url(" not in text
    assert "@import" not in text
    return text


def test_the_public_page_answers_and_asks_the_network_for_nothing(tmp_path, capsys):
    run("explain", POLICY, "--html", tmp_path / "page.html", *ON)
    text = page(tmp_path / "page.html")
    assert "Who can get my licence plate from these cameras?" in text
    assert re.search(
        r'<a href="#us-dhs-ice-ero">[^<]+</a>(<br><code[^>]*>us-dhs-ice-ero</code>)?</td><td>'
        r'<span class="word">No</span>',
        text,
    )
    assert re.search(
        r'<a href="#exampleville-pd">Exampleville Police Department</a><br>'
        r'<code class="id">exampleville-pd</code></td><td><span class="word">Only if listed</span>',
        text,
    )
    assert f"charter.toml:{line_of('charter.toml', 'us-dhs-ice-ero')}" in text


def test_what_stands_in_the_files_cannot_become_part_of_the_page(tmp_path, capsys):
    evil = POLICY.read_text().replace(
        "Exampleville Police Department", "<script>alert(1)</script>{{DIGEST}}"
    )
    (tmp_path / "policy.toml").write_text(evil)
    run("explain", tmp_path / "policy.toml", "--html", tmp_path / "page.html", *ON)
    text = (tmp_path / "page.html").read_text()
    assert "<script" not in text
    assert "{{DIGEST}}" in text, "a part's own braces are text"


# --- diff ---


@pytest.fixture
def changed(tmp_path):
    """A changed copy of the example policy; the charter and the roster stay where they are."""

    def change(*replacements):
        text = POLICY.read_text().replace("version = 7", "version = 8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / "new.toml").write_text(text)
        return tmp_path / "new.toml"

    return change


def test_equal_policies(capsys):
    assert run("diff", POLICY, POLICY, "--no-gain") == 0
    assert "Nothing changes." in capsys.readouterr().out


def test_a_gain_is_told_and_ends_with_3_only_for_scripts(changed, capsys):
    new = changed(
        ('match = ["exact", "text"]              #', 'match = ["exact", "text", "confusable"] #')
    )
    assert run("diff", POLICY, new) == 0
    assert "also receives confusable matches of amber-alert and stolen-vehicle" in words(
        capsys.readouterr().out
    )
    assert run("diff", POLICY, new, "--no-gain") == 3
    told = capsys.readouterr()
    assert "refused [policy-lets-out-more]" in told.err
    assert "also receives confusable" in words(told.out)
    assert run("diff", new, POLICY, "--no-gain") == 0


def test_removing_one_recipient_changes_exactly_its_lines(changed, capsys):
    text = POLICY.read_text()
    rule = text[text.index('[[release]]\nrule = "amber-to-county"') : text.index("[[recipient]]")]
    start = text.index('[[recipient]]\nid = "example-county-sheriff"')
    entry = text[start : text.index("[[", start + 2)]
    new = changed((rule, ""), (entry, ""), ('"example-county-sheriff", ', ""))
    assert run("diff", POLICY, new, "--json", "--no-gain") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["lets_out"], told["also"]) == ([], [])
    (gone,) = told["restricts"]
    assert (gone["kind"], gone["recipient"]) == ("recipient", "example-county-sheriff")
    assert [line["line"] for line in gone["lines"]] == [
        line_of("policy.toml", 'id = "example-county-sheriff"'),
        line_of("policy.toml", 'recipient = "example-county'),
    ]


def test_what_the_charter_forbids_ends_with_3_and_is_told_all_the_same(changed, capsys):
    new = changed(('purpose = "missing-child-search"', 'purpose = "immigration-enforcement"'))
    assert run("diff", POLICY, new) == 3
    told = capsys.readouterr()
    assert "The charter forbids the new policy" in told.out
    assert "also receives for the purpose immigration-enforcement" in words(told.out)
    assert "refused [charter-forbids-purpose]" in told.err


def test_the_page_of_a_change(changed, tmp_path, capsys):
    new = changed(("max_per_hour = 20", "max_per_hour = 40"))
    run("diff", POLICY, new, "--html", tmp_path / "diff.html")
    text = page(tmp_path / "diff.html")
    assert "one way in which more would leave" in text
    assert "40 instead of 20 an hour and camera" in text


@pytest.fixture
def edited_charter(tmp_path):
    """The example's folder, with one more line in its charter."""

    def edit(line):
        for file in Path(POLICY).parent.glob("*.toml"):
            (tmp_path / file.name).write_text(file.read_text())
        above = tmp_path / "charter.toml"
        above.write_text(f"{line}\n{above.read_text()}")
        return tmp_path / "policy.toml"

    return edit


def test_what_the_charter_forbids_every_policy_is_told_with_its_lines(tmp_path, capsys):
    """A purpose that nobody asks for is in no answer, and so was on no page."""
    run("explain", POLICY, *ON)
    text = words(capsys.readouterr().out)
    assert 'no reading may be used for "' in text
    assert "no reading is kept longer than" in text
    run("explain", POLICY, "--json", *ON)
    told = json.loads(capsys.readouterr().out)["charter_forbids"]
    assert {line["text"].split(" ")[0] for one in told for line in one["lines"]} >= {
        "forbidden_purposes",
        "forbidden_recipients",
        "allowed_categories",
        "max_retention",
    }
    run("explain", POLICY, "--html", tmp_path / "page.html", *ON)
    assert "What the council forbids, whatever the policy says" in page(tmp_path / "page.html")
    run("diff", POLICY, POLICY, "--html", tmp_path / "diff.html")
    shown = page(tmp_path / "diff.html")
    assert "No reading may be used for" in shown
    assert shown.count("A draft: nobody") == 2


def test_the_page_tells_whom_to_write_to(edited_charter, tmp_path, capsys):
    run("explain", POLICY, "--html", tmp_path / "a.html", *ON)
    assert "The charter names no office for complaints." in page(tmp_path / "a.html")
    policy = edited_charter('complaints = "City Clerk, Room <2>"')
    run("explain", policy, "--html", tmp_path / "b.html", *ON)
    assert "Write to: <b>City Clerk, Room &lt;2&gt;</b>." in page(tmp_path / "b.html")


def test_a_short_list_stands_beside_a_long_one(tmp_path, capsys):
    """Twelve entries make any street look safe."""
    run("explain", POLICY, "--list-size", "12", "--html", tmp_path / "page.html", *ON)
    out = capsys.readouterr().out
    assert "with 12 listed" in out
    assert "were 100,000 listed" in out
    assert "With 100,000 listed: " in page(tmp_path / "page.html")
    run("explain", POLICY, "--list-size", "100000", *ON)
    assert "were 100,000 listed" not in capsys.readouterr().out


def test_days_are_written_so_that_no_month_is_a_day(capsys):
    run("explain", POLICY, *ON)
    told = " ".join(capsys.readouterr().out.split())
    days = re.findall(r"\b(?:on|until) (\S+ ?\S* ?\S*\d{4})", told)
    assert len(days) >= 3
    assert all(re.fullmatch(r"\d{1,2} [A-Z][a-z]+ \d{4}", day) for day in days), days
    assert not re.search(r"\d{1,4}/\d{1,2}/\d{2,4}|\d{4}-\d\d-\d\d", told)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "two policies are needed"),
        (("one.toml",), "two policies are needed"),
        (("one.toml", "two.toml", "--city", "."), "names the city's own policies"),
    ],
)
def test_a_difference_needs_two_files_or_a_city(arguments, says, capsys):
    assert run("diff", *arguments) == 2
    assert says in capsys.readouterr().err
