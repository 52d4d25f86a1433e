"""A program that says whether an entry still stands is asked without a plate, and has an end."""

import json
import time
from contextlib import closing
from datetime import date
from types import SimpleNamespace

import pytest

from agent.receiver.inbox import entry_check
from tests.support.inbox import come, desk
from tests.support.plate_search import search
from tests.support.sealed import PLATE

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory):
    return desk(tmp_path_factory.mktemp("inbox") / "receiver", names=())


class TestEntryCheck:
    @pytest.mark.parametrize(
        ("script", "words"),
        [
            ("echo stands", "stands, says"),
            ("echo withdrawn", "WITHDRAWN"),
            ("echo unknown", "not known to"),
            ("echo perhaps", "no answer that is known"),
            ("echo stands; exit 1", "no answer that is known"),
            ("yes", "no answer in"),
            ("sleep 60", "no answer in"),
        ],
    )
    def test_a_program_is_asked_without_a_plate(
        self, enrolled, tmp_path, monkeypatch, script, words
    ):
        monkeypatch.setattr(entry_check, "WAIT_S", 0.7)
        [read_id] = come(enrolled)
        with closing(enrolled.place.store()) as store:
            [row] = store.reads(read_id)
            opened_read = enrolled.place.opener().open(store.wire(row))
        program, heard = tmp_path / "check", tmp_path / "heard"
        head = "" if script == "yes" else f"cat > {heard}; env >> {heard}\n"
        program.write_text(f"#!/bin/sh\n{head}{script}\n")
        program.chmod(0o755)
        began = time.monotonic()
        assert words in entry_check.entry_stands([str(program)], opened_read)
        assert time.monotonic() - began < 10
        if head:
            told = json.loads(heard.read_text().partition("}")[0] + "}")
            assert sorted(told) == ["agency", "case", "category", "source_date"]
            assert search(tmp_path, [PLATE]) == []

    def test_one_that_is_not_there(self):
        read = SimpleNamespace(
            entry_agency="x",
            entry_case="x",
            entry_source_date=date(2026, 1, 1),
            tags=SimpleNamespace(category="x"),
        )
        assert "does not start" in entry_check.entry_stands(["/nowhere"], read)
