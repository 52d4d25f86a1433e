"""`platewarden demo`: the whole line on this machine, no camera, no account, no network beyond
loopback.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.disk.folder import make_room
from agent.errors import UsageError
from agent.values import asdict

app = typer.Typer(add_completion=False)

KEPT = frozenset(
    {"summary.json", "index.html", "frames", "sealed", "recipients", "device", "log"}
    | {"report.html", "report.json", "check.html", "archive"}
)


@app.command()
def demo(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Keep the page, the frames, the sealed reads, the recipient's keys and the logs "
            "here.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as the last line, as JSON.")
    ] = False,
    keep_work: Annotated[
        Path | None,
        typer.Option(
            "--keep-work",
            hidden=True,
            help="Keep the installation itself, private keys and all (for tests).",
        ),
    ] = None,
) -> None:
    """Show the whole line at work on a rendered street. One hit is sealed to one police department,
    everything else is dropped, and six attempts are refused. Then what a stranger can check: the
    report, a withheld leaf, a witness's cosignature.
    """
    try:
        from agent.demo.story import tell
    except ImportError as error:
        raise UsageError(
            f"the demo needs {error.name}, which is not installed",
            fix="pip install 'platewarden[demo]'",
        ) from None
    for folder in (out, keep_work):
        if folder is not None:
            make_room(folder, KEPT, "summary.json", "demo")
    console = Console(file=sys.stderr if as_json else sys.stdout, highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="platewarden-demo-") as scratch:
        kept, work = out or Path(scratch) / "out", keep_work or Path(scratch) / "work"
        for folder in (kept, work):
            folder.mkdir(parents=True, exist_ok=True)
        summary = tell(
            kept.resolve(), work.resolve(), lambda line: console.print(line, markup=False)
        )
    console.print(
        f"Everything is in {out}: open {out / 'index.html'} in a browser."
        if out
        else "Nothing was kept; `--out DIR` keeps the page and the evidence.",
        markup=False,
    )
    if as_json:
        print(json.dumps(asdict(summary)))
