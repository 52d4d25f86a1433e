"""Charts with fictitious plates are shown to the camera: how many it reads, by size, angle and
light.

Frames count only when the chart's marks are in view.
"""

from collections import defaultdict

import pytest

from hw_tests.rig import chart
from hw_tests.rig.screen import Printed, screen_of

pytestmark = [pytest.mark.hardware, pytest.mark.timeout(300), pytest.mark.lg_feature("display")]

# The classes of the history, by the plate's width as the camera sees it.
SIZES_PX = (45, 60, 80, 110, 1_000)
# What docs/design/aim.md promises an installer from 80 px on, by day, from in front.
MUST_PX, MUST_RATE = 80, 0.8


@pytest.fixture(scope="module")
def screen(whole_device, tmp_path_factory):
    return screen_of(whole_device, tmp_path_factory.mktemp("screen"))


@pytest.fixture(scope="module")
def tally():
    """(light, angle, class of size) → [read, shown], over the module."""
    return defaultdict(lambda: [0, 0])


def page_numbers():
    return [
        pytest.param(number, id=f"{light}-{angle}deg")
        for number, (light, angle) in enumerate(
            (light, angle) for light, _ in chart.LIGHTS for angle in chart.ANGLES_DEG
        )
    ]


@pytest.mark.parametrize("number", page_numbers())
def test_plates_on_the_chart_are_read(number, screen, tally, device, out, strike_out, figure):
    """By day and from in front, plates of 80 px and more must be read; elsewhere the rate is
    recorded, and the history shows when it falls.
    """
    page, picture = next(
        ((page, picture) for page, picture in screen.pages() if page.page == number), (None, None)
    )
    if page is None:
        pytest.skip(
            "a printed chart is one page, in whatever light there is"
            if isinstance(screen, Printed)
            else "this screen does not show the page"
        )
    for plate in page.plates:
        strike_out(plate.text)
    source = screen.show(page, picture)
    description = out / "page.json"
    description.write_text(page.as_json(), encoding="utf-8")
    there = device.put_files({"page.json": description}, "question")
    description.unlink()
    kept = f"{there}/chart.png"
    arguments = ["--source", source, "--page", f"{there}/page.json", "--frames", "2"]
    config = ["--config", device.options.config] if device.options.live else []
    found = device.probe("chart", *arguments, "--keep", kept, *config)
    assert found["in_view"], (
        f"the chart's four marks were in none of {found['without_marks']} frames: "
        "is the screen on, whole in view, and sharp?"
    )
    device.fetch(kept, out / f"chart-{page.light}-{page.angle_deg}deg.png")
    for plate in found["plates"]:
        size = next(limit for limit in SIZES_PX if plate["seen_px"] < limit)
        tally[page.light, page.angle_deg, size][0] += plate["read"]
        tally[page.light, page.angle_deg, size][1] += found["in_view"]
    record(tally, figure)
    if (page.light, page.angle_deg) == ("day", 0) and not isinstance(screen, Printed):
        large = [
            plate["read"] / found["in_view"]
            for plate in found["plates"]
            if plate["seen_px"] >= MUST_PX
        ]
        assert large, f"no plate is {MUST_PX} px wide: bring the camera nearer to the screen"
        assert sum(large) / len(large) >= MUST_RATE


def record(tally, figure):
    """Recall by size over all pages, by light, by angle; so far as the pages have come."""

    def share(chosen):
        read, shown = (sum(values) for values in zip(*chosen, strict=True))
        return round(100 * read / shown, 1)

    lower = dict(zip(SIZES_PX, (0, *SIZES_PX), strict=False))
    for size in SIZES_PX:
        if chosen := [counts for (_, _, found), counts in tally.items() if found == size]:
            figure(
                f"read, plates {lower[size]}–{size} px"
                if size < 1_000
                else f"read, plates from {lower[size]} px",
                share(chosen),
                "%",
            )
    for light in {key[0] for key in tally}:
        figure(
            f"read, {light}",
            share([counts for key, counts in tally.items() if key[0] == light]),
            "%",
        )
    for angle in {key[1] for key in tally}:
        figure(
            f"read, {angle}° from the side",
            share([counts for key, counts in tally.items() if key[1] == angle]),
            "%",
        )


def test_a_page_that_is_not_shown_is_not_seen(screen, device, out):
    """The marks are believed only for the page that was asked for: another page in view counts as
    no view, and nothing is written.
    """
    page, picture = next(screen.pages())
    source = screen.show(page, picture)
    other = out / "other.json"
    other.write_text(
        chart.draw(page.page + 7, 0, "day", 1.0, chart.generator(1))[0].as_json(), encoding="utf-8"
    )
    there = device.put_files({"page.json": other}, "question")
    other.unlink()
    found = device.probe(
        "chart",
        "--source",
        source,
        "--page",
        f"{there}/page.json",
        "--frames",
        "1",
        "--keep",
        f"{there}/chart.png",
    )
    assert (found["in_view"], found["without_marks"] > 0) == (0, True)
    assert device.run("test", "-e", f"{there}/chart.png", check=False)[0] == 1
