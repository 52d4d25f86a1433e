"""`platewarden bundle key`: a holder's own signing key, and its public half for the others."""

from pathlib import Path
from typing import Annotated

import typer

from agent.city.passphrase import new_passphrase, secret_from
from agent.commands.city_options import KEYID_SHOWN, PassphraseFile

app = typer.Typer(add_completion=False)


@app.command()
def key(
    name: Annotated[
        Path,
        typer.Argument(
            help="What the files are called. NAME.pem stays with you. NAME.pub is for the others."
        ),
    ],
    holder: Annotated[
        str,
        typer.Option(
            "--holder",
            help="Who holds it: a person or an office. Cameras and logs name the signer so.",
        ),
    ],
    existing: Annotated[
        str,
        typer.Option(
            "--from",
            help="Make no key. Write only NAME.pub for this one: a PEM file, or a token's "
            "pkcs11:token=LABEL;id=%02?module-path=….so.",
        ),
    ] = "",
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a signing key, encrypted, and its public half for the others."""
    from securesystemslib.signer import SSlibKey

    from agent.bundles.repository.signing_keys import format_public, load_signer, make_key, named
    from agent.disk.atomic_file import write_new
    from agent.errors import UsageError

    private, public = name.with_name(f"{name.name}.pem"), name.with_name(f"{name.name}.pub")
    for path in (public,) if existing else (private, public):
        if path.exists():
            raise UsageError(
                "is there already, and is not overwritten", where=path, fix="choose another name"
            )
    if existing:
        signer = load_signer(existing, secret_from(passphrase_file))
        listed = signer.public_key
        assert isinstance(listed, SSlibKey)  # noqa: S101 (both kinds of signers carry one)
        owned = named(listed, holder)
        write_new(public, format_public(owned), 0o644)
        typer.echo(
            f"{public}: give it to whoever runs `bundle init` or `bundle rotate`. The private "
            "key stays where it is."
        )
        typer.echo(_told(owned.id))
        return
    passphrase = new_passphrase(str(private), passphrase_file)
    made = make_key(private, passphrase, holder)
    write_new(public, format_public(made), 0o644)
    typer.echo(f"{public}: give it to whoever runs `bundle init` or `bundle rotate`.")
    typer.echo(_told(made.id))
    typer.echo(
        f"{private}: keep it, with a copy in a safe; nobody can restore it or its passphrase."
    )


def _told(keyid: str) -> str:
    return (
        f"Key id {keyid[:KEYID_SHOWN]}: write it down, and read it to the others yourself. "
        "`bundle sign` and `bundle show` name keys so."
    )
