"""`platewarden bundle init`: founds a city's repository: who signs what, proposed to the holders,
who then sign it; or a whole throwaway city for a rig.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.city.city_lock import only_writer
from agent.city.moment import moment
from agent.city.passphrase import new_passphrase
from agent.commands.city_options import City, Json, On, PassphraseFile
from agent.core.text.visible import visible

if TYPE_CHECKING:
    from agent.city.founding import RootKey
    from agent.verifying.roster_check import RosterRoot

app = typer.Typer(add_completion=False)

Publics = list[Path] | None


@app.command()
def init(
    city: City,
    city_id: Annotated[
        str, typer.Option("--id", help="The city's id: a-z, 0-9, -. It never changes.")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="The city's name.")] = "",
    charter_signer: Annotated[
        Publics,
        typer.Option(
            "--charter-signer",
            help="Public file of one who signs root and targets (the charter). Three are usual.",
        ),
    ] = None,
    policy_signer: Annotated[
        Publics,
        typer.Option(
            "--policy-signer",
            help="Public file of one who signs policies and enrolments. Three are usual.",
        ),
    ] = None,
    online: Annotated[
        Publics, typer.Option("--online", help="Public file of the daily job's key.")
    ] = None,
    hotlist_owner: Annotated[
        Publics,
        typer.Option("--hotlist-owner", help="Public file of whoever publishes the hot list."),
    ] = None,
    recipient: Annotated[
        list[str] | None,
        typer.Option("--recipient", help="ID=FILE.pub: whose key signs that recipient's key list."),
    ] = None,
    threshold: Annotated[
        int,
        typer.Option(
            "--threshold",
            min=1,
            max=9,
            help="How many of the signers of charter, of policy and of root must sign.",
        ),
    ] = 2,
    roster_key: Annotated[
        Path | None,
        typer.Option(
            "--roster-key",
            help="Make the city's root key in this file. It signs the roster of cameras.",
        ),
    ] = None,
    root_signer: Annotated[
        Publics,
        typer.Option(
            "--root-signer",
            help="Or: public file of one who holds the city's root with others. Three are usual.",
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
    rig: Annotated[
        bool,
        typer.Option(
            "--rig",
            help="A throwaway city for a test rig, signed and published at once. All its keys "
            "are in rig-keys/. Real cameras refuse it.",
        ),
    ] = False,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Found a city's repository: who signs what. Its holders then sign it.

    With --rig it makes a whole throwaway city and publishes it at once.
    """
    from agent.bundles.layout import CityIdentity
    from agent.city.founding import Founding, found
    from agent.core.text.identifier import IDENTIFIER
    from agent.errors import UsageError

    if rig:
        from agent.city.rig_city import found_rig

        done = found_rig(city, city_id or "rig", name or "A test rig's city", moment(on, rig=True))
        _echo(done.table(), done.lines(), as_json=as_json)
        return
    if not IDENTIFIER.fullmatch(city_id) or not name.isprintable() or not 0 < len(name) <= 120:
        raise UsageError(
            "a city needs an id (a-z, 0-9, -) and a name",
            where="--id, --name",
            fix="--id exampleville --name 'City of Exampleville'",
        )
    founding = Founding.read(
        CityIdentity(city_id, name),
        charter_signer or (),
        policy_signer or (),
        online or (),
        hotlist_owner or (),
        recipient or (),
        threshold,
    )
    founding.require_free(city, roster_key)
    held = _root(roster_key, root_signer or (), threshold, passphrase_file)
    with only_writer(city):
        founding.require_free(city, roster_key)  # again: it was asked for without the lock
        proposed = found(city, founding, held, moment(on))
    _echo(proposed.table(), proposed.lines(), as_json=as_json)


def _root(
    roster_key: Path | None, signers: Sequence[Path], threshold: int, passphrase_file: Path | None
) -> "RootKey | RosterRoot":
    """Who signs the roster: a key that is made, or several that others hold."""
    from agent.city.founding import RootKey
    from agent.city.roster_signature import root_of
    from agent.errors import UsageError

    if roster_key is not None and not signers:
        return RootKey(roster_key, new_passphrase(str(roster_key), passphrase_file))
    if roster_key is None and signers:
        return root_of(signers, threshold, "--root-signer", "; a single one: --roster-key FILE")
    raise UsageError(
        "the roster of cameras needs one key, or several that others hold",
        where="--roster-key, --root-signer",
        fix="name a file that does not exist yet, or the public file of each holder; not both",
    )


def _echo(table: object, lines: Iterable[str], *, as_json: bool) -> None:
    typer.echo(json.dumps(table) if as_json else "\n".join(map(visible, lines)))
