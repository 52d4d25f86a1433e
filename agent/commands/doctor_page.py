"""`doctor`'s lines on a terminal: the verdict first, the fix beside it, wrapped to a phone's
width.
"""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from agent.core.camera.diagnosis_findings import Finding, Health
from agent.core.text.visible import visible

WIDEST, NARROWEST = 160, 40
_STYLE = {Health.OK: "green", Health.WARN: "yellow", Health.FAIL: "bold red", Health.SKIP: "dim"}
WORD = {Health.OK: "ok", Health.WARN: "warn", Health.FAIL: "FAIL", Health.SKIP: "-"}
INDENT = 7


def show(findings: Sequence[Finding]) -> None:
    """Every line, then the sum. Piped, a finding is exactly one line."""
    console = Console(highlight=False, soft_wrap=True)
    width = min(WIDEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None
    for finding in findings:
        for number, line in enumerate(lines(finding, width)):
            text = Text(line)
            if number == 0:
                text.stylize(_STYLE[finding.health], 0, INDENT)
            console.print(text)
    console.print(Text(total(findings)))


def lines(finding: Finding, width: int | None) -> Iterator[str]:
    """One finding. `width`: of the terminal; None: not wrapped."""
    line = (
        f"{WORD[finding.health]:<{INDENT}}{finding.name}: "
        f"{finding.what}{f' → {finding.fix}' if finding.fix else ''}"
    )
    line = visible(line)
    if width is None:
        yield line
        return
    yield from textwrap.wrap(
        line,
        max(NARROWEST, width),
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def total(findings: Sequence[Finding]) -> str:
    """The last line."""
    counts = {health: sum(finding.health is health for finding in findings) for health in Health}
    told = (
        f"{counts[Health.OK]} ok, {counts[Health.WARN]} to watch (warn), {counts[Health.FAIL]} "
        f"failed, {counts[Health.SKIP]} not looked at (-)"
    )
    return told + (": begin with the first FAIL" if counts[Health.FAIL] else "")
