"""`platewarden demo`, run once as a user would: its numbers, its refusals, what it keeps, and its
page.
"""

import json
import re
import subprocess
import sys
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agent.commands.demo import KEPT
from agent.demo.scene import RECOVERED, VEHICLES
from tests.support.demo_run import DemoRun

pytestmark = pytest.mark.demo


def test_one_read_travels_and_everything_else_is_dropped(demo_run: DemoRun) -> None:
    summary = demo_run.summary
    assert (summary["sealed"], summary["delivered"], summary["opened"], summary["outbox_left"]) == (
        1,
        1,
        1,
        0,
    )
    assert summary["sightings"] == len(VEHICLES)
    assert summary["dropped"] == len(VEHICLES) - 1
    assert summary["drop_reasons"] == {
        "match-level-not-released": 1,
        "no-hotlist-match": len(VEHICLES) - 2,
    }
    assert summary["seen"] > 50, "a parked car in every frame alone gives more"


def test_six_refusals_with_six_reasons(demo_run: DemoRun) -> None:
    reasons = [refusal["reason"] for refusal in demo_run.summary["refusals"]]
    assert sorted(reasons) == [
        "bundle-signature-threshold",
        "charter-forbids-recipient",
        "destination-not-in-policy",
        "leaf-missing",
        "signature-invalid",
        "spki-pin-mismatch",
    ]


def test_what_a_stranger_can_check(demo_run: DemoRun) -> None:
    proofs = [proof["reason"] for proof in demo_run.summary["proofs"]]
    assert proofs == ["whole", "nothing-could", "leaf-withheld", "cosignature/v1", "held"]
    page = (demo_run.out / "index.html").read_text(encoding="utf-8")
    assert "and nothing could: no policy that was in force permits it" in page
    assert "The log is as it was signed, and not whole." in page
    report = json.loads((demo_run.out / "report.json").read_text(encoding="utf-8"))
    assert [row[1] for row in report["tables"]["logs"]["rows"]].count("whole") == 3
    assert [row[2] for row in report["tables"]["obeyed"]["rows"]] == ["yes"]
    assert [row[-1] for row in report["tables"]["releases"]["rows"]] == [[1, 4]]


def test_the_kept_report_is_made_again_from_what_is_kept(demo_run: DemoRun) -> None:
    command = [sys.executable, "-m", "agent", "report", str(demo_run.out / "log")]
    command += ["--city", str(demo_run.out / "archive")]
    command += ["--verify", str(demo_run.out / "report.html")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The same, byte for byte" in done.stdout


def test_it_keeps_what_the_guide_says_and_nothing_else(demo_run: DemoRun) -> None:
    assert {path.name for path in demo_run.out.iterdir()} == KEPT
    assert (
        json.loads((demo_run.out / "summary.json").read_text(encoding="utf-8")) == demo_run.summary
    )
    assert len(list((demo_run.out / "sealed").iterdir())) == 1
    assert {path.name for path in (demo_run.out / "device").iterdir()} == {"public.json"}
    private = [path for path in demo_run.out.rglob("*.key") if "recipients" not in path.parts]
    assert private == [], "the camera's private keys must not be kept"


def test_the_kept_logs_verify(demo_run: DemoRun) -> None:
    for side in ("watch", "deliver"):
        command = [
            sys.executable,
            "-m",
            "agent",
            "audit",
            "verify",
            str(demo_run.out / "log" / side),
            "--key",
            str(demo_run.out / "device" / "public.json"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


class Links(HTMLParser):
    """Collects everything that a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [
            value or "" for name, value in attrs if name in {"src", "href", "action", "srcset"}
        ]


def test_the_page_is_whole_and_asks_the_network_for_nothing(demo_run: DemoRun) -> None:
    page = (demo_run.out / "index.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert "{{" not in page
    assert "script" not in links.tags
    assert all(source.startswith("data:image/jpeg;base64,") for source in links.sources)
    assert links.tags.count("figure") == len(VEHICLES)
    assert re.search(
        r"<h2>What the camera saw</h2>.*<h2>What left</h2>.*<h2>Can another agency get this\?</h2>",
        page,
        re.DOTALL,
    )


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    command = [sys.executable, "-m", "agent", "demo", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "no earlier demo" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_recovered_car_raises_nothing(demo_run: DemoRun) -> None:
    """Its entry is on the list and has ended; the car went past; nothing but the stolen one was
    sealed.
    """
    rows = (demo_run.work / "city-hotlist/hotlist.csv").read_text(encoding="utf-8").splitlines()
    ended = [row for row in rows if row.startswith(RECOVERED.plate)]
    assert len(ended) == 1
    policy = (demo_run.work / "city/policy.toml").read_text(encoding="utf-8")
    effective = re.search(r"^effective = (.+)$", policy, re.MULTILINE)
    assert effective is not None
    assert (
        str(date.fromisoformat(effective[1]) + timedelta(days=7)) == ended[0].rsplit(",", 1)[1]
    ), "the last field: it ended on the day of the demo"
    assert demo_run.summary["sealed"] == 1
    assert "Stolen, found, given back" in (demo_run.out / "index.html").read_text(encoding="utf-8")


def test_the_page_answers_who_can_get_it_as_explain_does(demo_run: DemoRun) -> None:
    page = (demo_run.out / "index.html").read_text(encoding="utf-8")
    city = demo_run.work / "city"
    command = [
        sys.executable,
        "-m",
        "agent",
        "policy",
        "explain",
        str(city / "policy.toml"),
        "--json",
    ]
    told = json.loads(
        subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    )
    may = {answer["recipient"]: answer["may_receive"] for answer in told["answers"]}
    assert may == {
        "exampleville-pd": True,
        "us-dhs-cbp": False,
        "us-dhs-hsi": False,
        "us-dhs-ice-ero": False,
    }
    charter = (city / "charter.toml").read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(charter, 1) if "us-dhs-ice-ero" in text)
    assert f"charter.toml:{line}  &quot;us-dhs-ice-ero&quot;" in page
    assert len(re.findall(r'<tr class="yes">', page)) == 1
    assert len(re.findall(r'<tr class="no">', page)) == 4


def test_a_pushed_policy_shows_what_it_would_let_out(demo_run: DemoRun) -> None:
    page = (demo_run.out / "index.html").read_text(encoding="utf-8")
    for added in (
        "Example County Sheriff (example-county-sheriff)",
        "US immigration enforcement (ICE ERO) (us-dhs-ice-ero)",
    ):
        assert f"<li>{added} can receive reads, which it could not before" in page
    assert page.count("No camera obeys it. The charter forbids") == 1
