"""What all three trainings can be told on their command lines, and how such a line is written down
for the model's manifest.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from models.training import fonts
from models.training.data_guard import refuse_measure_only
from models.training.loop import Plan, averaged_weights
from models.training.render.syntax import font_names


@dataclass(frozen=True, slots=True)
class Defaults:
    """Of one training.

    `module`: below models.training; `minutes`, `rate`: where none are given; `data`: the
    photographs' folder, None: none.
    """

    module: str
    minutes: float
    rate: float
    data: Path | None = Path("../shared/plates")


@dataclass(frozen=True, slots=True)
class Asked:
    """`data`: folder of the photographs, never a measure-only one; `cache`: of decoded photographs
    and drawn plates; `start`: whose weights to begin with; `teacher`: where that is another.
    """

    plan: Plan
    data: Path | None
    cache: Path
    start: Path | None
    teacher: Path | None


def ask(arguments: Sequence[str], description: str, defaults: Defaults) -> Asked:
    """The command line, understood; seeds and threads set.

    Raises MeasureOnlyError for a folder that only measures.
    """
    given = parsed(arguments, description, defaults)
    for path in (given.data, given.out, given.start, given.teacher):
        if path:
            refuse_measure_only(path)
    if not given.fewer_fonts:
        fonts.require(font_names())
    torch.manual_seed(given.seed)
    torch.set_num_threads(1)  # the other core composes
    command = (
        f"python -m models.training.{defaults.module} --minutes {given.minutes:g} --seed "
        f"{given.seed} --rate {given.rate:g}"
    )
    command += (
        (" --data ../shared/plates" if given.data else "")
        + (" --start START" if given.start else "")
        + (" --teacher TEACHER" if given.teacher else "")
    )
    command += " --fewer-fonts" if given.fewer_fonts else ""
    given.out.mkdir(parents=True, exist_ok=True)
    cache = given.cache or given.out
    cache.mkdir(parents=True, exist_ok=True)
    return Asked(
        Plan(given.out, given.minutes, given.seed, given.rate, command),
        given.data,
        cache,
        given.start,
        given.teacher,
    )


def parsed(arguments: Sequence[str], description: str, defaults: Defaults) -> argparse.Namespace:
    """The command line as it was typed."""
    name = defaults.module.rsplit(".", 1)[0]
    parser = argparse.ArgumentParser(description=description.partition("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=defaults.minutes)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("../train") / name,
        help="checkpoints and history; the same command goes on from there",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        help="decoded photographs and drawn plates, made when missing; "
        "the same folder as --out if not given",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=defaults.data,
        help="folder of train.jsonl with the photographs",
    )
    parser.add_argument("--start", type=Path, help="a checkpoint whose weights to begin with")
    parser.add_argument(
        "--teacher", type=Path, help="of a distillation, where --start is not the teacher"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=defaults.rate)
    parser.add_argument(
        "--fewer-fonts", action="store_true", help="draw with the fonts that are there"
    )
    return parser.parse_args(arguments)


def begin(net: nn.Module, start: Path | None) -> None:
    """Weights of another training, where one is named; what it did not have yet begins as
    nothing.
    """
    if start:
        _missing, unknown = net.load_state_dict(averaged_weights(start), strict=False)
        if unknown:
            message = (
                f"{start}: weights of another network (it has no {unknown[0]}): "
                "begin with a checkpoint of the same training"
            )
            raise SystemExit(message)
