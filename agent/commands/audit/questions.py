"""`platewarden audit questions`: asks the auditor's questions of verified logs."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.commands.audit.audit_options import Kept, Keys, Logs, Root
from agent.commands.audit.audit_outcome import error_of
from agent.commands.audit.audit_output import leaves_bar, summary
from agent.commands.city_options import Json
from agent.core.text.visible import visible

if TYPE_CHECKING:
    from agent.audit.questions.findings import Answer

BAD_ANSWER = 3
app = typer.Typer(add_completion=False)


@app.command()
def questions(
    paths: Logs,
    key: Keys = None,
    root: Root = None,
    checkpoint: Kept = None,
    receiver: Annotated[
        list[Path] | None,
        typer.Option(
            help="What a recipient says of itself: the output of `receiver status --json` in a "
            "file. May be given many times."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify logs, and ask them the questions of the auditor's guide.

    Hours without counts, releases without an end, numbers missing or twice, lost reads; watch
    against deliver, against the recipients' own records and against the city's log.

    Exit 3: the logs are whole and an answer is bad, or as for `audit verify`.
    """
    from agent.audit.log_verify import Asked
    from agent.audit.many_logs import verify_all
    from agent.audit.questions.ask import ask
    from agent.audit.questions.receiver_file import read_receiver

    receivers = [read_receiver(path) for path in receiver or ()]
    with leaves_bar() as tell:
        done = verify_all(paths, key or (), root, Asked(checkpoint or ()), tell)
    answers = ask([report for report, _ in done.logs], receivers)
    if as_json:
        logs = [{"origin": one.origin, "verdict": one.verdict.value} for one, _ in done.logs]
        told = {"logs": logs, "answers": [as_table(one) for one in answers]}
        typer.echo(json.dumps(told, ensure_ascii=True))
    else:
        for line in (*_lines(answers), *summary(done)):
            typer.echo(visible(line))
    error = error_of(done)
    if error is not None:
        raise error
    if any(one.bad for one in answers):
        raise typer.Exit(BAD_ANSWER)


def as_table(answer: "Answer") -> dict[str, object]:
    """One answer of `--json`."""
    return {
        "finding": answer.finding.value,
        "bad": answer.bad,
        "camera": answer.camera,
        "log": answer.origin,
        "leaf": answer.leaf,
        "at": answer.at,
        "what": answer.what,
    }


def _lines(answers: Sequence["Answer"]) -> Iterator[str]:
    for one in sorted(answers, key=lambda one: not one.bad):
        leaf = f" leaf {one.leaf}" if one.leaf is not None else ""
        at = f" of {one.at}" if one.at else ""
        label = "BAD" if one.bad else "note"
        yield f"{label:<5}[{one.finding}] {one.origin}{leaf}{at}: {one.what}"
    bad = sum(one.bad for one in answers)
    yield f"{bad} bad answers, {len(answers) - bad} notes"
