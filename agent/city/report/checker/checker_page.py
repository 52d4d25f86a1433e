"""Puts the checker page together: one HTML file, whose script and style are the only ones that its
own policy lets run.
"""

import base64
import hashlib
import json
from importlib.resources import files

from agent.audit.questions.reads import REFUSES_DESTINATION
from agent.city.report.archive_tables import obeyed
from agent.city.report.figures import of_logs
from agent.city.report.outcome_tables import FALSE
from agent.city.report.shown.forms import VERSION
from agent.core.reasons import Reason
from agent.core.wire.receipt import Disposition

PAGE, STYLE = "page.html", "page.css"
SCRIPTS = ("sha256.js", "sqlite.js", "trust.js", "log.js", "tally.js", "page.js")
LEFT_TO_THE_COMMAND = frozenset({"gaps"})  # what of the logs' tables the page does not make


def checker_page() -> bytes:
    """The page, the same for the same version of this software."""
    folder = files("agent.city.report.checker")
    page, style = ((folder / name).read_text(encoding="utf-8") for name in (PAGE, STYLE))
    scripts = [(folder / name).read_text(encoding="utf-8") for name in SCRIPTS]
    script = "\n".join(('"use strict";', f"const FACTS = {_facts()};", *scripts))
    parts = {"SCRIPT_HASH": _hash(script), "STYLE_HASH": _hash(style)}
    for name, text in {**parts, "STYLE": style, "SCRIPT": script}.items():
        page = page.replace(f"${name}", text, 1)
    return page.encode()


def _facts() -> str:
    """What the page needs of our code: reason codes, and each table's words."""
    tables = (*of_logs([], [], []), obeyed([], frozenset()))
    told = {
        "version": VERSION,
        "reasons": sorted(one.value for one in Reason),
        "refusesDestination": sorted(REFUSES_DESTINATION),
        "dispositions": [one.value for one in Disposition],
        "falseDispositions": [one.value for one in FALSE],
        "tables": {
            one.code: {"title": one.title, "says": one.says, "columns": list(one.columns)}
            for one in tables
            if one.code not in LEFT_TO_THE_COMMAND
        },
    }
    return json.dumps(told, ensure_ascii=True, sort_keys=True)


def _hash(text: str) -> str:
    """As a Content-Security-Policy names what may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
