"""Fits what tells a plainly whole plate without a picture (`agent/vision/whole/plain_signs.py`):
a logistic regression over the signs that foretells whether the wholeness network would object.

    python -m models.training.whole.plain SAMPLES... [--models DIR]

SAMPLES: of `models.training.whole.samples`. A fifth of the scenes and photographs is left out of
the fit and judged by. Prints the weights and what each limit would spare and let through.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.vision.grey import standardised
from agent.vision.models import load_model, model_entry
from agent.vision.whole.plain_signs import doubt_of_text
from agent.vision.whole.second_look import JUDGED_FROM
from agent.vision.whole.wholeness import LINES, NOT_EXCLUDED, SIGNS
from bench.scoring import SURE
from models.training.whole.samples import STACKED, WHOLE, WRONG, Samples, load, shown

LEFT_OUT = 5  # one in so many
OBJECTION_COUNTS = 3.0  # beside a plate that is whole
DECAY, STEPS = 1e-2, 60
SPARED = (0.2, 0.3, 0.4, 0.45, 0.5, 0.6)  # of whole plates that would be sure

Column = NDArray[np.float64]


def objections(samples: Samples, models: Path | None) -> NDArray[np.bool_]:
    """Of each sample: does the network object, or not exclude stacked characters?"""
    session = load_model("wholeness", 1, models)
    limit = np.array([model_entry("wholeness", models).threshold] * 3)
    limit[1] = NOT_EXCLUDED
    answers = []
    for number in shown(range(len(samples.sure)), "asking"):
        given = {
            "around": standardised(samples.around[number])[None, None],
            "features": samples.features[number : number + 1].astype(np.float32),
            "signs": samples.signs[number : number + 1],
        }
        answers.append(session.run(["chances"], given)[0][0])
    found: NDArray[np.bool_] = (np.array(answers) >= limit).any(axis=1)
    return found


def columns_of(samples: Samples) -> Column:
    """N×25: the signs without the lines, and the doubt of the text."""
    signs = np.delete(samples.signs, [SIGNS.index(name) for name in LINES], axis=1)
    doubts = [doubt_of_text(sure) for sure in samples.sure.tolist()]
    return np.column_stack([signs, doubts]).astype(np.float64)


def fitted(columns: Column, objected: NDArray[np.bool_]) -> tuple[Column, float]:
    """Weights and offset; the sum of both is above 0 where an objection is likely."""
    middle, spread = columns.mean(axis=0), columns.std(axis=0) + 1e-3
    given = torch.from_numpy((columns - middle) / spread)
    wanted = torch.from_numpy(objected.astype(np.float64))
    net = nn.Linear(given.shape[1], 1).double()
    nn.init.zeros_(net.weight)
    nn.init.zeros_(net.bias)
    optimiser = torch.optim.LBFGS(net.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")
    counts = torch.tensor(OBJECTION_COUNTS, dtype=torch.float64)

    def loss() -> Tensor:
        optimiser.zero_grad()
        wrong = nn.functional.binary_cross_entropy_with_logits(
            net(given)[:, 0], wanted, pos_weight=counts
        )
        total = wrong + DECAY * net.weight.square().sum()
        total.backward()
        return total

    optimiser.step(loss)
    weights = net.weight.detach().numpy()[0] / spread
    return weights, float(net.bias.item() - (weights * middle).sum())


def table(samples: Samples, doubts: Column, objected: NDArray[np.bool_]) -> Iterator[str]:
    """A line for each limit, over what was left out of the fit."""
    sure = samples.sure >= SURE
    whole = doubts[sure & (samples.kind == WHOLE)]
    caught = doubts[sure & (samples.kind == WRONG) & objected]
    stacked = doubts[samples.kind == STACKED]
    for share in SPARED:
        limit = float(np.quantile(whole, share))
        yield (
            f"limit {limit:.2f}: spared {share:.0%} of {len(whole)} sure whole plates; "
            f"let through {int((caught < limit).sum())} of {len(caught)} sure wrong reads that "
            f"the network finds, {int((stacked < limit).sum())} of {len(stacked)} stacked ones"
        )


def part(samples: Samples, rows: NDArray[np.bool_]) -> Samples:
    """Those samples."""
    return Samples(*(getattr(samples, name)[rows] for name in Samples.__slots__))


def main(arguments: list[str] | None = None) -> None:
    """Ask the network, fit, judge, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("samples", type=Path, nargs="+")
    parser.add_argument("--models", type=Path, help="another folder with a manifest")
    given = parser.parse_args(arguments)
    samples = load(given.samples)
    samples = part(samples, samples.sure >= JUDGED_FROM)
    objected = objections(samples, given.models)
    kept = samples.number % LEFT_OUT > 0
    columns = columns_of(samples)
    weights, offset = fitted(columns[kept], objected[kept])
    print("WEIGHTS = (" + ", ".join(f"{weight:.3f}" for weight in weights) + ")")
    print(f"OFFSET = {offset:.3f}")
    print(f'FITTED_TO = "{model_entry("wholeness", given.models).sha256[:16]}"')
    doubts = columns @ weights + offset
    for line in table(part(samples, ~kept), doubts[~kept], objected[~kept]):
        print(line)


if __name__ == "__main__":
    main()
