"""Finds the fonts that the plate renderer draws with, installs them by package name, and lists
their licences.

    python -m models.training.fonts             # what is found
    python -m models.training.fonts --install   # npm packages into the font folder;
                                                # prints the apt line for the rest

No font is committed. The folder is $PLATEWARDEN_FONTS, by default ../train/fonts; without any font
the renderer draws with its own stroke glyphs alone. Licences: see FONTS.md beside this file.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

APT_PACKAGES = {
    "fonts-roadgeek": "MIT",
    "fonts-opendin": "public domain / OFL-1.1",
    "fonts-liberation": "OFL-1.1",
}
NPM_FAMILIES = (
    "alumni-sans",
    "archivo-narrow",
    "barlow",
    "barlow-condensed",
    "barlow-semi-condensed",
    "bebas-neue",
    "blinker",
    "chakra-petch",
    "cooper-hewitt",
    "dosis",
    "m-plus-rounded-1c",
    "oswald",
    "overpass",
    "pathway-gothic-one",
    "rajdhani",
    "roboto-condensed",
    "rokkitt",  # slab serifs, as on the dies of some US states
    "saira",
    "saira-condensed",
    "saira-extra-condensed",
    "saira-semi-condensed",
    "share-tech",
    "share-tech-mono",
    "sofia-sans-condensed",
    "sofia-sans-semi-condensed",
    "zilla-slab",
)
WEIGHTS = (400, 500, 600, 700)
# Of small print alone: states write their names in serifs and by hand.
PRINT_FAMILIES = (
    "abril-fatface",
    "alfa-slab-one",
    "arvo",
    "berkshire-swash",
    "bitter",
    "cinzel",
    "cookie",
    "courgette",
    "dancing-script",
    "great-vibes",
    "kaushan-script",
    "libre-baskerville",
    "lobster",
    "merienda",
    "merriweather",
    "oleo-script",
    "old-standard-tt",
    "pacifico",
    "playfair-display",
    "rye",
    "satisfy",
    "yellowtail",
)
SYSTEM_FOLDERS = (
    Path("/usr/share/fonts/truetype/roadgeek"),
    Path("/usr/share/fonts/truetype/opendin"),
    Path("/usr/share/fonts/truetype/liberation"),
)
# Serifs and slants that no plate has.
UNLIKE_PLATES = ("Serif", "Italic", "Oblique", "Mono")


@dataclass(frozen=True, slots=True)
class FontFile:
    """One face on disk. `family`: lower case, what the tables' font lists are matched against."""

    path: Path
    family: str


def font_folder() -> Path:
    """Where npm fonts and their unpacked copies live."""
    return Path(os.environ.get("PLATEWARDEN_FONTS", "../train/fonts"))


def data_fonts() -> Path:
    """Where the look-alike fonts of the development data live."""
    return Path(os.environ.get("PLATEWARDEN_PLATES", "../shared/plates")) / "fonts"


def unpacked(packed: Path, folder: Path) -> Path:
    """The TrueType copy of a WOFF file, made once in `folder`."""
    target = folder / f"{packed.stem}.ttf"
    if not target.exists():
        from fontTools.ttLib import TTFont  # noqa: PLC0415  only needed the first time

        folder.mkdir(parents=True, exist_ok=True)
        font = TTFont(packed)
        font.flavor = None
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        font.save(partial)
        partial.replace(target)
    return target


def find_fonts() -> list[FontFile]:
    """Every usable face, in a stable order; empty on a bare machine."""
    found = []
    for folder in SYSTEM_FOLDERS:
        found += [
            FontFile(path, folder.name)
            for path in sorted(folder.glob("*.ttf"))
            if not any(word in path.stem for word in UNLIKE_PLATES)
        ]
    if data_fonts().is_dir():
        found += [FontFile(path, path.stem.lower()) for path in sorted(data_fonts().glob("*.ttf"))]
    return found + list(of_families(NPM_FAMILIES))


def of_families(families: Iterable[str]) -> Iterator[FontFile]:
    """The npm families' upright faces that are installed."""
    for family in families:
        files = font_folder() / "node_modules" / "@fontsource" / family / "files"
        for weight in WEIGHTS:
            packed = files / f"{family}-latin-{weight}-normal.woff"
            if packed.exists():
                name = "rounded" if "rounded" in family else family
                yield FontFile(unpacked(packed, font_folder() / "ttf"), name)


def print_fonts() -> list[Path]:
    """Faces of small print, each as often as it should be drawn: half of them plain, the others
    serifs and scripts.
    """
    plain = [font.path for font in find_fonts()][::3]
    liberation = SYSTEM_FOLDERS[2]
    serifs = sorted(liberation.glob("LiberationSerif-*.ttf")) * 2
    fancy = [font.path for font in of_families(PRINT_FAMILIES)] + serifs
    slanted = sorted(liberation.glob("LiberationSans*-*Italic.ttf"))
    return plain + slanted + fancy


def missing(wanted: Iterable[str], found: Iterable[FontFile]) -> list[str]:
    """Names of the tables' font lists that no face's family begins with."""
    families = {font.family for font in found}
    return sorted(
        name for name in set(wanted) if not any(family.startswith(name) for family in families)
    )


def require(wanted: Iterable[str]) -> None:
    """Refuses to go on without some of the fonts: a folder named wrongly once cost three trainings
    nine tenths of their shapes, and nothing said so.
    """
    lacking = missing(wanted, find_fonts())
    if lacking:
        message = (
            f"no face of {', '.join(lacking)} in {font_folder()}, {data_fonts()} "
            f"and {SYSTEM_FOLDERS[0].parent}: python -m models.training.fonts --install\n"
        )
        message += f"apt-get install {' '.join(APT_PACKAGES)}\nor train without them: --fewer-fonts"
        raise SystemExit(message)


def tell(wanted: Iterable[str]) -> None:
    """Says on standard error which of the fonts are not there, where a drawing may go on without
    them.
    """
    lacking = missing(wanted, find_fonts())
    if lacking:
        print(
            f"drawn without {', '.join(lacking)}: "
            "figures will differ from the cards' (python -m models.training.fonts --install)",
            file=sys.stderr,
        )


def install() -> None:
    """Put the npm families into the font folder; apt needs root, so its line is printed only."""
    folder = font_folder()
    folder.mkdir(parents=True, exist_ok=True)
    packages = [f"@fontsource/{family}" for family in (*NPM_FAMILIES, *PRINT_FAMILIES)]
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *packages],
        check=True,
    )
    print("apt-get install " + " ".join(APT_PACKAGES))


def main() -> None:
    """List or install the fonts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--install", action="store_true")
    if parser.parse_args().install:
        install()
    for font in find_fonts():
        print(f"{font.family:<28}{font.path.name}")


if __name__ == "__main__":
    main()
