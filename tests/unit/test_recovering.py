"""The ladder's order, what it tells, and that a frame ends the climb."""

from agent.core.camera.recovery import Ladder, Rung


def test_every_rung_in_order_and_then_only_the_last():
    ladder = Ladder()
    assert [ladder.climb(10.0 + 5 * wait, 5.0) for wait in range(6)] == [
        Rung.RETRY,
        Rung.RESTART,
        Rung.REOPEN,
        Rung.EXIT,
        Rung.EXIT,
        Rung.EXIT,
    ]


def test_the_silence_is_counted_from_the_first_wait():
    ladder = Ladder()
    ladder.climb(105.0, 5.0)
    event = ladder.stalled(ladder.climb(112.0, 5.0), 112.0, "none within 5 s")
    assert event.details == {"rung": "restart", "seconds": 12.0, "why": "none within 5 s"}
    assert (
        event.said
        == "the camera gives no frame for 12 s (none within 5 s): the camera is stopped and started"
    )


def test_a_frame_ends_the_climb_and_is_told_once():
    ladder = Ladder()
    assert ladder.frame_came(1.0) is None, "in peace nothing is told"
    ladder.climb(5.0, 5.0)
    ladder.climb(10.0, 5.0)
    assert ladder.frame_came(11.0).details == {"rung": "restart", "seconds": 11.0}
    assert ladder.frame_came(12.0) is None
    assert ladder.climb(20.0, 5.0) is Rung.RETRY
