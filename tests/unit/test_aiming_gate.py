"""Who may look during an aim: five wrong PINs, one phone, twenty minutes."""

from agent.core.camera.aim_gate import IDLE_S, WRONG_PINS, Ending, Entry, Gate


def gate():
    return Gate(ends_s=1200.0)


def test_the_right_pin_opens():
    door = gate()
    assert door.enter(1, right=True, token="a") is Entry.WELCOME
    assert door.holder(2) == "a"


def test_the_fifth_wrong_pin_ends_it_for_everybody():
    door = gate()
    door.enter(0, right=True, token="a")
    said = [door.enter(n, right=False, token="x") for n in range(WRONG_PINS)]
    assert said == [Entry.WRONG] * 4 + [Entry.OVER]
    assert door.ending(10) is Ending.WRONG_PIN
    assert door.holder(10) == ""
    assert door.enter(11, right=True, token="b") is Entry.OVER, "the right PIN comes too late"


def test_wrong_pins_are_counted_through_right_ones():
    """Else whoever looks in could guess for others without end."""
    door = gate()
    for n in range(4):
        door.enter(n, right=False, token="x")
    door.enter(5, right=True, token="a")
    assert door.enter(6, right=False, token="x") is Entry.OVER


def test_a_second_phone_waits_until_the_first_is_put_away():
    door = gate()
    door.enter(0, right=True, token="a")
    door.seen(10)
    assert door.enter(10 + IDLE_S - 1, right=True, token="b") is Entry.BUSY
    assert door.holder(20) == "a"
    assert door.enter(10 + IDLE_S, right=True, token="b") is Entry.WELCOME
    assert door.holder(50) == "b", "the first one's token is void"


def test_time_ends_it():
    door = gate()
    door.enter(0, right=True, token="a")
    assert door.ending(1199.9) is None
    assert door.ending(1200) is Ending.TIME
    assert door.holder(1200) == ""


def test_the_first_reason_stays():
    door = gate()
    door.end(Ending.PHONE)
    door.end(Ending.FAULT)
    assert door.ending(5000) is Ending.PHONE


def test_a_token_is_in_no_repr():
    door = gate()
    door.enter(0, right=True, token="secret")
    assert "secret" not in repr(door)
