"""What a process says on standard error: once at each change, bounded, and nothing that steers a
terminal.
"""

import pytest

from agent.core.time.instant import ClockTrust
from agent.host import teller as teller_module
from agent.host.teller import MOST_KEYS, MOST_OF_A_KEY, WINDOW_S, Teller, printable
from tests.fakes.clock import FakeClock


class Time:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def teller(time):
    return Teller("watch", monotonic_s=time)


def said(capsys):
    return capsys.readouterr().err.splitlines()


def test_a_state_is_said_once_and_its_end_too(teller, capsys):
    for state in ("down", "down", "up", "up"):
        teller.tell("broker", state)
    assert said(capsys) == ["platewarden watch: broker: down", "platewarden watch: broker: up"]


def test_what_is_usual_is_news_only_after_something_else(teller, capsys):
    teller.tell("clock", "trusted", usual=True)
    assert said(capsys) == []
    teller.tell("clock", "untrusted", "nobody vouches")
    teller.tell("clock", "untrusted", "another reason alone is no change")
    teller.tell("clock", "trusted", usual=True)
    assert said(capsys) == [
        "platewarden watch: clock: untrusted: nobody vouches",
        "platewarden watch: clock: trusted",
    ]


def test_a_link_that_flaps_is_bounded_and_the_state_that_stands_is_said_in_the_end(
    teller, time, capsys
):
    for number in range(100):
        teller.tell("broker", "down" if number % 2 else "up")
    assert len(said(capsys)) == MOST_OF_A_KEY
    teller.tell("other", "down")
    assert len(said(capsys)) == 1, "one thing's limit is not another's"
    time.now_s = WINDOW_S
    teller.tell("broker", "up")
    (line,) = said(capsys)
    assert line.startswith("platewarden watch: broker: up (after ")


def test_the_number_of_things_is_bounded_too(teller, capsys):
    for number in range(MOST_KEYS + 50):
        teller.tell(f"broker {number}", "down")
    assert len(said(capsys)) == MOST_KEYS


def test_what_steers_a_terminal_is_shown_by_its_number(teller, capsys):
    teller.tell("broker", "\u202e\x1b[2J\nplatewarden: done\udc80é")
    assert said(capsys) == [r"platewarden watch: broker: \u202e\x1b[2J\nplatewarden: done\udc80é"]
    assert len(printable("\x1b" * 10_000)) == teller_module.MAX_LINE


def test_quiet_says_nothing_and_a_journal_that_is_gone_stops_nothing(time, monkeypatch, capsys):
    Teller("watch", quiet=True).tell("broker", "down")
    assert said(capsys) == []
    Teller("watch", quiet=True).say("a read is lost", error=True)
    assert said(capsys) == ["platewarden watch: a read is lost"]

    class Gone:
        def write(self, _text):
            raise BrokenPipeError

        def flush(self):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Gone())
    Teller("watch", monotonic_s=time).tell("broker", "down")


def test_a_clock_that_may_not_be_believed_is_told_and_its_return(teller, capsys):
    clock = FakeClock()
    teller.tell_clock(clock)
    assert said(capsys) == []
    clock.trust = ClockTrust.UNTRUSTED
    teller.tell_clock(clock)
    clock.trust = ClockTrust.OS
    teller.tell_clock(clock)
    assert said(capsys) == [
        "platewarden watch: clock: untrusted",
        "platewarden watch: clock: os",
    ]
