"""Keeps measure-only photographs out of the training: every path that a training reads goes through
here.

Mitigates against: a model that was fitted to the images which judge it, and a model that inherits
their licence.
"""

from pathlib import Path

MEASURE_ONLY_FOLDERS = frozenset({"benchmark_dev", "us_crops_dev", "peers"})


class MeasureOnlyError(ValueError):
    """A training was pointed at data that may only be measured on."""


def refuse_measure_only(path: Path | str) -> Path:
    """Return `path` as a Path, or raise MeasureOnlyError when any part of it, links resolved, is
    measure-only.
    """
    given = Path(path)
    # Both spellings count: a link into a measure-only folder is as bad as its plain name.
    parts = {part.lower() for part in (*given.parts, *given.resolve().parts)}
    for folder in MEASURE_ONLY_FOLDERS:
        if any(folder in part for part in parts):
            message = (
                f"{folder} is measure-only: "
                "choose a training folder (darkplate, romania_night) instead"
            )
            raise MeasureOnlyError(message)
    return given
