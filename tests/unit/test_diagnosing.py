"""What doctor calls ok, warn and fail: each limit from both sides."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.core.camera import diagnosis
from agent.core.camera.aim_figures import Light
from agent.core.camera.aim_survey import Sample
from agent.core.camera.diagnosis_findings import (
    Finding,
    Health,
    as_table,
    exit_code,
    fail,
    failed,
    from_table,
    ok,
    skip,
    until,
    warn,
)
from agent.errors import ConfigError, PolicyRefusedError, StorageError

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
GOOD = Light(mean=120, contrast=90, clipped=0.0)


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([ok("a", "")], 0),
        ([warn("a", "", ""), skip("b", "")], 0),
        ([fail("a", "", "")], 1),
        ([fail("a", "", ""), failed("b", ConfigError("odd"))], 2),
        (
            [
                failed("a", PolicyRefusedError("camera-barred", "barred")),
                failed("b", ConfigError("odd")),
                fail("c", "", ""),
            ],
            3,
        ),
        ([Finding("a", Health.WARN, "", "", 3)], 0),
    ],
)
def test_the_gravest_failure_is_the_exit_code(findings, code):
    assert exit_code(findings) == code


def test_an_error_becomes_a_line_with_its_place_and_step():
    found = failed("disk", StorageError("full", where="/x", fix="free some"), "another step")
    assert (found.what, found.fix, found.exit_code) == ("/x: full", "free some", 1)
    assert failed("disk", StorageError("full"), "another step").fix == "another step"
    assert (
        failed("policy", PolicyRefusedError("camera-barred", "no")).what
        == "refused [camera-barred]: no"
    )


def test_a_line_survives_the_way_from_a_part():
    found = warn("name", "what", "fix")
    assert from_table(as_table(found)) == found
    assert from_table({**as_table(found), "what": "a\nb\x1b[31m" + "x" * 900}).what.startswith(
        "a\\u000ab\\u001b[31mx"
    )
    for odd in ({"health": "fine"}, {"exit_code": 0}, {"exit_code": "1"}, {"what": 7}):
        with pytest.raises((ValueError, TypeError)):
            from_table({**as_table(found), **odd})


@pytest.mark.parametrize(
    ("left", "health"),
    [
        (15 * DAY, Health.OK),
        (14 * DAY, Health.WARN),
        (timedelta(seconds=1), Health.WARN),
        (timedelta(), Health.FAIL),
    ],
)
def test_what_ends_warns_before_and_fails_after(left, health):
    assert until("policy", "it", NOW + left, NOW, 14 * DAY, "renew").health is health


def health(finding):
    return str(finding.health)


def test_the_picture():
    assert health(diagnosis.picture(GOOD)) == "ok"
    assert health(diagnosis.picture(Light(120, 7.9, 0))) == "fail"
    assert health(diagnosis.picture(Light(0, 0, 0))) == "fail"  # a lens cap
    for odd in (Light(39, 90, 0), Light(120, 34, 0), Light(200, 90, 0.26)):
        assert health(diagnosis.picture(odd)) == "warn"


def test_focus_of_a_scene():
    assert [health(diagnosis.focus(value)) for value in (0.119, 0.12, 0.199, 0.2, 0.6)] == [
        "fail",
        "warn",
        "warn",
        "ok",
        "ok",
    ]


def widths(width_px, *, test=False, detail=80.0, light=GOOD, frame=1920):
    return diagnosis.plate(frame, [(Sample(width_px, detail, light, 0.95), test)])


def test_a_plates_width_against_the_models_need():
    assert [health(widths(width)[0]) for width in (59, 60, 79, 80, 240, 241)] == [
        "fail",
        "warn",
        "warn",
        "ok",
        "ok",
        "warn",
    ]
    assert health(widths(100, frame=4096)[0]) == "fail"  # the networks see the frame shrunk
    assert "112 px" in widths(112)[0].what


def test_the_widest_plate_counts_and_none_is_not_called_ok():
    small, wide = Sample(50, 80, GOOD, 0.9), Sample(150, 80, GOOD, 0.9)
    assert health(diagnosis.plate(1920, [(small, False), (wide, False)])[0]) == "ok"
    assert [health(found) for found in diagnosis.plate(1920, [])] == ["skip"]


def test_the_test_plate_is_converted_into_local_ones():
    assert "US 102" in widths(160, test=True)[0].what
    assert "US" not in widths(160)[0].what


def test_a_plates_sharpness_and_light():
    assert [health(widths(120, detail=detail)[1]) for detail in (41, 42, 54, 55)] == [
        "fail",
        "warn",
        "warn",
        "ok",
    ]
    for light, wanted in (
        (GOOD, "ok"),
        (Light(30, 90, 0), "warn"),
        (Light(120, 20, 0), "warn"),
        (Light(220, 90, 0.5), "warn"),
    ):
        assert health(widths(120, light=light)[2]) == wanted


def test_room_on_the_disk():
    full = 328_000_000
    assert [
        health(diagnosis.space(free, full)) for free in (60 << 20, 300_000_000, 500_000_000)
    ] == ["fail", "warn", "ok"]


@pytest.mark.parametrize(
    ("kind", "options", "wanted"),
    [
        ("ext4", {"rw", "noatime"}, "ok"),
        ("ext4", {"rw", "relatime"}, "ok"),
        ("ext4", {"ro"}, "fail"),
        ("tmpfs", {"rw"}, "fail"),
        ("overlay", {"rw"}, "fail"),
        ("vfat", {"rw"}, "fail"),
        ("ext4", {"rw", "nobarrier"}, "warn"),
        ("ext4", {"rw", "strictatime"}, "warn"),
    ],
)
def test_the_file_system(kind, options, wanted):
    assert health(diagnosis.mount(kind, frozenset(options))) == wanted


def test_heat():
    assert [health(diagnosis.heat(value)) for value in (None, 69.9, 70, 79.9, 80)] == [
        "skip",
        "ok",
        "warn",
        "warn",
        "fail",
    ]


@pytest.mark.parametrize(
    ("bits", "wanted", "told"),
    [
        (0, "ok", "none"),
        (0x1, "fail", "under-voltage"),
        (0x50000, "warn", "under-voltage, throttled"),
        (0x50005, "fail", "under-voltage, throttled"),
        (0x8, "fail", "temperature"),
    ],
)
def test_the_firmwares_bits(bits, wanted, told):
    found = diagnosis.power(bits, is_pi=True)
    assert (health(found), told in found.what) == (wanted, True)


def test_no_bits_are_no_all_clear():
    assert health(diagnosis.power(None, is_pi=True)) == "warn"
    assert health(diagnosis.power(None, is_pi=False)) == "skip"


def test_swap_is_bad_only_where_nothing_holds_watch_off_it():
    assert health(diagnosis.swap([], memory_controller=False)) == "ok"
    assert health(diagnosis.swap(["/dev/zram0"], memory_controller=False)) == "ok"
    assert health(diagnosis.swap(["/var/swap"], memory_controller=True)) == "ok"
    assert health(diagnosis.swap(["/var/swap"], memory_controller=False)) == "warn"


def test_cgroups_and_core_dumps():
    assert [health(diagnosis.memory_controller(there)) for there in (True, False, None)] == [
        "ok",
        "warn",
        "warn",
    ]
    patterns = ("core", "|/usr/lib/systemd/systemd-coredump %P", "|/usr/share/apport/apport -p%p")
    assert [health(diagnosis.core_pattern(pattern)) for pattern in patterns] == ["ok", "ok", "warn"]
