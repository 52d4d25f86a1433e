"""A bar on stderr while a large list is read, where stderr is a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LARGE_BYTES = 4 * 1024 * 1024


@contextmanager
def progress(file: Path) -> Iterator[Callable[[Iterator[bytes]], Iterator[bytes]]]:
    """Gives a wrapper for the file's chunks that moves the bar as they are taken.

    After the last one the list is sorted, which the bar says.
    """
    if not sys.stderr.isatty() or not file.is_file() or file.stat().st_size < LARGE_BYTES:
        yield lambda chunks: chunks
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False
    ) as bar:
        task = bar.add_task("reading", total=file.stat().st_size)

        def watched(chunks: Iterator[bytes]) -> Iterator[bytes]:
            for chunk in chunks:
                yield chunk
                bar.advance(task, len(chunk))  # once it has been worked through
            bar.update(task, description="sorting and writing")

        yield watched
