"""The PDF for a case file, as other people's readers see it: poppler reads it, and fontTools its
fonts.
"""

import json
import re
import subprocess
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import cv2
import pytest
from fontTools import ttLib

from agent.receiver.inbox.case_file import pdf_font
from agent.receiver.inbox.case_file.case_file import TakenBy, case_file
from agent.receiver.inbox.case_file.tagged_pdf import TaggedPdf
from agent.receiver.inbox.lead_export import NOTICE
from agent.receiver.inbox.lead_view import LeadLine, OpenedLead, SeenCharacter
from agent.receiver.inbox.lead_words import LEVELS, PAGE_BANNER, TEST_BANNER
from agent.receiver.store.acts.lead_acts import LeadState
from tests.support.drawn import drawn_car
from tests.support.sealed import PLATE

NOW = datetime(2026, 11, 29, 10, 10, 4, tzinfo=UTC)
DEADLINE = "2026-12-20T23:59:59.999Z"
LINE = LeadLine(
    camera="cam-test-1",
    read_id="a" * 32,
    place="Main Street at 2nd Avenue",
    seen_local="2026-11-29 02:10:04 PST",
    seen_utc="2026-11-29T10:10:04.000Z",
    clock="synced",
    category="stolen-vehicle",
    match="exact",
    match_words=LEVELS["exact"],
    purpose="stolen-vehicle-recovery",
    policy="City of Exampleville ALPR policy, version 7",
    rule="stolen",
    until_local="2026-12-20 15:59:59 PST",
    until_utc=DEADLINE,
    test=False,
    state=LeadState(),
)
TAKEN = TakenBy(
    "dora.lind",
    "Exampleville Police Department",
    "stolen-vehicle-recovery",
    "2026-4711",
    NOW,
    NOTICE,
)


@pytest.fixture(scope="module")
def opened():
    crop = drawn_car(PLATE)[255:345, 200:440].copy()
    return OpenedLead(
        characters=tuple(
            SeenCharacter(one, 84 if at == 3 else 99, at == 3) for at, one in enumerate(PLATE)
        ),
        confidence=84,
        frames=7,
        state="CA",
        region="us",
        alternatives=(("TSTO042", 2),),
        odds="about 97 in 100 that this is the listed vehicle",
        agency="Exampleville PD",
        case="2026-0118",
        source_date="2026-11-20",
        entry_age_days=9,
        crop=cv2.imencode(".jpg", crop)[1].tobytes(),
    )


def poppler(program, *words, pdf, tmp_path):
    path = tmp_path / "lead.pdf"
    path.write_bytes(pdf)
    words = [str(path) if word == "PDF" else word for word in words]
    done = subprocess.run([program, *words], capture_output=True, text=True, check=True)
    assert done.stderr == "", done.stderr
    return done.stdout


def text_of(pdf, tmp_path):
    return poppler("pdftotext", "-layout", "PDF", "-", pdf=pdf, tmp_path=tmp_path)


def one_line(text):
    return " ".join(text.split())


class TestWhatItSays:
    def test_the_lead_as_shown_and_never_as_a_fact(self, opened, tmp_path):
        words = one_line(text_of(case_file(LINE, opened, TAKEN), tmp_path))
        for said in (
            PAGE_BANNER,
            "stolen-vehicle at Main Street at 2nd Avenue",
            "Character T S T 0? 0 4 2",
            "Sure, % 99 99 99 84 99 99 99",
            "84 % sure, over 7 frame(s)",
            "CA, region us",
            "Or perhaps TSTO042 (2 %)",
            "Exampleville PD, case 2026-0118",
            "Entered 2026-11-20, 9 day(s) before it was seen",
            "exact: text and issuing state were read as listed",
            "about 97 in 100",
            "2026-11-29 02:10:04 PST (2026-11-29T10:10:04.000Z, clock synced)",
            "Main Street at 2nd Avenue, camera cam-test-1",
            "Ask Exampleville PD whether the entry still stands.",
            NOTICE,
        ):
            assert said in words, (said, words)

    def test_each_page_says_until_when_who_and_for_what(self, opened, tmp_path):
        many = tuple((f"TST00{n:02}", 1) for n in range(300))
        pdf = case_file(LINE, replace(opened, alternatives=many), TAKEN)
        pages = [one_line(page) for page in text_of(pdf, tmp_path).split("\f") if page.strip()]
        assert len(pages) > 1
        for number, page in enumerate(pages, 1):
            assert f"{PAGE_BANNER}. Delete by 2026-12-20 15:59:59 PST ({DEADLINE})." in page
            foot = page.rpartition(PAGE_BANNER)[2]
            assert "Exported by dora.lind, Exampleville Police Department, at 2026-11-29T" in foot
            assert "for stolen-vehicle-recovery, incident 2026-4711." in foot
            assert f"Page {number} of {len(pages)}" in foot

    def test_a_rehearsal_is_told_as_one(self, opened, tmp_path):
        words = one_line(text_of(case_file(replace(LINE, test=True), opened, TAKEN), tmp_path))
        assert TEST_BANNER in words
        assert PAGE_BANNER not in words

    def test_what_no_rule_released_is_said(self, opened, tmp_path):
        bare = replace(opened, characters=(), crop=None, alternatives=())
        words = one_line(text_of(case_file(LINE, bare, TAKEN), tmp_path))
        assert "released no plate" in words
        assert "released no picture" in words


class TestForEverybody:
    def test_it_is_tagged_and_has_a_title_and_a_language(self, opened, tmp_path):
        pdf = case_file(LINE, opened, TAKEN)
        told = poppler("pdfinfo", "PDF", pdf=pdf, tmp_path=tmp_path)
        assert re.search(r"Tagged:\s+yes", told)
        assert re.search(rf"Title:\s+Unverified lead {'a' * 32}", told)
        assert re.search(r"JavaScript:\s+no", told)
        assert re.search(r"Encrypted:\s+no", told)
        assert b"/Lang (en-US)" in unpacked(pdf)
        assert PLATE not in told

    def test_a_screen_reader_meets_it_in_order_and_hears_of_the_picture(self, opened, tmp_path):
        pdf = case_file(LINE, opened, TAKEN)
        told = poppler("pdfinfo", "-struct-text", "PDF", pdf=pdf, tmp_path=tmp_path)
        kinds = re.findall(r"^\s*(H1|H2|P|Figure|Table|TR|TH|TD)\b", told, re.MULTILINE)
        assert kinds[:5] == ["H1", "P", "P", "P", "H2"]
        assert kinds.count("H2") == 3
        assert kinds.count("Figure") == 1
        assert b"/Alt (The camera's picture of the plate. Compare it" in unpacked(pdf)
        assert kinds.count("TH") == kinds.count("TR")
        assert told.index("What the camera read") < told.index("The entry") < told.index("Where")
        assert "Page 1" not in told, "what stands at the foot of each page is not spoken each time"

    def test_its_fonts_are_inside(self, opened, tmp_path):
        pdf = case_file(LINE, opened, TAKEN)
        lines = poppler("pdffonts", "PDF", pdf=pdf, tmp_path=tmp_path).splitlines()[2:]
        assert len(lines) == 2
        for line in lines:
            assert re.search(r"DejaVuSans\S*\s+CID TrueType\s+Identity-H\s+yes yes yes", line), line

    def test_the_picture_is_the_cameras_own_bytes(self, opened, tmp_path):
        pdf = case_file(LINE, opened, TAKEN)
        (tmp_path / "lead.pdf").write_bytes(pdf)
        subprocess.run(["pdfimages", "-all", tmp_path / "lead.pdf", tmp_path / "out"], check=True)
        [picture] = tmp_path.glob("out*.jpg")
        assert picture.read_bytes() == opened.crop

    def test_it_is_drawn(self, opened, tmp_path):
        """The banner's colour and the picture are on the page."""
        pdf = case_file(LINE, opened, TAKEN)
        poppler(
            *("pdftoppm", "-png", "-r", "60", "PDF", str(tmp_path / "page")),
            pdf=pdf,
            tmp_path=tmp_path,
        )
        [page] = tmp_path.glob("page*.png")
        seen = cv2.imread(str(page))
        assert seen.shape[:2] == (660, 510)
        yellow = (seen == (138, 224, 255)).all(axis=2)
        assert yellow.sum() > 1000


class TestHostileValues:
    @pytest.mark.parametrize(
        "text",
        [
            *(") Tj ET Q /Artifact BMC", "\\", "<41>", "endstream endobj", "(((", "<b>&amp;"),
            *("x" * 300, "€ Ł ß Ж ω", "a\x00b\x1fc", "\u202egnp.exe", "警察", "\U0001f697"),
        ],
    )
    def test_a_value_is_shown_and_never_read_as_pdf(self, opened, tmp_path, text):
        pdf = case_file(replace(LINE, place=text), replace(opened, agency=text, case=text), TAKEN)
        words = text_of(pdf, tmp_path)
        font = pdf_font.loaded(pdf_font.REGULAR)
        assert "".join(font.shown(text).split()) in "".join(words.split())
        assert "Where and when" in words
        assert re.search(r"Pages:\s+[12]\n", poppler("pdfinfo", "PDF", pdf=pdf, tmp_path=tmp_path))

    def test_what_the_font_lacks_is_told_by_its_number(self):
        font = pdf_font.loaded(pdf_font.REGULAR)
        assert font.shown("a警\x00") == "a[U+8B66][U+0000]"

    def test_a_title_with_odd_characters(self, tmp_path):
        made = TaggedPdf("<lead> & (more) ü 警", "en-US", (), NOW)
        made.paragraph("x")
        told = poppler("pdfinfo", "PDF", pdf=made.finished(), tmp_path=tmp_path)
        assert "<lead> & (more) ü 警" in told


@pytest.mark.parametrize("names", [pdf_font.REGULAR, pdf_font.BOLD])
def test_the_measures_are_the_fonts(names):
    """As fontTools reads the very file that is embedded."""
    font, file = pdf_font.loaded(names), names[0]
    here = pdf_font.files("agent.receiver.inbox.case_file")
    with here.joinpath(file).open("rb") as stream:
        real = ttLib.TTFont(stream)
        unit, numbers = 1000 / real["head"].unitsPerEm, real.getReverseGlyphMap()
        cmap = real.getBestCmap()
        assert set(cmap) == set(font.glyphs)
        for point, glyph in cmap.items():
            expected = (numbers[glyph], round(real["hmtx"][glyph][0] * unit))
            assert font.glyphs[point] == expected
    assert "Bitstream Vera" in here.joinpath(pdf_font.LICENCE).read_text(encoding="utf-8")
    assert json.loads(here.joinpath(names[1]).read_text())["ascent"] == font.ascent


def unpacked(pdf):
    """The document's objects: they stand in compressed streams."""
    found = b""
    for part in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL):
        try:
            found += zlib.decompress(part)
        except zlib.error:
            continue
    return found
