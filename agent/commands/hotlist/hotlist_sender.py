"""Sends a list to the cameras: what `hotlist publish` and `hotlist remove --publish` share."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from agent.core.text.visible import visible
from agent.values import dataclass

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from agent.city.hotlist_publication import Sent


@dataclass(frozen=True, slots=True)
class Keys:
    """The options that name them, as typed."""

    key: str
    online_key: str
    passphrase_file: Path | None
    online_passphrase_file: Path | None

    def loaded(self) -> "tuple[Signer, Signer | None]":
        """The list's signer, and the online one where it was named. Raises what loading raises."""
        from agent.bundles.repository.signing_keys import load_signer
        from agent.city.passphrase import secret_from

        signer = load_signer(self.key, secret_from(self.passphrase_file))
        if not self.online_key:
            return signer, None
        secret = secret_from(self.online_passphrase_file or self.passphrase_file)
        return signer, load_signer(self.online_key, secret)


def send(
    city: Path, keys: "tuple[Signer, Signer | None]", on: str, *, whole: bool = False
) -> "Sent":
    """Publish the list that lies in the folder. `whole`: and no changes. Raises what `publish_list`
    raises.
    """
    from agent.city.city_lock import PATIENCE_S, only_writer
    from agent.city.hotlist_publication import publish_list
    from agent.city.moment import moment

    with only_writer(city, PATIENCE_S):
        return publish_list(city, *keys, lambda rig: moment(on, rig=rig), whole=whole)


def told_of(sent: "Sent", on: str) -> None:
    """What must not be overlooked, on stderr; ends the command with the exit code."""
    from agent.city.moment import moment

    if sent.stale_after <= moment(on, rig=True):
        print(
            f"platewarden: the list is stale: it was made at {sent.as_of:%Y-%m-%d %H:%M} UTC, and "
            "cameras match nothing with it. Import a newer one.",
            file=sys.stderr,
        )
    for line in sent.warnings():
        typer.echo(f"platewarden: {visible(line)}", err=True)
    raise typer.Exit(sent.exit_code)
