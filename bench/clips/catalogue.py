"""Every scene by its name."""

from collections.abc import Callable
from functools import partial

from bench.clips.clip import Clip
from bench.clips.light import LIGHTS
from bench.clips.scenes.crossing import crossing
from bench.clips.scenes.edge import edge
from bench.clips.scenes.empty import empty
from bench.clips.scenes.hidden import hidden_pass, hidden_stand
from bench.clips.scenes.next_car import next_car
from bench.clips.scenes.parked import parked
from bench.clips.scenes.passing import passing
from bench.clips.scenes.queue import queue
from bench.clips.scenes.several import several
from bench.clips.scenes.standing import standing
from bench.clips.scenes.traffic import traffic

SPEEDS_MPH = (20, 35, 50, 70)
MOST_PLATES = 6

Draw = Callable[[int], Clip]

SCENES: dict[str, Draw] = {
    **{
        f"passing-{mph}mph-{light.name}": partial(passing, mph=mph, light=light)
        for mph in SPEEDS_MPH
        for light in LIGHTS
    },
    **{f"empty-{light.name}": partial(empty, light=light) for light in LIGHTS},
    **{f"plates-{count}": partial(several, plates=count) for count in range(1, MOST_PLATES + 1)},
    "light-traffic": traffic,
    "parked": parked,
    "crossing": crossing,
    "queue": queue,
    "edge": edge,
    "hidden-pass": hidden_pass,
    "hidden-stand": hidden_stand,
    "standing-hour": standing,
    "next-car": next_car,
}
# Long ones are run when they are asked for, and by --all.
LONG = frozenset({"standing-hour", "next-car"})
