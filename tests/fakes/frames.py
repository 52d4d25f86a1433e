"""A frame source that needs no file and no camera: as many frames as asked for, then an end or an
error.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np

from agent.core.reading.sighting import Frame
from agent.core.time.instant import Instant
from agent.errors import SourceError
from tests.fakes.clock import START
from tests.support.media import picture


class FakeFrameSource:
    """Implements ports.FrameSource.

    `image(n)`: the nth picture. `fails_after`: that many good frames, then SourceError, as a dead
    camera.
    """

    def __init__(
        self,
        count: int = 3,
        *,
        start=START,
        interval_s: float = 0.1,
        image: Callable[[int], np.ndarray] | None = None,
        fails_after: int | None = None,
    ) -> None:
        self._count, self._start, self._interval_s = count, start, interval_s
        self._image, self._fails_after = image or (lambda _number: picture()), fails_after
        self.closed = False

    def frames(self) -> Iterator[Frame]:
        for number in range(self._count):
            if self.closed:
                return
            if number == self._fails_after:
                raise SourceError("the fake camera died, as the test asked", where="fake")
            yield Frame(
                self._image(number),
                Instant(self._start + timedelta(seconds=number * self._interval_s)),
                number,
                f"fake#{number:06d}",
            )

    def close(self) -> None:
        self.closed = True
