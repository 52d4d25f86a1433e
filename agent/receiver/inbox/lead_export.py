"""One opened lead as a file to take away: JSON, CSV, GeoJSON, or a PDF for a case file. Each holds
its deadline, its purpose, who took it, and that it is unverified.
"""

import base64
import csv
import io
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from agent.core.text.rfc3339 import rfc3339
from agent.receiver.inbox.case_file.case_file import TakenBy, case_file
from agent.receiver.inbox.lead_view import LeadLine, OpenedLead
from agent.receiver.inbox.lead_words import PAGE_BANNER, TEST_BANNER
from agent.receiver.inbox.people.sign_in import Grant, Session
from agent.values import dataclass

NOTICE = "Delete this file by its deadline: no key reaches it any more."
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


class ExportForm(StrEnum):
    """How it is written."""

    JSON = "json"
    CSV = "csv"
    GEOJSON = "geojson"
    PDF = "pdf"


MEDIA_TYPES = {
    ExportForm.JSON: "application/json",
    ExportForm.CSV: "text/csv; charset=utf-8",
    ExportForm.GEOJSON: "application/geo+json",
    ExportForm.PDF: "application/pdf",
}


@dataclass(frozen=True, slots=True)
class Taking:
    """Who takes it, when (UTC), and for what."""

    session: Session
    grant: Grant
    at: datetime


def exported(
    form: ExportForm,
    line: LeadLine,
    opened: OpenedLead,
    taking: Taking,
    position: tuple[float, float] | None,
) -> bytes:
    """The file's bytes; texts are in UTF-8. The picture is in the JSON and in the PDF."""
    if form is ExportForm.PDF:
        return case_file(line, opened, _taken_by(taking))
    table = _table(line, opened, taking)
    if form is ExportForm.CSV:
        return _csv(table)
    if form is ExportForm.GEOJSON:
        point = (
            {"type": "Point", "coordinates": [position[1], position[0]]} if position else None
        )  # RFC 7946: longitude first; null where it is not known
        return _json({"type": "Feature", "geometry": point, "properties": table})
    if opened.crop is not None:
        table["crop_jpeg"] = base64.b64encode(opened.crop).decode()
    return _json(table)


def _taken_by(taking: Taking) -> TakenBy:
    return TakenBy(
        name=taking.session.username,
        organization=taking.session.organization,
        purpose=taking.grant.purpose,
        incident=taking.grant.incident,
        at=taking.at,
        notice=NOTICE,
    )


def _table(line: LeadLine, opened: OpenedLead, taking: Taking) -> dict[str, object]:
    return {
        "lead": TEST_BANNER if line.test else PAGE_BANNER,
        "unverified": True,
        "deadline": line.until_utc,
        "notice": NOTICE,
        "plate": "".join(one.character for one in opened.characters),
        "characters_percent": [one.percent for one in opened.characters],
        "confidence_percent": opened.confidence,
        "or_perhaps": [text for text, _ in opened.alternatives],
        "state": opened.state,
        "region": opened.region,
        "match": line.match,
        "match_means": line.match_words,
        "odds": opened.odds,
        "category": line.category,
        "agency": opened.agency,
        "case": opened.case,
        "entry_of": opened.source_date,
        "seen_at": line.seen_utc,
        "seen_at_local": line.seen_local,
        "clock": line.clock,
        "camera": line.camera,
        "place": line.place,
        "read": line.read_id,
        "policy": line.policy,
        "rule": line.rule,
        "purpose": taking.grant.purpose,
        "incident": taking.grant.incident,
        "taken_by": taking.session.username,
        "organization": taking.session.organization,
        "taken_at": rfc3339(taking.at),
    }


def _json(table: Mapping[str, object]) -> bytes:
    return json.dumps(table, indent=1, ensure_ascii=False).encode() + b"\n"


def _csv(table: Mapping[str, object]) -> bytes:
    """A head and one row, as RFC 4180 has them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(table)
    writer.writerow(_cell(value) for value in table.values())
    return out.getvalue().encode()


def _cell(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
