"""A font inside a PDF (ISO 32000-1, 9.7): how wide a text is, and how it is written.

Both fonts are parts of DejaVu Sans; tests/support/case_fonts.py made them and their measures.
"""

import json
from importlib.resources import files
from typing import Any

import pydyf

from agent.values import dataclass

REGULAR = ("DejaVuSans.ttf", "DejaVuSans.json")
BOLD = ("DejaVuSans-Bold.ttf", "DejaVuSans-Bold.json")
LICENCE = "LICENSE_DEJAVU"  # of both; it goes wherever they go
_UPRIGHT_LATIN = 1 << 5  # nonsymbolic
_BOLD_WEIGHT = 700
_TO_UNICODE = """/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CMapName /to-unicode def
/CMapType 2 def
1 begincodespacerange
<0000> <ffff>
endcodespacerange
{blocks}
endcmap
CMapName currentdict /CMap defineresource pop
end
end"""
_BLOCK = 100  # entries that one block of a CMap may have


@dataclass(frozen=True, slots=True)
class PdfFont:
    """`glyphs`: by code point, the glyph's number and its width in thousandths of the size.
    `ascent`, `descent`, `cap_height`, `box`: in thousandths too.
    """

    name: str
    data: bytes
    bold: bool
    ascent: int
    descent: int
    cap_height: int
    box: tuple[int, ...]
    glyphs: dict[int, tuple[int, int]]

    def shown(self, text: str) -> str:
        """`text` as this font can write it: what it has no glyph for by its number, never as an
        empty box.
        """
        return "".join(one if ord(one) in self.glyphs else f"[U+{ord(one):04X}]" for one in text)

    def width(self, text: str, size: float) -> float:
        """Of a text that `shown` gave, in the unit of `size`."""
        return sum(self.glyphs[ord(one)][1] for one in text) * size / 1000

    def encoded(self, text: str) -> bytes:
        """The same text as a string of glyphs."""
        return b"<" + "".join(f"{self.glyphs[ord(one)][0]:04x}" for one in text).encode() + b">"

    def add_to(self, pdf: pydyf.PDF) -> bytes:
        """Embeds it; the reference of the font."""
        file = _added(pdf, pydyf.Stream([self.data], {"Length1": len(self.data)}, compress=True))
        descriptor = _added(
            pdf,
            pydyf.Dictionary(
                {
                    "Type": "/FontDescriptor",
                    "FontName": f"/{self.name}",
                    "Flags": _UPRIGHT_LATIN,
                    "FontBBox": pydyf.Array(self.box),
                    "ItalicAngle": 0,
                    "Ascent": self.ascent,
                    "Descent": self.descent,
                    "CapHeight": self.cap_height,
                    "StemV": 140 if self.bold else 80,
                    "FontWeight": _BOLD_WEIGHT if self.bold else 400,
                    "FontFile2": file,
                }
            ),
        )
        return self._composed(pdf, descriptor)

    def _composed(self, pdf: pydyf.PDF, descriptor: bytes) -> bytes:
        by_number = sorted(self.glyphs.values())
        widths = pydyf.Array()
        for number, width in by_number:
            widths += [number, pydyf.Array([width])]
        system = pydyf.Dictionary(
            {
                "Registry": pydyf.String("Adobe"),
                "Ordering": pydyf.String("Identity"),
                "Supplement": 0,
            }
        )
        inner = _added(
            pdf,
            pydyf.Dictionary(
                {
                    "Type": "/Font",
                    "Subtype": "/CIDFontType2",
                    "BaseFont": f"/{self.name}",
                    "CIDSystemInfo": system,
                    "FontDescriptor": descriptor,
                    "W": widths,
                    "CIDToGIDMap": "/Identity",
                }
            ),
        )
        told = _added(pdf, pydyf.Stream([self._to_unicode()], compress=True))
        return _added(
            pdf,
            pydyf.Dictionary(
                {
                    "Type": "/Font",
                    "Subtype": "/Type0",
                    "BaseFont": f"/{self.name}",
                    "Encoding": "/Identity-H",
                    "DescendantFonts": pydyf.Array([inner]),
                    "ToUnicode": told,
                }
            ),
        )

    def _to_unicode(self) -> bytes:
        """Which text each glyph stands for, so that a reader can copy and speak it."""
        # One glyph may draw several characters; the lowest code point speaks for it.
        lowest = {number: point for point, (number, _) in sorted(self.glyphs.items(), reverse=True)}
        lines = [f"<{number:04x}> <{point:04x}>" for number, point in sorted(lowest.items())]
        blocks = []
        for at in range(0, len(lines), _BLOCK):
            part = lines[at : at + _BLOCK]
            blocks.append(f"{len(part)} beginbfchar\n" + "\n".join(part) + "\nendbfchar")
        return _TO_UNICODE.format(blocks="\n".join(blocks)).encode()


def loaded(names: tuple[str, str]) -> PdfFont:
    """REGULAR or BOLD, out of this package."""
    font, measures = names
    here = files("agent.receiver.inbox.case_file")
    told: dict[str, Any] = json.loads(here.joinpath(measures).read_text(encoding="utf-8"))
    return PdfFont(
        # Six letters and a plus: a part of a font (9.6.4)
        name=f"PWCASE+{font.removesuffix('.ttf')}",
        data=here.joinpath(font).read_bytes(),
        bold=names is BOLD,
        ascent=told["ascent"],
        descent=told["descent"],
        cap_height=told["cap_height"],
        box=tuple(told["box"]),
        glyphs={int(point): (number, width) for point, (number, width) in told["glyphs"].items()},
    )


def _added(pdf: pydyf.PDF, one: pydyf.Object) -> bytes:
    pdf.add_object(one)
    reference: bytes = one.reference
    return reference
