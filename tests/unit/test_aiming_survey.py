"""A survey's hours: what works at noon and fails at night, and why; and not a plate in any of
it.
"""

from datetime import timedelta

from agent.aim.survey_chart import cells, page
from agent.core.camera.aim_figures import Light, band_for
from agent.core.camera.aim_survey import MOST_HOURS, Histogram, Sample, Survey
from agent.core.time.instant import Instant
from tests.fakes.clock import START

BAND = band_for(1920)
NOON = Sample(130, 110, Light(140, 120, 0.02), 0.97)
NIGHT = Sample(128, 30, Light(25, 60, 0.0), 0.2)


def survey(*frames):
    made = Survey(BAND)
    for hours, samples in frames:
        made.add(Instant(START + timedelta(hours=hours)), 90.0, tuple(samples))
    return made.rows()


def test_noon_works_and_night_fails_and_says_why():
    noon, night, empty = survey((0, [NOON] * 20), (11, [NIGHT] * 20), (12, []))
    assert (noon["verdict"], noon["causes"], noon["sure_share"], noon["reads"]) == (
        "works",
        [],
        1.0,
        20,
    )
    assert (night["verdict"], night["causes"]) == ("fails", ["blurred", "too dark"])
    assert (empty["verdict"], empty["frames"], empty["reads"]) == ("too few", 1, 0)


def test_glare_and_narrow_plates_are_named():
    (row,) = survey((0, [Sample(70, 40, Light(230, 80, 0.5), 0.4)] * 12))
    assert row["causes"] == ["too narrow", "blurred", "glare"]


def test_a_handful_of_reads_judges_nothing():
    (row,) = survey((0, [NIGHT] * 9))
    assert (row["verdict"], row["causes"]) == ("too few", [])


def test_what_no_meter_explains_is_called_unknown():
    (row,) = survey((0, [Sample(130, 110, Light(140, 120, 0.02), 0.2)] * 12))
    assert row["causes"] == ["unknown"]


def test_percentiles_stay_within_a_step():
    values = Histogram(200.0)
    for value in range(200):
        values.add(value)
    assert [abs(values.percentile(percent) - 2 * percent) <= 3 for percent in (10, 50, 90)] == [
        True
    ] * 3
    values.add(10_000)
    values.add(-5)


def test_hours_are_bounded():
    rows = survey(*((hour, []) for hour in range(MOST_HOURS + 5)))
    assert len(rows) == MOST_HOURS


def test_the_page_is_one_file_with_a_bar_an_hour():
    rows = survey((0, [NOON] * 20), (11, [NIGHT] * 20))
    html = page("main-street-<2>", rows, BAND).decode()
    assert html.count("<rect") == 2
    assert "main-street-&lt;2&gt;" in html
    assert "script" not in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert cells(rows[1])[-1] == "fails: blurred, too dark"
