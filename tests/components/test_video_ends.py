"""Whole videos are whole: gaps, trims, odd stamps and long last frames are no damage, and what is
cut is still told.
"""

import struct
from fractions import Fraction

import pytest

from tests.components.test_video_source import offsets_ms, opened, play
from tests.support.media import picture

SMALL = (96, 64)
MS = Fraction(1, 1000)


def packets_of(container, codec, stamps, base, rate):
    """Pictures at these stamps, encoded: as many packets."""
    import av

    stream = container.add_stream(codec, rate=rate, options={"g": "25", "bf": "0"})
    stream.width, stream.height = SMALL
    stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    stream.codec_context.time_base = base
    packets = []
    for stamp in stamps:
        frame = av.VideoFrame.from_ndarray(picture(*SMALL), "bgr24")
        frame.pts, frame.time_base = stamp, base
        packets += stream.encode(frame)
    return packets + stream.encode()


def film(path, codec, stamps, base=Fraction(1, 10), rate=10, last=None):
    """A video with frames at these stamps; `last`: the last one's own duration."""
    import av

    with av.open(str(path), "w") as container:
        packets = packets_of(container, codec, stamps, base, rate)
        if last is not None:
            packets[-1].duration = last
        for packet in packets:
            container.mux(packet)
    return path


def trimmed(source, path, begins_s):
    """Cut at a time without encoding anew, as phones do: an edit list skips the frames before."""
    import av

    with av.open(str(source)) as whole, av.open(str(path), "w") as part:
        stream = whole.streams.video[0]
        copied = part.add_stream_from_template(stream)
        skipped = int(begins_s / stream.time_base)
        for packet in whole.demux(stream):
            if packet.dts is None:
                continue
            packet.pts, packet.dts, packet.stream = (
                packet.pts - skipped,
                packet.dts - skipped,
                copied,
            )
            part.mux(packet)
    return path


def counted(path):
    """What the stream says, and how many packets there are."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.frames, sum(packet.size > 0 for packet in container.demux(stream))


def states_length(path, frames):
    """An AVI whose header counts so many places: the camera was away at the end."""
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"avih") + 8 + 16, frames)
    struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, frames)
    path.write_bytes(data)
    return path


def test_an_avi_of_a_camera_that_was_away_is_whole(tmp_path):
    """AVI keeps a place for each frame of the gap, and counts it."""
    frames, error = play(film(tmp_path / "gap.avi", "mpeg4", (0, 1, 2, 7, 8, 9)))
    assert error == ""
    assert offsets_ms(frames) == [0, 100, 200, 700, 800, 900]


def test_an_avi_whose_last_frames_were_dropped_is_whole(tmp_path):
    path = states_length(film(tmp_path / "end.avi", "mjpeg", range(6)), 10)
    assert counted(path) == (10, 6)
    frames, error = play(path)
    assert (len(frames), error) == (6, "")


@pytest.mark.parametrize("kept", [0.7, 0.97])
def test_such_an_avi_that_was_cut_is_told(tmp_path, kept):
    path = states_length(film(tmp_path / "end.avi", "mjpeg", range(30)), 40)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    _frames, error = play(path)
    assert "ends early or is damaged" in error


def test_an_mp4_trimmed_within_its_first_second_is_whole(tmp_path):
    source = film(tmp_path / "whole.mp4", "libx264", range(50), Fraction(1, 25), 25)
    path = trimmed(source, tmp_path / "trimmed.mp4", 0.52)
    assert counted(path) == (50, 50)
    frames, error = play(path)
    assert (len(frames), error) == (37, "")


def test_an_mp4_trimmed_past_a_key_frame_is_whole(tmp_path):
    """The first second is not in the index any more, and is counted all the same."""
    source = film(tmp_path / "whole.mp4", "libx264", range(50), Fraction(1, 25), 25)
    path = trimmed(source, tmp_path / "trimmed.mp4", 1.32)
    assert counted(path) == (50, 25)
    frames, error = play(path)
    assert (len(frames), error) == (17, "")


@pytest.mark.parametrize("last", [33, 120])
@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libvpx"), ("a.mkv", "libx264")])
def test_a_video_stamped_in_milliseconds_is_whole(tmp_path, name, codec, last):
    """It calls itself 1000 frames a second."""
    stamps = [0, 33, 67, 100, 133, 167]
    frames, error = play(film(tmp_path / name, codec, stamps, MS, 1000, last))
    assert error == ""
    assert offsets_ms(frames) == stamps


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libvpx"), ("a.mkv", "libx264")])
def test_a_long_last_frame_is_no_missing_one(tmp_path, name, codec):
    path = film(tmp_path / name, codec, [0, 40, 80, 120], MS, 25, last=4000)
    frames, error = play(path)
    assert (len(frames), error) == (4, "")


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libvpx"), ("a.mkv", "libx264")])
def test_one_stamped_in_milliseconds_that_was_cut_is_told(tmp_path, name, codec):
    path = film(tmp_path / name, codec, [33 * number for number in range(60)], MS, 1000, 33)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    frames, error = play(path)
    assert 0 < len(frames) < 60
    assert f"at frame {len(frames)} (" in error


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mov", "mpeg4"), ("a.mkv", "libx264")]
)
def test_a_phones_variable_frame_rate_is_kept(tmp_path, name, codec):
    stamps = [0, 33, 67, 400, 1400, 5000]
    frames, error = play(film(tmp_path / name, codec, stamps, MS, 30))
    assert error == ""
    assert offsets_ms(frames) == stamps


@pytest.mark.parametrize("name", ["a.mjpeg", "a.avi", "a.mkv"])
def test_a_recorders_mjpeg_is_whole(tmp_path, name):
    frames, error = play(film(tmp_path / name, "mjpeg", range(10)))
    assert (len(frames), error) == (10, "")


def two_tracks(path, second):
    import av

    with av.open(str(path), "w") as container:
        tracks = [packets_of(container, codec, range(4), Fraction(1, 10), 10) for codec in second]
        for packets in tracks:
            for packet in packets:
                container.mux(packet)
    return path


def test_a_second_video_track_is_named(tmp_path):
    """A dash camera's rear view lies there."""
    said = []
    path = two_tracks(tmp_path / "dash.mp4", ("libx264", "mpeg4"))
    frames = list(opened(path, tell=said.append).frames())
    assert len(frames) == 4
    [event] = said
    assert "dash.mp4: 1 more video track in this file, not read" in event.said
    assert (event.what, event.details) == ("tracks", {"tracks": 2})


def test_a_cover_is_no_track(tmp_path):
    import av
    from av.stream import Disposition

    said = []
    path = tmp_path / "covered.mp4"
    with av.open(str(path), "w") as container:
        cover = packets_of(container, "mjpeg", [0], Fraction(1, 10), 10)
        film_packets = packets_of(container, "libx264", range(4), Fraction(1, 10), 10)
        container.streams.video[0].disposition = Disposition.attached_pic
        for packet in [*cover, *film_packets]:
            container.mux(packet)
    frames = list(opened(path, tell=said.append).frames())
    assert (len(frames), said) == (4, [])
