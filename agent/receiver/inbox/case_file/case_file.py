"""What a case file says of one lead, in the inbox's own order: as a lead, never as a fact (P10)."""

from datetime import datetime

from agent.core.text.rfc3339 import rfc3339
from agent.core.wire import image_header
from agent.receiver.inbox.case_file.tagged_pdf import COLOURS, MARGIN, WIDTH, TaggedPdf
from agent.receiver.inbox.lead_view import LeadLine, OpenedLead
from agent.receiver.inbox.lead_words import PAGE_BANNER, TEST_BANNER
from agent.values import dataclass

LANGUAGE = "en-US"
_SIZE, _LABEL = 9.0, 110.0
_WIDTHS = (_LABEL, WIDTH - 2 * MARGIN - _LABEL)
_PICTURE = "The camera's picture of the plate. Compare it with the characters below."


@dataclass(frozen=True, slots=True)
class TakenBy:
    """Who takes the file, when (UTC), and for what. `notice`: what must become of it."""

    name: str
    organization: str
    purpose: str
    incident: str
    at: datetime
    notice: str


def case_file(line: LeadLine, opened: OpenedLead, taken: TakenBy) -> bytes:
    """The PDF's bytes."""
    banner = TEST_BANNER if line.test else PAGE_BANNER
    incident = f", incident {taken.incident}" if taken.incident else ""
    exported = f"Exported by {taken.name}, {taken.organization}, at {rfc3339(taken.at)}"
    purpose = f"for {taken.purpose}{incident}"
    deadline = f"Delete by {line.until_local} ({line.until_utc})"
    made = TaggedPdf(
        f"{'Rehearsal' if line.test else 'Unverified lead'} {line.read_id}",
        LANGUAGE,
        (f"{banner}. {deadline}.", f"{exported}, {purpose}."),
        taken.at,
    )
    made.heading("A rehearsal" if line.test else f"Lead: {line.category} at {line.place}", 1)
    made.banner(banner)
    made.paragraph(f"{deadline}. {taken.notice}", bold=True)
    made.paragraph(f"{exported}, {purpose}.")
    _read(made, opened)
    _entry(made, line, opened)
    _where(made, line)
    return made.finished()


def _read(made: TaggedPdf, opened: OpenedLead) -> None:
    made.heading("What the camera read", 2)
    _picture(made, opened.crop)
    if not opened.characters:
        made.paragraph("The city's rule released no plate.")
        return
    made.paragraph(
        "Each character, and how sure the camera was of it. "
        "Doubtful ones are marked with a question mark."
    )
    columns = len(opened.characters)
    cell = min(40.0, (WIDTH - 2 * MARGIN - 80.0) / columns)
    shown = [f"{one.character}{'?' if one.doubtful else ''}" for one in opened.characters]
    sure = [str(one.percent) for one in opened.characters]
    made.table((["Character", *shown], ["Sure, %", *sure]), [80.0, *[cell] * columns], 11.0)
    perhaps = ", ".join(f"{text} ({sure} %)" for text, sure in opened.alternatives)
    made.table(
        (
            ("All of it", f"{opened.confidence} % sure, over {opened.frames} frame(s)"),
            ("State", f"{opened.state}, region {opened.region}"),
            *((("Or perhaps", perhaps),) if perhaps else ()),
        ),
        _WIDTHS,
        _SIZE,
    )


def _picture(made: TaggedPdf, crop: bytes | None) -> None:
    if crop is None:
        made.paragraph("The city's rule released no picture.")
        return
    header = image_header.parse(crop)
    if header is None or header.colours not in COLOURS:
        made.paragraph("The picture is of a kind that no PDF holds: the export as JSON has it.")
        return
    made.picture(crop, header, 300.0, _PICTURE)


def _entry(made: TaggedPdf, line: LeadLine, opened: OpenedLead) -> None:
    made.heading("The entry", 2)
    age = f"{opened.source_date}, {opened.entry_age_days} day(s) before it was seen"
    made.table(
        (
            ("Wanted for", line.category),
            ("According to", f"{opened.agency}, case {opened.case}"),
            ("Entered", age),
            ("How it matched", f"{line.match}: {line.match_words}"),
            ("Odds", opened.odds),
            ("Before acting", f"Ask {opened.agency} whether the entry still stands."),
        ),
        _WIDTHS,
        _SIZE,
    )


def _where(made: TaggedPdf, line: LeadLine) -> None:
    made.heading("Where and when", 2)
    made.table(
        (
            ("Seen", f"{line.seen_local} ({line.seen_utc}, clock {line.clock})"),
            ("At", f"{line.place}, camera {line.camera}"),
            ("Released", f"under {line.policy}, rule {line.rule}, for {line.purpose}"),
            ("Read", line.read_id),
        ),
        _WIDTHS,
        _SIZE,
    )
