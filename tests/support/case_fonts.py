"""Makes the two fonts that a case file embeds: parts of DejaVu Sans, and how wide each glyph is.

python -m tests.support.case_fonts
"""

import json
from pathlib import Path

import matplotlib as mpl
from fontTools import subset, ttLib

INTO = Path(__file__).parents[2] / "agent/receiver/inbox/case_file"
FONTS = Path(mpl.get_data_path()) / "fonts/ttf"
NAMES = ("DejaVuSans", "DejaVuSans-Bold")
# ASCII, Latin-1, Latin Extended-A and -B, Greek, Cyrillic, dashes and quotes, euro, numero
RANGES = (
    (0x20, 0x7E),
    (0xA0, 0x24F),
    (0x370, 0x3FF),
    (0x400, 0x45F),
    (0x2010, 0x2026),
    (0x20AC, 0x20AC),
    (0x2116, 0x2116),
)


def part_of(name: str) -> ttLib.TTFont:
    """The font with the glyphs of RANGES alone, without hints and features."""
    options = subset.Options(hinting=False, layout_features=[], glyph_names=False)
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "kern", "FFTM", "gasp"]
    options.recalc_timestamp = False
    font = subset.load_font(str(FONTS / f"{name}.ttf"), options)
    chosen = subset.Subsetter(options)
    chosen.populate(unicodes=[n for first, last in RANGES for n in range(first, last + 1)])
    chosen.subset(font)
    return font


def measures(font: ttLib.TTFont) -> dict[str, object]:
    """In thousandths of the font's size. `glyphs`: by code point, its number and its width."""
    unit = 1000 / font["head"].unitsPerEm
    numbers = font.getReverseGlyphMap()
    box = (font["head"].xMin, font["head"].yMin, font["head"].xMax, font["head"].yMax)
    glyphs = {
        str(point): [numbers[glyph], round(font["hmtx"][glyph][0] * unit)]
        for point, glyph in sorted(font.getBestCmap().items())
    }
    return {
        "ascent": round(font["hhea"].ascent * unit),
        "descent": round(font["hhea"].descent * unit),
        "cap_height": round(font["glyf"][font.getBestCmap()[ord("H")]].yMax * unit),
        "box": [round(side * unit) for side in box],
        "glyphs": glyphs,
    }


def main() -> None:
    for name in NAMES:
        font = part_of(name)
        font.save(INTO / f"{name}.ttf")
        text = json.dumps(measures(font), separators=(",", ":"))
        (INTO / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    licence = (FONTS / "LICENSE_DEJAVU").read_text(encoding="utf-8")
    (INTO / "LICENSE_DEJAVU").write_text(licence, encoding="utf-8")


if __name__ == "__main__":
    main()
