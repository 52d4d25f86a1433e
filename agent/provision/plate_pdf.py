"""Writes the rehearsal's plate as a PDF of two sheets, true to scale, with a ruler to check the
printer.

PDF 1.4, vectors, no embedded font.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.provision.plate_drawing import HEIGHT_MM, SEAM_MM, WIDTH_MM, plate_strokes

if TYPE_CHECKING:
    from agent.provision.plate_drawing import Stroke

PAPERS_MM = {"a4": (297.0, 210.0), "letter": (279.4, 215.9)}  # landscape
TOP_MM, RULER_MM = 20.0, 100.0
_POINTS_PER_MM = 72 / 25.4
_PARTS_MM = ((0.0, SEAM_MM), (SEAM_MM, WIDTH_MM))
_SAYS = (
    (
        "Platewarden TEST plate {plate}: sheet {part} of 2. "
        "Not a registration plate: not for use on a road."
    ),
    (
        "Print at 100 % (no scaling). The bar must be 100 mm long. Cut along the outline, "
        "join the parts at the dashed line, fix them to something flat and matt."
    ),
    (
        "A camera reads it as a test, if its policy has a rule for the category `test`; "
        "the recipient sees TEST received. It needs no entry in a hot list."
    ),
)


def plate_pdf(plate: str, paper: str) -> bytes:
    """The whole file; the same bytes for the same plate. `paper`: a4 or letter."""
    width_mm, height_mm = PAPERS_MM[paper]
    box = f"[0 0 {_pt(width_mm)} {_pt(height_mm)}]"
    streams = [_sheet(plate, part, width_mm, height_mm).encode("ascii") for part in (0, 1)]
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [4 0 R 6 0 R] /Count 2 >>",
    ]
    # A font that every viewer has.
    objects.append(
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    )
    for number, stream in zip((4, 6), streams, strict=True):
        page = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Contents {number + 1} 0 R /Resources "
            "<< /Font << /F1 3 0 R >> >> >>"
        )
        objects += [
            page.encode("ascii"),
            b"<< /Length %d >>\nstream\n" % len(stream) + stream + b"\nendstream",
        ]
    return _file(objects)


def _file(objects: list[bytes]) -> bytes:
    """Objects, the table of where they begin, the trailer.

    PrintScaling None asks viewers not to fit the page.
    """
    objects[0] = objects[0].replace(b" >>", b" /ViewerPreferences << /PrintScaling /None >> >>", 1)
    out, starts = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        starts.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    where = len(out)
    return (
        out
        + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
        + table
        + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (
            len(objects) + 1,
            where,
        )
    )


def _sheet(plate: str, part: int, width_mm: float, height_mm: float) -> str:
    """One part of the plate, clipped at the seam; below it the ruler and what to do."""
    begin, end = _PARTS_MM[part]
    left = (width_mm - (end - begin)) / 2
    right, top, below = left + end - begin, height_mm - TOP_MM, height_mm - TOP_MM - HEIGHT_MM
    parts = [
        "q",
        f"{_pt(left)} {_pt(below)} {_pt(end - begin)} {_pt(HEIGHT_MM)} re W n",
        "0 G 1 J 1 j",
    ]
    parts += [_stroke(stroke, left - begin, top) for stroke in plate_strokes(plate)]
    parts += ["Q", "q 0.2 w 0.5 G"]
    seam, edge = (right, left) if part == 0 else (left, right)
    parts += [
        _line(edge, below, edge, top),
        _line(left, top, right, top),
        _line(left, below, right, below),
    ]
    parts += ["[3 3] 0 d", _line(seam, below - 5, seam, top + 5), "Q", "q 1 w 0 G"]
    ruler = below - 18
    parts += [
        _line(left, ruler, left + RULER_MM, ruler),
        _line(left, ruler - 2, left, ruler + 2),
        _line(left + RULER_MM, ruler - 2, left + RULER_MM, ruler + 2),
        "Q",
    ]
    for number, line in enumerate(_SAYS):
        text = line.format(plate=plate, part=part + 1).replace("(", r"\(").replace(")", r"\)")
        parts.append(f"BT /F1 8 Tf {_pt(left)} {_pt(ruler - 12 - 5 * number)} Td ({text}) Tj ET")
    return "\n".join(parts)


def _stroke(stroke: Stroke, left_mm: float, top_mm: float) -> str:
    """Closed where it ends where it began, so that the border's last corner is round too."""
    moved = [f"{_pt(left_mm + x)} {_pt(top_mm - y)}" for x, y in stroke.points]
    closed = stroke.points[0] == stroke.points[-1]
    return (
        f"{_pt(stroke.width_mm)} w {moved[0]} m "
        + " ".join(f"{point} l" for point in moved[1:])
        + (" h S" if closed else " S")
    )


def _line(x0: float, y0: float, x1: float, y1: float) -> str:
    return f"{_pt(x0)} {_pt(y0)} m {_pt(x1)} {_pt(y1)} l S"


def _pt(millimetres: float) -> str:
    return f"{millimetres * _POINTS_PER_MM:.3f}"
