"""Draws the figures: accuracy by region and by width, reliability, CPU time.

Colours of Okabe and Ito, which colour-blind people tell apart.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")  # no window, no display

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from bench.report import Comparison
from bench.summary import Accuracy, Summary

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")


def draw(comparison: Comparison, cpu_ms: dict[str, np.ndarray], folder: Path) -> Path:
    """One PNG with four panels. `cpu_ms`: every measurement, by system."""
    figure, axes = plt.subplots(2, 2, figsize=(13, 9), layout="constrained")
    colours = {
        system.name: COLOURS[number % len(COLOURS)]
        for number, system in enumerate(comparison.systems)
    }
    _regions(axes[0, 0], comparison.systems, colours)
    _widths(axes[0, 1], comparison.systems, colours)
    _reliability(axes[1, 0], comparison.systems, colours)
    _times(axes[1, 1], cpu_ms, colours)
    figure.suptitle(
        f"{comparison.images} pictures, {comparison.plates} plates; thin lines: 95 % intervals",
        fontsize=11,
    )
    handles = [Patch(color=colour, label=name) for name, colour in colours.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)
    path = folder / "bench.png"
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


def _bars(
    axes: Axes,
    groups: Sequence[str],
    systems: Sequence[Summary],
    figures_of,
    colours: dict[str, str],
) -> None:
    """A bar per system in each group, with its interval."""
    width = 0.8 / len(systems)
    for number, system in enumerate(systems):
        figures = figures_of(system)
        places = np.arange(len(groups)) + (number - (len(systems) - 1) / 2) * width
        values = np.array([figure.value for figure in figures]) * 100
        spans = (
            np.array(
                [[figure.value - figure.low, figure.high - figure.value] for figure in figures]
            ).T.clip(0)
            * 100
        )
        axes.bar(
            places,
            values,
            width * 0.92,
            yerr=spans,
            capsize=2,
            color=colours[system.name],
            error_kw={"linewidth": 0.8},
        )
    axes.set_xticks(range(len(groups)), groups, fontsize=8)
    axes.set_xlim(-0.6, len(groups) - 0.4)  # also where a group has no bar
    axes.set_ylim(0, 102)
    axes.set_ylabel("%")
    axes.grid(axis="y", alpha=0.3)


def _regions(axes: Axes, systems: Sequence[Summary], colours: dict[str, str]) -> None:
    regions = list(systems[0].regions)

    def figures(system: Summary):
        return [figure for region in regions for figure in _three(system.regions[region][0])]

    _bars(
        axes,
        [f"{what}\n{region}" for region in regions for what in ("recall", "folded", "chars")],
        systems,
        figures,
        colours,
    )
    axes.set_title("recall at 0.3, plates read exactly (folded), characters", fontsize=10)


def _three(accuracy: Accuracy):
    return accuracy.recall, accuracy.folded, accuracy.characters_folded


def _widths(axes: Axes, systems: Sequence[Summary], colours: dict[str, str]) -> None:
    labels = [f"{label}\n{groups[0].plates} plates" for label, groups in systems[0].widths.items()]
    _bars(
        axes,
        labels,
        systems,
        lambda system: [groups[0].folded for groups in system.widths.values()],
        colours,
    )
    axes.set_title("plates read exactly (folded), by width", fontsize=10)


def _reliability(axes: Axes, systems: Sequence[Summary], colours: dict[str, str]) -> None:
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
    for system in systems:
        bins = system.calibration.bins
        said, right = [one.said for one in bins], [one.right.value for one in bins]
        spans = (
            np.array(
                [
                    [one.right.value - one.right.low, one.right.high - one.right.value]
                    for one in bins
                ]
            )
            .reshape(-1, 2)
            .T.clip(0)
        )
        label = f"ECE {system.calibration.ece_equal_mass:.3f}"
        axes.errorbar(
            said,
            right,
            yerr=spans,
            marker="o",
            markersize=4,
            capsize=2,
            linewidth=1,
            color=colours[system.name],
            label=label,
        )
    axes.set(
        xlim=(0, 1.01),
        ylim=(0, 1.02),
        xlabel="said: confidence of the whole plate",
        ylabel="right (folded)",
    )
    axes.set_title("reliability", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")


def _times(axes: Axes, cpu_ms: dict[str, np.ndarray], colours: dict[str, str]) -> None:
    median = {"color": "black", "linewidth": 1.5}
    every = [taken.ravel() for taken in cpu_ms.values()]
    drawn = axes.boxplot(
        every,
        orientation="horizontal",
        tick_labels=[""] * len(every),
        patch_artist=True,
        showfliers=False,
        medianprops=median,
    )
    for patch, name in zip(drawn["boxes"], cpu_ms, strict=True):
        patch.set_facecolor(colours[name])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("CPU ms a picture, without decoding it")
    axes.set_title("time: median, quartiles, whiskers to 1.5 of their distance", fontsize=10)
    axes.grid(axis="x", alpha=0.3)
