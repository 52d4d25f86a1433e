"""A video file as a frame source: names, times, rotation, and videos that are cut, damaged or no
videos.
"""

import struct
from itertools import islice

import numpy as np
import pytest

from agent.camera.video import VideoSource
from agent.errors import SourceError
from tests.fakes.clock import START, FakeClock
from tests.support.media import cut, write_video

LIMIT = 1_000_000
SMALL = (96, 64)
CODECS = [
    ("a.mp4", "mpeg4"),
    ("a.mp4", "libx264"),
    ("a.mkv", "libx264"),
    ("a.avi", "mjpeg"),
    ("a.ts", "libx264"),
    pytest.param("a.webm", "libvpx", marks=pytest.mark.slow),
]


def opened(path, **options):
    return VideoSource(
        path,
        path.name,
        options.pop("clock", FakeClock()),
        options.pop("max_pixels", LIMIT),
        **options,
    )


def play(path, **options):
    """(frames delivered, the error's text or "")."""
    delivered = []
    try:
        delivered.extend(opened(path, **options).frames())
    except SourceError as error:
        return delivered, str(error)
    return delivered, ""


def offsets_ms(frames):
    return [round((frame.captured.utc - START).total_seconds() * 1000) for frame in frames]


@pytest.mark.parametrize("name", ["a.h264", "a.264"])
def test_a_bare_stream_of_a_pis_recorder_is_played_at_its_usual_rate(tmp_path, name):
    frames, error = play(write_video(tmp_path / name, frames=8, codec="libx264", size=SMALL))
    assert error == ""
    assert [frame.file for frame in frames] == [f"{name}#{number:06d}" for number in range(8)]
    offsets = offsets_ms(frames)
    assert offsets == sorted(set(offsets)), "each later than the one before"


@pytest.mark.parametrize(("name", "codec"), CODECS)
def test_every_frame_of_a_whole_video_arrives_with_name_and_time(tmp_path, name, codec):
    frames, error = play(write_video(tmp_path / name, frames=8, codec=codec, size=SMALL))
    assert error == ""
    assert [frame.file for frame in frames] == [f"{name}#{number:06d}" for number in range(8)]
    assert offsets_ms(frames) == [number * 100 for number in range(8)], (
        "captured = start + the frame's own time stamp"
    )


@pytest.mark.parametrize(
    ("degrees", "red_at", "blue_at"),
    [(90, (240, 120), (80, 120)), (-90, (80, 120), (240, 120)), (180, (120, 240), (120, 80))],
)
def test_a_phones_rotation_is_respected(tmp_path, degrees, red_at, blue_at):
    frames, _error = play(write_video(tmp_path / "turned.mp4", rotation=degrees))
    assert frames[0].image[red_at][2] > 150
    assert frames[0].image[red_at][0] < 100
    assert frames[0].image[blue_at][0] > 150


# What an MP4's track header can ask for: (a, b, c, d) of its matrix, and on which sides the red
# half and the noise stand then; filmed were left and top. PyAV's `rotation` tells turns only.
MIRRORED = {
    "left to right": ((-1, 0, 0, 1), "right", "top"),
    "top to bottom": ((1, 0, 0, -1), "left", "bottom"),
    "along one diagonal": ((0, 1, 1, 0), "top", "left"),
    "along the other": ((0, -1, -1, 0), "bottom", "right"),
}
SIDES = {"left": np.s_[:, :20], "right": np.s_[:, -20:], "top": np.s_[:20], "bottom": np.s_[-20:]}


@pytest.mark.parametrize("how", MIRRORED)
def test_a_mirror_is_no_turn(tmp_path, how):
    (a, b, c, d), red, noise = MIRRORED[how]
    path = write_video(tmp_path / "mirrored.mp4")
    header = bytearray(path.read_bytes())
    matrix = [number << 16 for number in (a, b, 0, c, d, 0, 0, 0)]
    struct.pack_into(">9i", header, header.index(b"tkhd") + 44, *matrix, 1 << 30)
    path.write_bytes(header)
    frames, error = play(path)
    assert error == ""
    image = frames[0].image.astype(int)
    redness = {side: (image[at][..., 2] - image[at][..., 0]).mean() for side, at in SIDES.items()}
    assert max(redness, key=lambda side: redness[side]) == red
    green = {side: image[at][..., 1].mean() for side, at in SIDES.items()}  # in the noise alone
    assert max(green, key=lambda side: green[side]) == noise


def test_pace_waits_for_the_videos_own_time(tmp_path):
    clock = FakeClock()
    list(opened(write_video(tmp_path / "a.mp4", frames=4), clock=clock, pace=True).frames())
    assert [round(seconds, 3) for seconds in clock.slept] == [0, 0.1, 0.1, 0.1]


def test_without_pace_nobody_waits(tmp_path):
    clock = FakeClock()
    list(opened(write_video(tmp_path / "a.mp4"), clock=clock).frames())
    assert clock.slept == []


@pytest.mark.parametrize(("name", "codec"), CODECS)
def test_a_video_that_ends_mid_frame_is_an_error_after_the_good_frames(tmp_path, name, codec):
    path = cut(
        write_video(
            tmp_path / name, frames=30, codec=codec, size=SMALL, front_index=name.endswith("mp4")
        ),
        0.6,
    )
    frames, error = play(path)
    assert 5 <= len(frames) < 30
    assert [frame.sequence for frame in frames] == list(range(len(frames)))
    assert str(path) in error
    assert f"at frame {len(frames)} (" in error, "the number of the first frame that did not come"


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "mjpeg"), ("a.mp4", "mpeg4")])
def test_a_video_cut_exactly_between_two_frames_is_cut_all_the_same(tmp_path, name, codec):
    """Nothing is damaged; only the index says that more was there."""
    import av

    path = write_video(
        tmp_path / name, frames=10, codec=codec, size=SMALL, front_index=name.endswith("mp4")
    )
    with av.open(str(path)) as container:
        sixth = [packet for packet in container.demux(video=0) if packet.size][5]
    path.write_bytes(path.read_bytes()[: sixth.pos + sixth.size])
    frames, error = play(path)
    assert len(frames) == 6
    assert "at frame 6 (" in error


def test_an_mp4_cut_before_its_index_does_not_open(tmp_path):
    path = cut(write_video(tmp_path / "cut.mp4"), 0.6)
    with pytest.raises(SourceError, match="not a video that can be read.*cut short"):
        opened(path)


def test_damage_in_the_middle_stops_there(tmp_path):
    path = write_video(tmp_path / "damaged.ts", frames=30, codec="libx264", size=SMALL)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 1000] = bytes(1000)
    path.write_bytes(data)
    frames, error = play(path)
    assert len(frames) < 30
    assert "damaged at frame" in error


def test_things_that_are_no_videos(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("nothing to see\n" * 50)
    (tmp_path / "folder.mp4").mkdir()
    for name in ("empty.mp4", "text.mp4"):
        with pytest.raises(SourceError, match=f"{name}: not a video that can be read"):
            opened(tmp_path / name)
    for name in ("none.mp4", "folder.mp4"):
        with pytest.raises(SourceError, match="no such file"):
            opened(tmp_path / name)


def test_sound_without_pictures_is_no_video(tmp_path):
    import av
    import numpy as np

    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(SourceError, match="no picture in this file"):
        opened(path)


def test_a_larger_picture_than_the_limit_is_refused_before_decoding(tmp_path):
    with pytest.raises(SourceError, match="larger than the limit of 70,000 px"):
        opened(write_video(tmp_path / "a.mp4"), max_pixels=70_000)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXTINF:1,\nsecret.mp4\n",
        "ffconcat version 1.0\nfile secret.mp4\n",
        "#EXTM3U\n#EXTINF:1,\nhttp://192.0.2.1/x.ts\n",
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "ts"])
def test_a_playlist_dressed_up_as_a_video_opens_nothing_else(tmp_path, text, suffix):
    """FFmpeg would follow it to other files, or to a host on the network; the process that sees
    plates has none.
    """
    write_video(tmp_path / "secret.mp4")
    path = tmp_path / f"list.{suffix}"
    path.write_text(text)
    with pytest.raises(SourceError, match="not a video"):
        opened(path)


def test_a_name_that_looks_like_a_protocol_is_just_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.mp4").rename(tmp_path / "concat:clip.mp4")
    frames, error = play(tmp_path / "concat:clip.mp4")
    assert (len(frames), error) == (6, "")


def test_closing_under_a_frame_that_is_out_is_safe(tmp_path):
    """PyAV 18 crashes the process when a container is closed under its decoder."""
    source = opened(write_video(tmp_path / "a.mp4"))
    frames = source.frames()
    next(frames)
    source.close()
    assert list(islice(frames, 3)) == []
    source.close()


@pytest.mark.slow
def test_reading_a_video_creates_no_socket(tmp_path):
    import subprocess
    import sys

    path = write_video(tmp_path / "a.mp4")
    code = f"""
import sys
sys.addaudithook(lambda event, _: event.startswith("socket.") and sys.exit("socket: " + event))
from pathlib import Path
from agent.camera.video import VideoSource
from agent.host.clock import SystemClock
source = VideoSource(Path({str(path)!r}), "a", SystemClock(), 10**6)
print(len(list(source.frames())), "socket" in sys.modules and "ssl" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.split()[0]) == (0, "6"), done.stderr


def test_an_older_pyav_is_told_and_not_taken_for_a_damaged_video(tmp_path, monkeypatch):
    """Debian 13's 14.2 knows no index: each whole video was "damaged at frame 0"."""
    path = write_video(tmp_path / "a.mp4", frames=3, size=SMALL)
    monkeypatch.setattr("agent.camera.video.Stream", object)
    frames, error = play(path)
    assert frames == []
    assert "videos need PyAV 18" in error
    assert "damaged" not in error
