"""`platewarden audit prove`: proves a leaf, or that a log has only grown, to somebody who does not
have the log.
"""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.audit.audit_options import Keys, Root
from agent.errors import UsageError

app = typer.Typer(add_completion=False)


@app.command()
def prove(
    path: Annotated[Path, typer.Argument(help="A log's folder, or its log.sqlite.")],
    leaf: Annotated[
        int | None, typer.Option(min=0, help="Prove this leaf, and what it says.")
    ] = None,
    grown: Annotated[
        bool, typer.Option("--grown", help="Prove that the log has only grown since --checkpoint.")
    ] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A kept checkpoint, instead of the log's newest; needed for --grown."),
    ] = None,
    under: Annotated[
        Path | None,
        typer.Option(
            help="Prove the leaf under the checkpoint that this proof of the city's log tells of "
            "(cameras/NAME.tlog-proof of `audit publish`)."
        ),
    ] = None,
    key: Keys = None,
    root: Root = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write it there (NAME.tlog-proof), not to the screen."),
    ] = None,
) -> None:
    """Prove a leaf (C2SP tlog-proof), or that nothing before a checkpoint was changed.

    `audit check-proof` checks it. The proof shows this one leaf to whoever has it.
    """
    from agent.audit.proofs.camera_in_city import told_checkpoint
    from agent.audit.proofs.proof_maker import ProofMaker
    from agent.audit.trusted_keys import keys_nearby, keys_of
    from agent.core.log.tlog_proof import format_proof
    from agent.disk.atomic_file import write_atomic

    if under is not None and (leaf is None or checkpoint is not None):
        raise UsageError("--under is for one leaf", fix="give --leaf NUMBER, and no --checkpoint")
    if (leaf is None) is not grown or (grown and checkpoint is None):
        raise UsageError(
            "say what to prove", fix="give --leaf NUMBER, or --grown with --checkpoint FILE"
        )
    maker = ProofMaker(path, keys_of(key, root) if key else keys_nearby(path))
    if leaf is not None and under is not None:
        stored = maker.stored(told_checkpoint(under).size)
        data = format_proof(maker.inclusion_under(leaf, *stored))
    elif leaf is not None:
        data = format_proof(maker.inclusion(leaf, checkpoint))
    else:
        assert checkpoint is not None  # noqa: S101 (for mypy: looked at above)
        data = format_proof(maker.consistency(checkpoint))
    if out is None:
        typer.echo(data.decode(), nl=False)
    else:
        write_atomic(out, data, 0o644)
        typer.echo(f"written: {out}")
