"""One process that composes batches while another trains on them."""

import multiprocessing
import queue
import signal
from collections.abc import Callable, Iterator
from typing import Any

import cv2

FIRST_WITHIN_S, NEXT_WITHIN_S = 1800, 600
LOOK_EVERY_S = 5.0

Compose = Callable[[Callable[[], float]], Iterator[Any]]


class Feeder:
    """An iterator over what `compose` yields in a process of its own; `compose` is given a look at
    the share of time spent, 0–1.

    The process ends with its parent, also when that is killed: a composing process left behind
    would eat a core for ever.
    """

    def __init__(self, compose: Compose, depth: int = 16, share: float = 0.0) -> None:
        context = multiprocessing.get_context("fork")
        self._share = context.Value("d", share)
        self._queue = context.Queue(depth)
        self._process = context.Process(
            target=_feed, args=(compose, self._queue, self._share), daemon=True
        )
        self._process.start()
        self._wait_s = FIRST_WITHIN_S

    def tell(self, share: float) -> None:
        """Let the composing process know how far the training is."""
        self._share.value = share

    def __iter__(self) -> "Feeder":
        return self

    def __next__(self) -> Any:
        waited = 0.0
        while True:
            try:
                batch = self._queue.get(timeout=LOOK_EVERY_S)
            except queue.Empty:
                waited += LOOK_EVERY_S
                if not self._process.is_alive() or waited > self._wait_s:
                    message = (
                        f"the composing process gave nothing for {waited:.0f} s "
                        f"(exit code {self._process.exitcode}): see its message above"
                    )
                    raise RuntimeError(message) from None
            else:
                self._wait_s = NEXT_WITHIN_S
                return batch

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join(LOOK_EVERY_S)
        self._process.kill()
        self._process.join()


def _feed(compose: Compose, batches: Any, share: Any) -> None:
    # A handler that the parent had would swallow our end, and the parent waits for it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)
    parent = multiprocessing.parent_process()
    for batch in compose(lambda: float(share.value)):
        while True:
            try:
                batches.put(batch, timeout=LOOK_EVERY_S)
                break
            except queue.Full:
                if parent is not None and not parent.is_alive():
                    return
