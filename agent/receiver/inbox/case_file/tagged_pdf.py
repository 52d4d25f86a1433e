"""A tagged PDF, page by page from top to bottom: headings, sentences, tables and a picture.

Each part has its place in the structure tree (ISO 32000-1, 14.7 and 14.8), so that a screen reader
speaks it in order; what stands at the foot of each page is an artifact. Values are drawn as glyphs
of embedded fonts: nothing in them is ever read as PDF.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from html import escape

import pydyf

from agent.core.wire.image_header import ImageHeader
from agent.receiver.inbox.case_file.pdf_font import BOLD, REGULAR, PdfFont, loaded
from agent.values import dataclass, field

WIDTH, HEIGHT = 612.0, 792.0
"""US Letter, in points of 1/72 inch."""
MARGIN = 54.0
FOOT = 96.0
"""What the foot of a page keeps free, with the margin."""
LEADING = 1.3
COLOURS = {1: "/DeviceGray", 3: "/DeviceRGB"}
"""Of the JPEGs that go in as they are."""
_FOOT_SIZE = 8.0
_PADDING = 2.5
_MOST_LINES = 20
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:language><rdf:Bag><rdf:li>{language}</rdf:li></rdf:Bag></dc:language>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


@dataclass(slots=True)
class _Page:
    """`marked`: whose part each marked content of this page is, by its number."""

    stream: pydyf.Stream
    object: pydyf.Dictionary
    marked: list[pydyf.Dictionary] = field(default_factory=list)


class TaggedPdf:
    """`foot`: lines at the foot of each page. `made`: when, in UTC.

    Nothing is written until `finished`.
    """

    def __init__(self, title: str, language: str, foot: Sequence[str], made: datetime) -> None:
        self._title, self._language, self._foot, self._made = title, language, tuple(foot), made
        self._pdf, self._pages, self._y = pydyf.PDF(), list[_Page](), 0.0
        self._regular, self._bold = loaded(REGULAR), loaded(BOLD)
        self._fonts = pydyf.Dictionary(
            {"F0": self._regular.add_to(self._pdf), "F1": self._bold.add_to(self._pdf)}
        )
        self._images = pydyf.Dictionary()
        self._tree = self._added(pydyf.Dictionary({"Type": "/StructTreeRoot"}))
        self._document = self._element("Document", self._tree)
        self._turn()

    def heading(self, text: str, level: int) -> None:
        """`level`: 1 or 2."""
        size = {1: 15.0, 2: 11.5}[level]
        self._room(size * LEADING * 3)  # not alone at the end of a page
        self._y -= size * 0.6
        self._lines(self._element(f"H{level}", self._document), text, size, self._bold)

    def paragraph(self, text: str, *, bold: bool = False) -> None:
        """One thought."""
        font = self._bold if bold else self._regular
        self._lines(self._element("P", self._document), text, 9.5, font)

    def banner(self, text: str) -> None:
        """A sentence in a frame that nobody overlooks."""
        size, wide = 12.0, WIDTH - 2 * MARGIN
        lines = _wrapped(self._bold, text, size, wide - 24)
        high = len(lines) * size * LEADING + 12
        self._room(high + 6)
        self._y -= high
        with self._artifact() as stream:
            stream.set_color_rgb(1.0, 0.88, 0.54)
            stream.rectangle(MARGIN, self._y, wide, high)
            stream.fill_and_stroke()
        element = self._element("P", self._document)
        for number, line in enumerate(lines):
            down = (number + 1) * size * LEADING + 3
            self._text(element, line, MARGIN + 12, self._y + high - down, size, self._bold)
        self._y -= 8

    def table(self, rows: Sequence[Sequence[str]], widths: Sequence[float], size: float) -> None:
        """Each row's first cell is its head. `widths`: of the columns, in points."""
        table = self._element("Table", self._document)
        for row in rows:
            cells = [
                _wrapped(self._regular if at else self._bold, text, size, wide - 2 * _PADDING)
                for at, (text, wide) in enumerate(zip(row, widths, strict=True))
            ]
            # what is longer than a page goes on in rows of the same head
            for first in range(0, max(map(len, cells)), _MOST_LINES):
                parts = [lines[first : first + _MOST_LINES] for lines in cells[1:]]
                self._row(table, [cells[0], *parts], widths, size)
        self._y -= size * 0.4

    def picture(self, jpeg: bytes, header: ImageHeader, wide: float, words: str) -> None:
        """`header`: of the JPEG, its colours one of COLOURS. `wide`: in points, less for a high
        picture. `words`: what it shows, for who cannot see it.
        """
        wide = min(wide, 150.0 * header.width / header.height)
        high = wide * header.height / header.width
        self._room(high + 6)
        self._y -= high + 4
        extra = {
            "Type": "/XObject",
            "Subtype": "/Image",
            "Width": header.width,
            "Height": header.height,
            "ColorSpace": COLOURS[header.colours],
            "BitsPerComponent": 8,
            "Filter": "/DCTDecode",
        }
        name = f"I{len(self._images)}"
        self._images[name] = self._added(pydyf.Stream([jpeg], extra)).reference
        element = self._element("Figure", self._document)
        element["Alt"] = pydyf.String(words)
        with self._marked(element) as stream:
            stream.push_state()
            stream.set_matrix(wide, 0, 0, high, MARGIN, self._y)
            stream.draw_x_object(name)
            stream.pop_state()
        self._y -= 4

    def finished(self) -> bytes:
        """The file."""
        total = len(self._pages)
        for number, page in enumerate(self._pages, 1):
            self._draw_foot(page, f"Page {number} of {total}")
            self._added(page.stream)
            page.object["Contents"] = page.stream.reference
            self._pdf.add_page(page.object)
            for content, element in enumerate(page.marked):
                element["K"].append(_content(page.object, content))
        self._close_tree()
        self._describe()
        out = io.BytesIO()
        self._pdf.write(out, version=b"1.7", identifier=True, compress=True)
        return out.getvalue()

    def _describe(self) -> None:
        title = pydyf.String(self._title)
        self._pdf.info.update(
            {
                "Title": title,
                "Producer": pydyf.String("Platewarden"),
                "CreationDate": pydyf.String(self._made.strftime("D:%Y%m%d%H%M%SZ")),
            }
        )
        told = _XMP.format(title=escape(self._title), language=escape(self._language)).encode()
        metadata = pydyf.Stream([told], {"Type": "/Metadata", "Subtype": "/XML"})
        self._pdf.catalog.update(
            {
                "Lang": pydyf.String(self._language),
                "MarkInfo": pydyf.Dictionary({"Marked": "true"}),
                "StructTreeRoot": self._tree.reference,
                "ViewerPreferences": pydyf.Dictionary({"DisplayDocTitle": "true"}),
                "Metadata": self._added(metadata).reference,
            }
        )

    def _close_tree(self) -> None:
        numbers = pydyf.Array()
        for at, page in enumerate(self._pages):
            owners = pydyf.Array(element.reference for element in page.marked)
            numbers += [at, self._added(owners).reference]
        parents = self._added(pydyf.Dictionary({"Nums": numbers}))
        self._tree.update({"ParentTree": parents.reference, "ParentTreeNextKey": len(self._pages)})

    def _row(
        self,
        table: pydyf.Dictionary,
        cells: Sequence[Sequence[str]],
        widths: Sequence[float],
        size: float,
    ) -> None:
        high = max(map(len, cells)) * size * LEADING + 2 * _PADDING
        self._room(high)
        self._y -= high
        element, x = self._element("TR", table), MARGIN
        for at, (lines, wide) in enumerate(zip(cells, widths, strict=True)):
            with self._artifact() as stream:
                stream.set_color_rgb(0.46, 0.46, 0.46, stroke=True)
                stream.rectangle(x, self._y, wide, high)
                stream.stroke()
            cell = self._element("TD" if at else "TH", element)
            if not at:
                cell["A"] = pydyf.Dictionary({"O": "/Table", "Scope": "/Row"})
            for number, line in enumerate(lines):
                y = self._y + high - _PADDING - (number + 0.8) * size * LEADING
                self._text(cell, line, x + _PADDING, y, size, self._regular if at else self._bold)
            x += wide

    def _lines(self, element: pydyf.Dictionary, text: str, size: float, font: PdfFont) -> None:
        for line in _wrapped(font, text, size, WIDTH - 2 * MARGIN):
            self._room(size * LEADING)
            self._y -= size * LEADING
            self._text(element, line, MARGIN, self._y, size, font)
        self._y -= size * 0.35

    def _text(
        self, element: pydyf.Dictionary, line: str, x: float, y: float, size: float, font: PdfFont
    ) -> None:
        with self._marked(element) as stream:
            self._draw(stream, line, x, y, size, font)

    def _draw(
        self, stream: pydyf.Stream, line: str, x: float, y: float, size: float, font: PdfFont
    ) -> None:
        stream.begin_text()
        stream.set_color_rgb(0, 0, 0)
        stream.set_font_size("F1" if font is self._bold else "F0", size)
        stream.set_text_matrix(1, 0, 0, 1, x, y)
        stream.show_text(font.encoded(line))
        stream.end_text()

    def _draw_foot(self, page: _Page, last: str) -> None:
        y = FOOT - 2 * _FOOT_SIZE
        with self._artifact(page) as stream:
            stream.move_to(MARGIN, FOOT - 6)
            stream.line_to(WIDTH - MARGIN, FOOT - 6)
            stream.stroke()
            for at, text in enumerate((*self._foot, last)):
                font = self._regular if at else self._bold
                for line in _wrapped(font, text, _FOOT_SIZE, WIDTH - 2 * MARGIN):
                    self._draw(stream, line, MARGIN, y, _FOOT_SIZE, font)
                    y -= _FOOT_SIZE * 1.3

    @contextmanager
    def _marked(self, element: pydyf.Dictionary) -> Iterator[pydyf.Stream]:
        page = self._pages[-1]
        tag = element["S"].removeprefix("/")
        page.stream.begin_marked_content(tag, b"<</MCID %d>>" % len(page.marked))
        page.marked.append(element)
        yield page.stream
        page.stream.end_marked_content()

    @contextmanager
    def _artifact(self, page: _Page | None = None) -> Iterator[pydyf.Stream]:
        stream = (page or self._pages[-1]).stream
        kind = b"<</Type /Pagination /Subtype /Footer>>" if page else b"<</Type /Layout>>"
        stream.begin_marked_content("Artifact", kind)
        stream.push_state()
        yield stream
        stream.pop_state()
        stream.end_marked_content()

    def _room(self, high: float) -> None:
        if self._y - high < FOOT:
            self._turn()

    def _turn(self) -> None:
        resources = pydyf.Dictionary({"Font": self._fonts, "XObject": self._images})
        page = pydyf.Dictionary(
            {
                "Type": "/Page",
                "Parent": self._pdf.pages.reference,
                "MediaBox": pydyf.Array([0, 0, WIDTH, HEIGHT]),
                "Resources": resources,
                "StructParents": len(self._pages),
                "Tabs": "/S",
            }
        )
        self._pages.append(_Page(pydyf.Stream(compress=True), page))
        self._y = HEIGHT - MARGIN

    def _element(self, kind: str, parent: pydyf.Dictionary) -> pydyf.Dictionary:
        made = self._added(
            pydyf.Dictionary(
                {
                    "Type": "/StructElem",
                    "S": f"/{kind}",
                    "P": parent.reference,
                    "K": pydyf.Array(),
                }
            )
        )
        parent.setdefault("K", pydyf.Array()).append(made.reference)
        return made

    def _added(self, one: pydyf.Object) -> pydyf.Object:
        self._pdf.add_object(one)
        return one


def _content(page: pydyf.Dictionary, number: int) -> bytes:
    """Which marked content a part of the structure is."""
    told: bytes = pydyf.Dictionary({"Type": "/MCR", "Pg": page.reference, "MCID": number}).data
    return told


def _wrapped(font: PdfFont, text: str, size: float, wide: float) -> list[str]:
    """Lines that fit, broken between words; a word that is too long is broken inside."""
    lines, line = [], ""
    for word in font.shown(text).split():
        tried = f"{line} {word}" if line else word
        if font.width(tried, size) <= wide:
            line = tried
            continue
        if line:
            lines.append(line)
        line = word
        while font.width(line, size) > wide:
            fits = next(
                at
                for at in range(len(line), 0, -1)
                if at == 1 or font.width(line[:at], size) <= wide
            )
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line]
