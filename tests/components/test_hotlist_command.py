"""`platewarden hotlist` over real files: what it writes, prints and refuses; no plate in either
stream, nothing half-written.
"""

import contextlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent import cli
from agent.bundles.hotlist_file import beside, read_hotlist
from agent.city.policy_files import listed_by_category
from agent.errors import ConfigError
from tests.support.judging import EXAMPLE, HEADER

TODAY = datetime.now(UTC).date()
PLATE = "PWD 7Q42"
DATES = f"{TODAY - timedelta(days=3)},{TODAY + timedelta(days=20)}"
ROW = f"{PLATE},US-CA,stolen-vehicle,Town PD,C-1,{DATES}"
WHO = ("--by", "clerk 7", "--why", "reported at the desk")
MORE = (
    "--state",
    "US-CA",
    "--agency",
    "Town PD",
    "--source-date",
    str(TODAY),
    "--expires",
    str(TODAY + timedelta(days=9)),
)


@dataclass(frozen=True, slots=True)
class Said:
    stdout: str
    stderr: str


@pytest.fixture
def city(tmp_path: Path) -> Path:
    folder = tmp_path / "city"
    folder.mkdir()
    for name in ("charter.toml", "policy.toml", "roster.toml"):
        if (EXAMPLE / name).exists():
            shutil.copy(EXAMPLE / name, folder / name)
    policy = folder / "policy.toml"
    policy.write_text(
        re.sub(r"\[hotlist\][^\[]*", "", policy.read_text(encoding="utf-8")), encoding="utf-8"
    )
    return folder


def source(city: Path, *rows: str, header: str = HEADER) -> Path:
    path = city.parent / "agency.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def hotlist(*arguments: object, given: str = "", code: int = 0) -> Said:
    """The command in this process, its streams apart. No plate may stand in either."""
    out, err, ended, stdin = io.StringIO(), io.StringIO(), 0, sys.stdin
    sys.stdin = io.StringIO(given)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main(["hotlist", *map(str, arguments)])
    except SystemExit as end:
        ended = end.code or 0
    finally:
        sys.stdin = stdin
    said = Said(out.getvalue(), err.getvalue())
    assert ended == code, said
    assert "7Q42" not in (said.stdout + said.stderr).upper()
    return said


def cap(city: Path, additions: int) -> None:
    """Give the policy a [hotlist] table with this cap."""
    path = city / "policy.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        f"{text}\n[hotlist]\nmax_age_hours = 24\nadditions_per_day = {additions}\n",
        encoding="utf-8",
    )


def listed(city: Path, text: str = "PWD7Q42") -> list[str]:
    return [entry.case for entry in read_hotlist(city, TODAY).texts(text)]


def test_an_import_is_private_and_says_what_it_kept_and_dropped(city: Path) -> None:
    path = source(
        city,
        ROW,
        ROW.replace("stolen-vehicle", "immigration-violator"),
        ROW.replace("C-1", "C-2").replace("stolen-vehicle", "never-release"),
    )
    told = json.loads(hotlist("import", path, "--city", city, "--json").stdout)
    assert (told["entries"], told["in_force"], told["dropped"]) == (
        2,
        {"never-release": 1, "stolen-vehicle": 1},
        {"immigration-violator": 1},
    )
    assert stat.S_IMODE((beside(city) / "hotlist.bin").stat().st_mode) == 0o600
    assert listed(city) == ["C-1", "C-2"]
    assert [one.name for one in beside(city).glob("*hotlist*")] == ["hotlist.bin"]
    assert not list(city.glob("*hotlist*"))
    assert json.loads(hotlist("show", "--city", city, "--json").stdout)["digest"] == told["digest"]


def test_a_broken_row_refuses_the_import_and_the_old_list_stays(city: Path) -> None:
    hotlist("import", source(city, ROW), "--city", city)
    before = (beside(city) / "hotlist.bin").read_bytes()
    done = hotlist(
        "import", source(city, ROW, ROW.replace("US-CA", "Nowhere")), "--city", city, code=2
    )
    assert "agency.csv:3: state: must be an ISO 3166 code" in done.stderr
    assert (beside(city) / "hotlist.bin").read_bytes() == before
    assert not list(beside(city).glob(".*"))
    told = json.loads(
        hotlist(
            "import", source(city, ROW, "PWD 7Q42"), "--city", city, "--skip-bad-rows", "--json"
        ).stdout
    )
    assert (told["entries"], told["rows_skipped"], told["skipped_lines"]) == (1, 1, [3])


def test_a_list_that_shrinks_by_half_is_refused_unless_it_may(city: Path) -> None:
    """It was remarked upon, and taken."""
    five = (ROW.replace("C-1", f"C-{number}") for number in range(5))
    hotlist("import", source(city, *five), "--city", city)
    two = source(city, ROW, ROW.replace("C-1", "C-2"))
    done = hotlist("import", two, "--city", city, code=2)
    assert "shrank from 5 to 2" in done.stderr
    assert "--allow-shrink" in done.stderr
    assert len(listed(city)) == 5
    hotlist("import", two, "--city", city, "--allow-shrink")
    assert len(listed(city)) == 2


def test_a_wrong_file_does_not_empty_the_list(city: Path) -> None:
    hotlist("import", source(city, ROW), "--city", city)
    other = source(city, ROW.replace("stolen-vehicle", "immigration-violator"))
    for path in (other, source(city)):
        done = hotlist("import", path, "--city", city, code=2)
        assert "--allow-empty" in done.stderr
        assert listed(city) == ["C-1"]
    hotlist("import", source(city), "--city", city, "--allow-empty")
    assert listed(city) == []


def test_the_owner_group_and_mode_of_the_file_stay_but_nobody_else_reads_it(city: Path) -> None:
    hotlist("import", source(city, ROW), "--city", city)
    (beside(city) / "hotlist.bin").chmod(0o644)
    hotlist("import", source(city, ROW), "--city", city)
    assert stat.S_IMODE((beside(city) / "hotlist.bin").stat().st_mode) == 0o640


def test_the_age_counts_from_the_file_or_from_what_the_city_says(city: Path) -> None:
    path = source(city, ROW)
    yesterday = datetime.now(UTC) - timedelta(hours=25)
    os.utime(path, (yesterday.timestamp(), yesterday.timestamp()))
    assert json.loads(hotlist("import", path, "--city", city, "--json").stdout)["stale"] is True
    assert (
        json.loads(
            hotlist(
                "import", path, "--city", city, "--as-of", datetime.now(UTC).isoformat(), "--json"
            ).stdout
        )["stale"]
        is False
    )
    assert (
        "future" in hotlist("import", path, "--city", city, "--as-of", "2999-01-01", code=2).stderr
    )
    assert "--as-of" in hotlist("import", path, "--city", city, "--as-of", "noon", code=2).stderr


def test_two_lists_are_one_too_many(city: Path) -> None:
    (city / "hotlist.csv").write_text(f"{HEADER}\n{ROW}\n", encoding="utf-8")
    assert (
        "another list lies"
        in hotlist("import", source(city, ROW.replace("C-1", "C-9")), "--city", city, code=2).stderr
    )
    hotlist("import", city / "hotlist.csv", "--city", city)
    assert listed(city) == ["C-1"]
    (city / "hotlist.csv").write_text(f"{HEADER}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"not the list that hotlist\.bin was made from"):
        read_hotlist(city, TODAY)


def test_a_policy_that_names_what_the_list_was_not_made_for_is_told(city: Path) -> None:
    hotlist("import", source(city, ROW), "--city", city)
    assert len(read_hotlist(city, TODAY, {"stolen-vehicle"})) == 1
    assert len(read_hotlist(city, TODAY, {"amber-alert"})) == 0
    with pytest.raises(ConfigError, match="wanted-person"):
        read_hotlist(city, TODAY, {"wanted-person"})


def test_a_damaged_list_is_refused(city: Path) -> None:
    hotlist("import", source(city, ROW), "--city", city)
    data = bytearray((beside(city) / "hotlist.bin").read_bytes())
    data[-50] ^= 1
    (beside(city) / "hotlist.bin").write_bytes(data)
    assert "SHA-256" in hotlist("show", "--city", city, code=2).stderr
    assert (
        "SHA-256"
        in hotlist("remove", "--city", city, "--state", "US-CA", *WHO, given=PLATE, code=2).stderr
    )


def test_records_of_fixed_width_need_an_agency_and_a_case(city: Path) -> None:
    path = city.parent / "extract.txt"
    path.write_text(
        f"V{TODAY:%Y%m%d}PWD7Q42   CA2027\nG{TODAY:%Y%m%d}PWD7Q42   CA\n", encoding="ascii"
    )
    assert "--agency and --case" in hotlist("import", path, "--city", city, "--ncic", code=2).stderr
    told = json.loads(
        hotlist(
            "import",
            path,
            "--city",
            city,
            "--ncic",
            "--agency",
            "Example CJIS",
            "--case",
            "X-1",
            "--json",
        ).stdout
    )
    assert (told["entries"], told["dropped"]) == (1, {"unknown": 1})
    assert listed(city) == [f"X-1/{TODAY:%Y%m%d}"]


def test_one_plate_by_hand_up_to_the_cap_and_away_again(city: Path) -> None:
    cap(city, 2)
    hotlist("import", source(city, ROW), "--city", city)
    add = ("add", "--city", city, *MORE, *WHO, "--category", "stolen-vehicle", "--case")
    hotlist(*add, "C-8", given="pwd-7q42\n")
    told = json.loads(hotlist(*add, "C-9", "--json", given="PWD7Q42\n").stdout)
    assert told == {"added": 1, "additions_left_today": 0}
    assert listed(city) == ["C-1", "C-8", "C-9"]
    assert stat.S_IMODE((beside(city) / "hotlist-manual.json").stat().st_mode) == 0o600
    assert "hotlist-additions-spent" in hotlist(*add, "C-10", given=PLATE, code=3).stderr
    remove = (
        "remove",
        "--city",
        city,
        "--state",
        "US-CA",
        "--by",
        "clerk 8",
        "--why",
        "car recovered",
    )
    hotlist(*remove, "--case", "C-1", given=PLATE)
    assert listed(city) == ["C-8", "C-9"]
    hotlist("import", source(city, ROW), "--city", city)
    assert listed(city) == ["C-8", "C-9"]  # the agency still lists it, the city knows better
    told = json.loads(hotlist(*remove, "--json", given=PLATE).stdout)
    assert told == {"withdrawn": 2, "cameras_hold": None, "sent": None}
    assert listed(city) == []
    assert "no such entry" in hotlist(*remove, given=PLATE, code=2).stderr
    assert "hotlist-additions-spent" in hotlist(*add, "C-11", given=PLATE, code=3).stderr
    told = json.loads(hotlist("show", "--city", city, "--json").stdout)
    assert [(act["by"], act["action"]) for act in told["by_hand"]] == [("clerk 7", "add")] * 2 + [
        ("clerk 8", "withdraw")
    ] * 3
    assert (told["in_force"], told["withdrawn"]) == ({}, 3)
    assert re.search(
        r"by hand +5\n  2[-0-9T:.]+Z  add +stolen-vehicle +by clerk 7\n",
        hotlist("show", "--city", city).stdout,
    )


def test_nobody_adds_or_withdraws_without_a_name_and_the_digest_covers_it(city: Path) -> None:
    cap(city, 2)
    hotlist("import", source(city, ROW), "--city", city)
    add = (
        "add",
        "--city",
        city,
        *MORE,
        "--category",
        "stolen-vehicle",
        "--case",
        "C-8",
        "--why",
        "reported at the desk",
    )
    hotlist(*add, given=PLATE, code=2)
    hotlist(
        "remove", "--city", city, "--state", "US-CA", "--why", "car recovered", given=PLATE, code=2
    )
    hotlist(*add, "--by", "clerk 7", given=PLATE)
    before = json.loads(hotlist("show", "--city", city, "--json").stdout)["digest"]
    manual = beside(city) / "hotlist-manual.json"
    manual.write_text(
        manual.read_text(encoding="utf-8").replace("clerk 7", "clerk 9"), encoding="utf-8"
    )
    assert json.loads(hotlist("show", "--city", city, "--json").stdout)["digest"] != before


def test_explain_counts_what_can_match_also_what_was_added_and_withdrawn_by_hand(
    city: Path,
) -> None:
    cap(city, 2)
    old = ROW.replace("C-1", "C-3").replace(DATES, f"{TODAY - timedelta(days=3)},{TODAY}")
    hotlist(
        "import",
        source(
            city,
            ROW,
            ROW.replace("C-1", "C-2"),
            ROW.replace("C-1", "C-4").replace("stolen-vehicle", "amber-alert"),
            old,
        ),
        "--city",
        city,
    )
    assert listed_by_category(city, TODAY) == {"amber-alert": 1, "stolen-vehicle": 2}
    add = ("add", "--city", city, *MORE, *WHO, "--category", "stolen-vehicle", "--case")
    for case in ("C-8", "C-9"):
        hotlist(*add, case, given=PLATE)
    hotlist("remove", "--city", city, "--state", "US-CA", *WHO, "--case", "C-1", given=PLATE)
    assert listed_by_category(city, TODAY) == {"amber-alert": 1, "stolen-vehicle": 3}
    assert listed_by_category(city, TODAY + timedelta(days=9)) == {
        "amber-alert": 1,
        "stolen-vehicle": 1,
    }
    (beside(city) / "hotlist.bin").unlink()
    assert listed_by_category(city, TODAY) is None


def test_a_policy_without_a_word_of_it_permits_no_addition(city: Path) -> None:
    add = ("add", "--city", city, *MORE, *WHO, "--category", "stolen-vehicle", "--case", "C-8")
    assert "hotlist-additions-spent" in hotlist(*add, given=PLATE, code=3).stderr
    assert not (beside(city) / "hotlist-manual.json").exists()


def test_what_the_charter_does_not_allow_is_not_added(city: Path) -> None:
    cap(city, 5)
    done = hotlist(
        "add",
        "--city",
        city,
        *MORE,
        *WHO,
        "--category",
        "immigration-violator",
        "--case",
        "C-8",
        given=PLATE,
        code=3,
    )
    assert "charter-forbids-category" in done.stderr


def test_a_protection_ends_only_when_it_is_asked_for(city: Path) -> None:
    hotlist("import", source(city, ROW.replace("stolen-vehicle", "never-release")), "--city", city)
    remove = ("remove", "--city", city, "--state", "US-CA", *WHO)
    assert "--protection" in hotlist(*remove, given=PLATE, code=2).stderr
    hotlist(*remove, "--protection", given=PLATE)
    assert listed(city) == []


@pytest.mark.parametrize(
    "given",
    [
        "",
        "\n",
        "PWD?7Q42\n",
        "PWD7Q42PWD7Q42\n",
        "PWD7Q4\N{CYRILLIC CAPITAL LETTER A}\n",
        "x" * 100_000,
    ],
)
def test_what_is_no_plate_is_refused_without_quoting_it(city: Path, given: str) -> None:
    cap(city, 5)
    done = hotlist(
        "add",
        "--city",
        city,
        *MORE,
        *WHO,
        "--category",
        "stolen-vehicle",
        "--case",
        "C-8",
        given=given,
        code=2,
    )
    assert re.search("plate: (must be|empty|a word)", done.stderr)


def test_two_writers_at_once_are_one_too_many(city: Path) -> None:
    from agent.city.city_lock import only_writer

    with only_writer(city):
        assert "at work" in hotlist("import", source(city, ROW), "--city", city, code=1).stderr
    hotlist("import", source(city, ROW), "--city", city)


def test_a_folder_without_a_charter_gets_no_list(city: Path) -> None:
    (city / "charter.toml").unlink()
    assert "charter" in hotlist("import", source(city, ROW), "--city", city, code=2).stderr
    assert not (beside(city) / "hotlist.bin").exists()


def test_as_a_process_it_asks_for_the_plate_on_standard_input_and_exits_with_the_right_code(
    city: Path,
) -> None:
    cap(city, 1)
    hotlist("import", source(city), "--city", city)
    command = [
        sys.executable,
        "-m",
        "agent",
        "hotlist",
        "add",
        "--city",
        city,
        *MORE,
        *WHO,
        "--category",
        "stolen-vehicle",
        "--case",
    ]
    codes = [
        subprocess.run(
            [*command, case], input=PLATE, text=True, capture_output=True, timeout=100, check=False
        ).returncode
        for case in ("C-1", "C-2")
    ]
    assert (codes, listed(city)) == ([0, 3], ["C-1"])
