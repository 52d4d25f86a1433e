"""What became of leads, by list and camera, and how many of those that were followed were false."""

from collections.abc import Iterator, Sequence

from agent.city.report.bands import BANDS, NOTHING, Band, Cell, band, in_order, total
from agent.city.report.log_tally import Tally, by_camera
from agent.city.report.report_tables import Table
from agent.core.wire.receipt import Disposition

FALSE = tuple(one for one in Disposition if one.false)
_RATE = (
    "The share of false leads is of those that were followed: it lies between what the other "
    "numbers of its row leave possible."
)


def outcome_tables(tallies: Sequence[Tally]) -> Iterator[Table]:
    """By camera and list; then by list, all cameras together."""
    told = by_camera(tallies, lambda one: one.outcomes)
    cells = {
        key: [told[*key, each.value] for each in Disposition]
        for key in sorted({(camera, category) for camera, category, _ in told})
    }
    yield Table(
        "outcomes",
        "What became of leads, by camera and list",
        "As the recipients reported it; whoever reports nothing is not counted. A list is named by "
        f"its category. {BANDS} {_RATE}",
        ("camera", "list", *(one.value for one in Disposition), "false of those followed"),
        in_order((*key, *_row([band(number) for number in cells[key]])) for key in cells),
        "No recipient reported what became of a lead.",
    )
    lists: dict[str, list[list[int]]] = {}
    for (_, category), numbers in cells.items():
        lists.setdefault(category, []).append(numbers)
    yield Table(
        "false-leads",
        "False leads, by list",
        "All cameras together. A sum is given more widely where it would tell more of a small "
        f"part. {_RATE}",
        ("list", *(one.value for one in Disposition), "false of those followed"),
        in_order(
            (category, *_row([total(parts) for parts in zip(*numbers, strict=True)]))
            for category, numbers in lists.items()
        ),
        "No recipient reported what became of a lead.",
    )


def _row(bands: Sequence[Band]) -> tuple[Cell, ...]:
    """The numbers, and the share that follows from them and from nothing else."""
    told = dict(zip(Disposition, bands, strict=True))
    return *bands, share(sum((told[one] for one in FALSE), NOTHING), told[Disposition.RIGHT_CAR])


def share(false: Band, right: Band) -> str:
    """`12–40 %`, in whole per cent, outwards; "" where nobody followed a lead."""
    most = false.at_most + right.at_least
    if most == 0 and false.at_least + right.at_most == 0:
        return ""
    low = 100 * false.at_least // max(1, false.at_least + right.at_most)
    high = -(-100 * false.at_most // max(1, most))
    return f"{low} %" if low == high else f"{low}–{high} %"
