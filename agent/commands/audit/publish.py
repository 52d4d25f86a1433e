"""`platewarden audit publish`: a log as static files for any web server (C2SP tlog-tiles)."""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.audit.audit_options import Keys, Root
from agent.commands.city_options import Json
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def publish(
    path: Annotated[Path, typer.Argument(help="A log's folder: city/log.")],
    out: Annotated[
        Path, typer.Option(help="The folder that a web server serves, as it is or to be made.")
    ],
    key: Keys = None,
    root: Root = None,
    as_json: Json = False,
) -> None:
    """Publish a log as C2SP tlog-tiles: hashes, entries and the newest checkpoint, without a word
    of what leaves say; and a proof for each camera whose checkpoint it holds.

    Exit 3: the log is not what was signed, or another history was published there before.
    """
    from agent.audit.proofs.log_tiles import publish_log
    from agent.audit.trusted_keys import keys_nearby, keys_of
    from agent.core.log.checkpoint import verifier_key

    keys = keys_of(key, root) if key else keys_nearby(path)
    done = publish_log(path, keys, out)
    own = keys.for_origin(done.signed.origin)
    vkey = verifier_key(done.signed.origin, own.public_bytes_raw()) if own else ""
    if as_json:
        table = {
            "origin": done.signed.origin,
            "vkey": vkey,
            "checkpoint": {"size": done.signed.size, "root": done.signed.root.hex()},
            "files": done.files,
            "cameras": list(done.proofs),
        }
        typer.echo(json.dumps(table, ensure_ascii=True))
        return
    typer.echo(visible(f"log         {done.signed.origin}"))
    typer.echo(f"vkey        {vkey}")
    typer.echo(f"checkpoint  {done.signed.size} leaves, root {done.signed.root.hex()}")
    typer.echo(visible(f"published   {done.files} new files in {out}"))
    typer.echo(f"proofs      of {len(done.proofs)} cameras' logs")
