"""`platewarden receiver doctor`: what a receiver's folder lacks, a line each, with the fix."""

import json

import typer

from agent.commands.receiver.receiver_options import Folder, Json, own_logs

app = typer.Typer(add_completion=False)


@app.command()
def doctor(folder: Folder, as_json: Json = False) -> None:
    """Look at keys, the city's files, the key list's reach, store, holds, ringers, disk,
    certificate, broker and its access list. Tell how far witnesses vouch for the receiver's own
    logs.

    While a receiver runs in the folder, the broker is not dialled.
    """
    from agent.audit.witnesses.told_reach import finding_of
    from agent.core.camera.diagnosis_findings import as_table, exit_code
    from agent.doctor.recipient import look
    from agent.host.clock import SystemClock
    from agent.receiver.workplace import Workplace

    place, now = Workplace(folder), SystemClock().now()
    found = [*look(place, now), *(finding_of(one, now) for one in own_logs(folder).values())]
    if as_json:
        table = {
            "recipient": place.recipient,
            "exit_code": exit_code(found),
            "findings": [as_table(finding) for finding in found],
        }
        typer.echo(json.dumps(table))
    else:
        from agent.commands.doctor_page import show

        show(found)
    raise typer.Exit(exit_code(found))
