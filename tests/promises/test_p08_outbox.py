"""P8, nothing released is lost: the leaf comes before the file, the file before `put` returns, and
gaps and losses show.
"""

import re
import subprocess
import sys

import pytest

from agent.audit.log_verify import verify
from agent.errors import RefusedError
from agent.storage.outbox import Outbox
from tests.faults.killed_writer import run
from tests.support.audit_logs import TRUSTED, open_log, rows, sealed_read

ONE = f"{1:032x}"

ONE_PUT = """
import sys
from pathlib import Path
from agent.storage.outbox import Outbox
from tests.support.audit_logs import open_log, sealed_read
folder = Path(sys.argv[1])
with open_log(folder / "watch") as log:
    outbox = Outbox(folder / "outbox", log, 5, 1000)
    log.append("start", {})
    open(folder / "BEGIN", "w").close()
    outbox.put(sealed_read(1))
    open(folder / "END", "w").close()
"""


def kinds(folder):
    return [
        kind
        for (kind,) in rows(folder / "watch", "SELECT details ->> '$.kind' FROM leaf ORDER BY n")
    ]


def test_the_kernel_sees_the_syncs_in_the_order_that_survives_a_power_cut(tmp_path):
    """Bytes synced → leaf synced → name given → folder synced, by strace on a real put.

    (SIGKILL cannot show this: the page cache lives on.)
    """
    trace = tmp_path / "trace"
    strace = [
        "strace",
        "-f",
        "-y",
        "-o",
        str(trace),
        "-e",
        "trace=openat,fsync,fdatasync,rename,renameat,renameat2",
    ]
    subprocess.run([*strace, sys.executable, "-c", ONE_PUT, str(tmp_path)], check=True, timeout=60)
    calls = trace.read_text().splitlines()
    begin, end = (
        next(number for number, call in enumerate(calls) if f'/{mark}", ' in call)
        for mark in ("BEGIN", "END")
    )
    calls = calls[begin:end]
    part = f"{tmp_path}/outbox/.{ONE}.sealed.part"
    sealed = f"{tmp_path}/outbox/{ONE}.sealed"
    folder = f"{tmp_path}/outbox"

    def place(pattern):
        places = [number for number, call in enumerate(calls) if re.search(pattern, call)]
        assert places, f"no call like {pattern} in:\n" + "\n".join(calls)
        return places[0]

    bytes_synced = place(rf"f(data)?sync\(\d+<{re.escape(part)}>")
    leaf_synced = place(rf"f(data)?sync\(\d+<{re.escape(str(tmp_path))}/watch/log\.sqlite-wal>")
    named = place(rf'rename.*"{re.escape(part)}".*"{re.escape(sealed)}"')
    folder_synced = place(rf"fsync\(\d+<{re.escape(folder)}>")
    assert bytes_synced < leaf_synced < named < folder_synced


def test_killed_at_random_instants_nothing_is_lost(tmp_path):
    known = run(tmp_path, rounds=3, seed=1)
    assert known.faults == []


def test_a_read_leaves_only_with_a_leaf_that_says_why(tmp_path):
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 5, 1_000)
        for number, why in enumerate(("receipt", "expired", "withdrawal"), 1):
            outbox.put(sealed_read(number))
            outbox.remove(f"{number:032x}", why, {})
        assert outbox.pending() == []
    assert kinds(tmp_path) == ["release", "receipt", "release", "expired", "release", "withdrawal"]


def test_the_leaf_that_says_why_comes_before_the_file_goes(tmp_path, monkeypatch):
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 5, 1_000)
        outbox.put(sealed_read(1))
        monkeypatch.setattr(
            log,
            "append",
            lambda *_arguments, **_keywords: pytest.fail("the log is not to be written now"),
        )
        with pytest.raises(pytest.fail.Exception):
            outbox.remove(ONE, "receipt", {})
        assert outbox.pending() == [ONE]


def test_overflow_is_refused_and_logged_never_silent(tmp_path):
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 1, 1_000)
        outbox.put(sealed_read(1))
        with pytest.raises(RefusedError, match="outbox-full"):
            outbox.put(sealed_read(2))
        assert outbox.pending() == [ONE]
    assert kinds(tmp_path) == ["release", "overflow"]


def test_a_file_that_somebody_deleted_is_reported_and_its_number_never_used_again(tmp_path):
    with open_log(tmp_path / "watch") as log:
        Outbox(tmp_path / "outbox", log, 5, 1_000).put(sealed_read(1))
    (tmp_path / "outbox" / f"{ONE}.sealed").unlink()
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 5, 1_000)
        assert outbox.recover() == [ONE]
        assert outbox.next_sequence("exampleville-pd") == 2
    assert kinds(tmp_path) == ["release", "lost"]
    assert verify(tmp_path / "watch", TRUSTED).faults == ()


def test_every_sequence_number_of_a_recipient_is_in_the_log_once(tmp_path):
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 50, 1_000)
        for number in range(1, 13):
            recipient = ("a", "b", "c")[number % 3]
            outbox.put(sealed_read(number, outbox.next_sequence(recipient), recipient))
    found = rows(
        tmp_path / "watch",
        "SELECT details ->> '$.recipient', details ->> '$.sequence' FROM leaf ORDER BY n",
    )
    assert sorted(found) == [
        (recipient, sequence) for recipient in "abc" for sequence in range(1, 5)
    ]
