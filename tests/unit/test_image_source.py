"""Image files as a frame source: order, names, orientation, and every way in which a file can be
bad.
"""

import os
import random
import struct
import sys

import cv2
import numpy as np
import pytest

from agent.camera import photo_header
from agent.camera.images import IMAGE_SUFFIXES, ImageSource, find_files, load_image
from agent.core.wire import image_header
from agent.errors import SourceError
from tests.fakes.clock import FakeClock
from tests.support.media import HEIC, HEIC_TURNED, cut, picture, write_picture, write_video

LIMIT = 1_000_000


def encoded(suffix, image=None):
    return cv2.imencode(suffix, picture() if image is None else image)[1].tobytes()


def with_orientation(jpeg, orientation):
    """Put an EXIF segment with this orientation, and a thumbnail's end marker, behind the start
    marker.
    """
    tiff = (
        b"II*\0\x08\0\0\0"
        + struct.pack("<H", 1)
        + struct.pack("<HHII", 0x0112, 3, 1, orientation)
        + b"\0\0\0\0"
        + b"\xff\xd9"
    )
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def refusal(path, limit=LIMIT):
    with pytest.raises(SourceError) as caught:
        load_image(path, limit)
    message = str(caught.value)
    assert str(path) in message, "names the file"
    assert message.endswith(")"), "says the next step"
    return message


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_each_kind_is_decoded_to_bgr(tmp_path, suffix):
    image = load_image(write_picture(tmp_path / f"a{suffix}"), LIMIT)
    assert image.shape == (240, 320, 3)
    assert image.dtype == np.uint8
    assert abs(int(image[120, 80, 2]) - 220) < 12


def test_grey_and_transparent_pictures_become_three_channels(tmp_path):
    grey = write_picture(tmp_path / "grey.png", np.full((20, 30), 99, np.uint8))
    clear = write_picture(tmp_path / "clear.png", np.full((20, 30, 4), 99, np.uint8))
    assert load_image(grey, LIMIT).shape == load_image(clear, LIMIT).shape == (20, 30, 3)


def test_the_suffix_does_not_decide_what_a_file_is(tmp_path):
    (tmp_path / "really-a-png.jpg").write_bytes(encoded(".png"))
    assert load_image(tmp_path / "really-a-png.jpg", LIMIT).shape == (240, 320, 3)


@pytest.mark.parametrize(
    ("orientation", "shape", "red_at"),
    [
        (1, (240, 320), (120, 80)),
        (3, (240, 320), (120, 240)),
        (6, (320, 240), (80, 120)),
        (8, (320, 240), (240, 120)),
    ],
)
def test_exif_orientation_is_respected(tmp_path, orientation, shape, red_at):
    path = tmp_path / "turned.jpg"
    path.write_bytes(with_orientation(encoded(".jpg"), orientation))
    image = load_image(path, LIMIT)
    assert image.shape[:2] == shape
    assert image[red_at][2] > 150
    assert image[red_at][0] < 100


def test_an_iphones_picture_is_turned_upright():
    image = load_image(HEIC_TURNED, LIMIT)
    assert image.shape[:2] == (240, 320)
    assert image[120, 80, 2] > 150
    assert image[120, 240, 2] < 100


def test_where_there_is_no_decoder_for_heic_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    assert "has no decoder" in refusal(HEIC)


@pytest.mark.parametrize("suffix", [".heic", ".avif", ".tif", ".bmp"])
def test_what_phones_and_scanners_write_is_refused_when_cut(tmp_path, suffix):
    path = write_picture(tmp_path / f"a{suffix}")
    path.write_bytes(path.read_bytes()[:-40])
    assert "is cut short" in refusal(path)


@pytest.mark.parametrize("suffix", [".heic", ".avif", ".tif", ".bmp"])
def test_the_pixels_are_counted_before_anything_is_decoded(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    path = write_picture(tmp_path / f"a{suffix}")
    assert "larger than the limit of 76,799 px" in refusal(path, 320 * 240 - 1)


@pytest.mark.parametrize("suffix", [".heic", ".avif", ".tif", ".bmp"])
def test_a_header_of_them_that_is_cut_or_altered_never_raises(tmp_path, suffix):
    data, chance = write_picture(tmp_path / f"a{suffix}").read_bytes(), random.Random(4)
    for end in range(min(len(data), 400)):
        photo_header.parse(data[:end])
    for _ in range(2_000):
        altered = bytearray(data)
        for _ in range(chance.randint(1, 8)):
            altered[chance.randrange(min(len(data), 600))] = chance.randrange(256)
        photo_header.parse(bytes(altered))


def test_what_holds_several_pictures_is_refused_by_name(tmp_path):
    pages, sequence = tmp_path / "pages.tif", tmp_path / "burst.heic"
    assert cv2.imwritemulti(str(pages), [picture(), picture()])
    assert "a TIFF of several pages" in refusal(pages)
    sequence.write_bytes(HEIC.read_bytes().replace(b"ftypheic", b"ftyphevc"))
    assert "a HEIC sequence" in refusal(sequence)


def test_a_tiff_whose_pages_lead_in_a_circle_ends(tmp_path):
    data = bytearray(write_picture(tmp_path / "a.tif").read_bytes())
    first = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[first : first + 2], "little")
    at = first + 2 + 12 * count
    data[at : at + 4] = first.to_bytes(4, "little")
    assert photo_header.parse(bytes(data)).kind == "TIFF"


def test_a_video_is_no_picture(tmp_path):
    assert photo_header.parse(write_video(tmp_path / "a.mp4").read_bytes()) is None


def test_folders_are_walked_in_sorted_order_with_relative_names(tmp_path):
    for name in ("b/2.jpg", "a/10.png", "a/9.png", "top.webp", "b/notes.txt", "c.JPG"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [name for _path, name in find_files(tmp_path, IMAGE_SUFFIXES)] == [
        "a/10.png",
        "a/9.png",
        "b/2.jpg",
        "c.JPG",
        "top.webp",
    ]


def test_a_folder_linked_into_itself_does_not_go_round(tmp_path):
    write_picture(tmp_path / "a.jpg")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(find_files(tmp_path, IMAGE_SUFFIXES)) == 1


def test_frames_carry_name_and_time(tmp_path):
    clock = FakeClock()
    source = ImageSource([(write_picture(tmp_path / "x.jpg"), "sub/x.jpg")], clock, LIMIT)
    (frame,) = source.frames()
    assert (frame.file, frame.captured) == ("sub/x.jpg", clock.now())


def test_a_bad_file_ends_the_run_after_the_good_ones(tmp_path):
    good, bad = write_picture(tmp_path / "1.jpg"), tmp_path / "2.jpg"
    bad.write_bytes(b"")
    frames = ImageSource([(good, "1.jpg"), (bad, "2.jpg")], FakeClock(), LIMIT).frames()
    assert next(frames).sequence == 0
    with pytest.raises(SourceError, match="2.jpg: the file is empty"):
        next(frames)


def test_missing_empty_folder_and_foreign_files(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("this is no picture " * 100)
    (tmp_path / "folder.jpg").mkdir()
    assert "no such file" in refusal(tmp_path / "none.jpg")
    assert "empty" in refusal(tmp_path / "empty.jpg")
    assert "not an image" in refusal(tmp_path / "text.jpg")
    assert "not a regular file" in refusal(tmp_path / "folder.jpg")


def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "not a regular file" in refusal(tmp_path / "pipe.jpg")


def test_a_file_without_permission_says_so(tmp_path, monkeypatch):
    path = write_picture(tmp_path / "locked.jpg")

    def denied(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    # Not chmod, which does not stop root, who may run these tests.
    monkeypatch.setattr(type(path), "open", denied)
    assert "Permission denied" in refusal(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_a_cut_file_is_refused_wherever_it_was_cut(tmp_path, suffix, share):
    """OpenCV itself gives a picture with a grey lower part, and no error."""
    path = cut(write_picture(tmp_path / f"cut{suffix}"), share)
    assert any(words in refusal(path) for words in ("cut short", "not an image"))


def test_a_cut_jpeg_whose_thumbnail_is_whole_is_still_cut(tmp_path):
    path = tmp_path / "thumbnail.jpg"
    path.write_bytes(with_orientation(encoded(".jpg"), 1)[:-2])
    assert "cut short" in refusal(path)


def test_bytes_after_the_end_are_no_damage(tmp_path):
    """Phones append a second picture or a maker's note."""
    path = tmp_path / "more.jpg"
    path.write_bytes(encoded(".jpg") + b"\0" * 999)
    assert load_image(path, LIMIT).shape == (240, 320, 3)


def test_a_small_file_that_claims_a_huge_picture_is_never_decoded(tmp_path, monkeypatch):
    """Decompression bomb: the header's size is checked first."""
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("the decoder saw it"))
    png = bytearray(encoded(".png"))
    png[16:24] = struct.pack(">II", 60_000, 60_000)
    jpeg = bytearray(encoded(".jpg"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    webp = bytearray(encoded(".webp"))
    webp[12:16], webp[24:30] = b"VP8X", b"\xff\xff\x00\xff\xff\x00"
    for name, data in (("bomb.png", png), ("bomb.jpg", jpeg), ("bomb.webp", webp)):
        (tmp_path / name).write_bytes(data)
        assert "larger than the limit of 1,000,000 px" in refusal(tmp_path / name)


def test_a_decoder_that_believes_another_header_is_caught(tmp_path, monkeypatch):
    path = write_picture(tmp_path / "a.jpg")
    monkeypatch.setattr(
        image_header, "parse", lambda _data: image_header.ImageHeader("JPEG", 10, 10, complete=True)
    )
    assert "320×240 px: larger than the limit" in refusal(path, 1000)


def test_a_huge_file_is_not_read_into_memory(tmp_path):
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.write(encoded(".jpg"))
        file.truncate(10_000_000_000)  # sparse: takes no disk
    assert "bytes: larger than the limit" in refusal(path, 10_000)


def test_damage_that_the_decoder_notices(tmp_path):
    path = tmp_path / "damaged.png"
    data = bytearray(encoded(".png"))
    data[50:200] = bytes(150)
    path.write_bytes(data)
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_the_header_parser_never_raises(suffix):
    data = encoded(suffix, picture(64, 48))
    header = image_header.parse(data)
    assert (header.width, header.height, header.complete) == (64, 48, True)
    for end in range(0, len(data), 7):
        shorter = image_header.parse(data[:end])
        assert shorter is None or not shorter.complete
    rng = np.random.default_rng(1)
    for _ in range(100):
        changed = bytearray(data)
        for at in rng.integers(3, min(len(data), 200), 4):
            changed[at] = rng.integers(256)
        image_header.parse(bytes(changed))


def test_a_lossless_webp_has_its_size_too():
    data = cv2.imencode(".webp", picture(70, 50), [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    assert data[12:16] == b"VP8L"
    header = image_header.parse(data)
    assert (header.width, header.height) == (70, 50)
