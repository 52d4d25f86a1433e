"""A logistic regression, drawn a little to where it starts from: few samples decide nothing."""

import numpy as np
from numpy.typing import NDArray

PRIOR = 0.01  # how strongly the parameters are drawn to the start
ROUNDS = 50  # Newton's method has long arrived then
LONGEST = 1.0  # of its steps: a longer one may leave the valley
Numbers = NDArray[np.float64]


def regressed(rows: Numbers, right: Numbers, weights: Numbers, start: Numbers) -> Numbers:
    """The parameters, as many as there are columns in N×K `rows`, with the least log loss.

    `right`: N, 0 or 1; `weights`: N, how much each counts.
    """
    found = start.copy()
    for _ in range(ROUNDS):
        said = 1 / (1 + np.exp(-rows @ found))
        slope = rows.T @ (weights * (said - right)) + PRIOR * (found - start)
        bend = (rows.T * (weights * said * (1 - said))) @ rows + PRIOR * np.eye(len(start))
        step = np.linalg.solve(bend, slope)
        found = found - step * min(1.0, LONGEST / max(float(np.linalg.norm(step)), 1e-12))
    return found
