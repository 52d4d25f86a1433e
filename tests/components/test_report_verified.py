"""`platewarden report --verify`: a report made again from public files, and where it differs."""

import json
import subprocess
import sys
from datetime import timedelta

import pytest

from agent.errors import UsageError
from tests.components.test_report import NOVEMBER, STRANGER, made, run
from tests.support.audit_logs import tamper
from tests.support.reported_city import FIRST_DAY, PD

__all__ = ["made"]
pytestmark = pytest.mark.usefixtures("quick_disk")


class TestVerify:
    """Made again from the public files."""

    @pytest.fixture
    def page(self, made, tmp_path):
        page = tmp_path / "report.html"
        done = run(made.log(), "--period", NOVEMBER, "--asked", STRANGER, "--out", page)
        assert done.exit_code == 0, done.output
        return page

    def differs(self, made, file):
        result = run(made, "--verify", file)
        assert result.exit_code == 3, (result.output, result.exception)
        return result.output

    def test_in_another_process_it_is_the_same_byte_for_byte(self, made, page):
        words = (made.logs, "--city", made.folder, "--key", made.key, "--verify", page)
        done = subprocess.run(
            [sys.executable, "-m", "agent", "report", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert "The same, byte for byte: made again from 5 logs" in done.stdout

    def test_of_logs_that_have_grown_since(self, made, page):
        late = FIRST_DAY + timedelta(days=12)
        from agent.core.log.checkpoint import origin_of
        from agent.core.time.instant import ClockTrust, Instant
        from agent.storage.audit_log import AuditLog
        from tests.support.audit_logs import KEY

        place = made.logs / "main-street-2/watch/log.sqlite"
        clock = lambda: Instant(late, ClockTrust.OS)  # noqa: E731
        with AuditLog(place, origin_of("main-street-2", "watch"), KEY, clock) as log:
            log.append("release", {"read": "z", "recipient": PD, "rule": "stolen-and-amber"})
        assert run(made, "--verify", page).exit_code == 0

    def test_one_leaf_changed_is_named(self, made, page):
        change = "UPDATE leaf SET details = CAST(replace(details, 'exact', 'text') AS BLOB)"
        tamper(made.logs / "main-street-2/watch", f"{change} WHERE n = 1")
        told = self.differs(made, page)
        assert "log platewarden/main-street-2/watch: leaf 1: [leaf-changed]" in told

    def test_one_leaf_withheld_is_named(self, made, page):
        tamper(
            made.logs / "county-road-9/watch",
            "UPDATE leaf SET details = NULL, salt = NULL WHERE n = 2",
        )
        assert "county-road-9/watch: leaf 2: [leaf-withheld]" in self.differs(made, page)

    def test_another_history_under_the_same_key_is_told_to_the_month(self, made, page):
        made.told.logs["main-street-2", "watch"][5].details["sightings"] = 1
        log = "platewarden/main-street-2/watch"
        for old in (made.logs / "main-street-2/watch").iterdir():
            old.unlink()
        keep, made.told.logs = dict(made.told.logs), {}
        made.told.logs["main-street-2", "watch"] = keep["main-street-2", "watch"]
        made.log()
        told = self.differs(made, page)
        assert f"log {log}: another history, signed by the same key" in told
        assert f"between leaves 0 and 66, in {NOVEMBER}" in told

    def test_a_log_that_is_missing_or_shorter(self, made, page, tmp_path):
        (made.logs / "county-road-9/watch").rename(tmp_path / "away")
        assert "log platewarden/county-road-9/watch: it is not here" in self.differs(made, page)

    def test_a_number_changed_in_the_page_is_told_with_its_section(self, made, page):
        page.write_text(page.read_text().replace(">5–9</td>", ">1–4</td>", 1))
        told = self.differs(made, page)
        assert "section releases: it says county-road-9" in told
        assert "section releases: it should say county-road-9" in told
        assert "5–9" in told

    def test_a_sentence_changed_in_the_page(self, made, page):
        page.write_text(page.read_text().replace("nothing could", "something could", 1))
        told = self.differs(made, page)
        assert "section outside of all sections: it says Nothing went to" in told

    def test_of_the_json(self, made, tmp_path):
        file = tmp_path / "report.json"
        run(made.log(), "--period", NOVEMBER, "--json", "--out", file)
        assert run(made, "--verify", file).exit_code == 0
        table = json.loads(file.read_text())
        table["tables"]["releases"]["rows"][1][4] = [5, 9]
        file.write_text(json.dumps(table))
        told = self.differs(made, file)
        assert "section releases: it says" in told
        assert "section recipients" not in told

    @pytest.mark.parametrize("text", ["{}", "[]", "<!doctype html>", "x", '{"v": 1}'])
    def test_what_is_no_report(self, made, tmp_path, text):
        (tmp_path / "file").write_text(text)
        with pytest.raises(UsageError, match="is no report"):
            raise run(made.log(), "--verify", tmp_path / "file").exception

    def test_a_policy_that_is_not_the_published_one(self, made, page):
        made.city.edit_policy(b"version = 8", b"version = 9")
        made.city.write(made.folder / "repository")
        # published later than the period's end it changes nothing; within, it does
        assert run(made, "--verify", page).exit_code == 3
