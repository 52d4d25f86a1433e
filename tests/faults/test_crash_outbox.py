"""Killing watch at every step and at random instants: nothing that was released is lost, nothing is
half-written (P8).
"""

import os
import shutil
import signal
from pathlib import Path

import pytest

from agent.audit.log_verify import verify
from agent.storage.mailbox import OutboxReader
from agent.storage.outbox import Outbox
from tests.faults.killed_writer import MAX_BYTES, RECIPIENT, read_of, released, run
from tests.support.audit_logs import TRUSTED, open_log


def test_kills_at_random_instants_lose_nothing(tmp_path):
    known = run(tmp_path, rounds=8, seed=8)
    assert known.faults == []
    assert known.rounds == 8


class Fuse:
    """Kills this process at the n-th step: before each system call of the storage layer and each
    SQL statement.
    """

    def __init__(self, steps_left):
        self.steps_left = steps_left

    def step(self, *_arguments):
        self.steps_left -= 1
        if self.steps_left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, function):
        def fused(*arguments, **keywords):
            self.step()
            return function(*arguments, **keywords)

        return fused

    def arm(self, log):
        for name in ("open", "write", "fsync"):
            setattr(os, name, self.before(getattr(os, name)))
        Path.rename, Path.unlink = self.before(Path.rename), self.before(Path.unlink)
        log._connection.set_trace_callback(self.step)


def killed_at(folder, steps, action, *, started=True):
    """Run `action(outbox)` in a child that dies at its n-th step. True: it came through.

    `started`: after a start in order.
    """
    child = os.fork()
    if child == 0:
        try:
            log = open_log(folder / "watch")
            outbox = Outbox(folder / "outbox", log, 10, MAX_BYTES)
            if started:
                outbox.recover()
            Fuse(steps).arm(log)
            action(outbox)
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child failed by itself"
    return os.WTERMSIG(status) == signal.SIGTERM


def prepared(template, *numbers):
    """A closed outbox with these reads, to be copied for every step."""
    with open_log(template / "watch") as log:
        log.append("start", {})
        outbox = Outbox(template / "outbox", log, 10, MAX_BYTES)
        for number in numbers:
            outbox.put(read_of(number))
    return template


def recovered(folder):
    with open_log(folder / "watch") as log:
        outbox = Outbox(folder / "outbox", log, 10, MAX_BYTES)
        return (
            list(outbox.recover()),
            [int(read_id, 16) for read_id in outbox.pending()],
            outbox.next_sequence(RECIPIENT),
        )


def assert_sound(folder):
    assert verify(folder / "watch", TRUSTED).faults == ()
    assert [path.name for path in (folder / "outbox").iterdir() if path.suffix != ".sealed"] == []
    reader = OutboxReader(folder / "outbox", MAX_BYTES)
    assert all(
        reader.untrusted_wire(read_id) == read_of(int(read_id, 16)).wire
        for read_id in reader.pending()
    )


def test_killed_before_every_single_step_of_put(tmp_path):
    outcomes, template = [], prepared(tmp_path / "template")
    for steps in range(100):
        folder = shutil.copytree(template, tmp_path / str(steps))
        survived = killed_at(folder, steps, lambda outbox: outbox.put(read_of(1)))
        lost, pending, following = recovered(folder)
        assert lost == []
        assert (pending, following) in ([([1], 2)] if survived else [([], 1), ([1], 2)])
        assert released(folder) == pending
        assert_sound(folder)
        outcomes.append(pending)
        if survived:
            break
    else:
        pytest.fail("put has more than 100 steps")
    assert outcomes[0] == []
    assert outcomes[-1] == [1]
    assert len(outcomes) > 10  # the fuse really cut it to pieces


def test_killed_before_every_single_step_of_remove(tmp_path):
    outcomes, template = [], prepared(tmp_path / "template", 1)
    for steps in range(100):
        folder = shutil.copytree(template, tmp_path / str(steps))
        survived = killed_at(
            folder,
            steps,
            lambda outbox: outbox.remove(f"{1:032x}", "receipt", {"outcome": "stored"}),
        )
        lost, pending, following = recovered(folder)
        assert (lost, following) == ([], 2)
        with open_log(folder / "watch") as log:
            kinds = [
                kind for (kind,) in log.query("SELECT details ->> '$.kind' FROM leaf ORDER BY n")
            ]
        assert kinds == ["start", "release"] + ([] if pending else ["receipt"])
        assert_sound(folder)
        outcomes.append(pending)
        if survived:
            break
    else:
        pytest.fail("remove has more than 100 steps")
    assert (outcomes[0], outcomes[-1]) == ([1], [])
    assert len(outcomes) > 8


def test_killed_during_recovery_itself(tmp_path):
    """A machine that loses power again while it starts."""
    template = prepared(tmp_path / "template", 1, 2, 3)
    for steps in range(100):
        folder = shutil.copytree(template, tmp_path / str(steps))
        sealed = folder / "outbox" / f"{1:032x}.sealed"
        sealed.rename(sealed.with_name(f".{sealed.name}.part"))  # a rename that a crash undid
        (folder / "outbox" / f"{2:032x}.sealed").unlink()  # a file that a broken disk lost
        (folder / "outbox" / f".{9:032x}.sealed.part").write_bytes(b"half")
        survived = killed_at(folder, steps, lambda outbox: outbox.recover(), started=False)
        _, pending, following = recovered(folder)
        assert (pending, following) == ([1, 3], 4)
        with open_log(folder / "watch") as log:
            kinds = [
                kind for (kind,) in log.query("SELECT details ->> '$.kind' FROM leaf ORDER BY n")
            ]
        assert kinds == ["start", "release", "release", "release", "lost"]
        assert_sound(folder)
        if survived:
            return
    pytest.fail("recover has more than 100 steps")
