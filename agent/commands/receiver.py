"""`platewarden receiver`: the recipients' side. Receives and keeps sealed reads, opens one for a
person who may see it, destroys keys on their day.
"""

import json
import resource
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent.core.policy.policy import TEST
from agent.core.reasons import Reason
from agent.core.text.encoding import b64url
from agent.core.text.rfc3339 import rfc3339
from agent.disk.atomic_file import write_atomic
from agent.errors import EnvelopeRefusedError, RefusedError, UsageError
from agent.host.clock import SystemClock, TrustedClock
from agent.receiver import display, receiver_status
from agent.receiver.connection import Connection
from agent.receiver.intake import Intake, Taken
from agent.receiver.opener import OpenedRead, Opener
from agent.receiver.received_reads import ReceivedReads, StoredRead
from agent.receiver.receiver_settings import BrokerSettings
from agent.receiver.service import Service, Voice
from agent.receiver.workplace import KEY_LIST, Workplace

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Receive, keep and open sealed reads (for the people whom a policy names).",
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The receiver's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def init(
    folder: Folder,
    recipient: Annotated[str, typer.Option("--recipient", help="Your id in the city's policy.")],
    host: Annotated[
        str | None, typer.Option("--host", help="The broker's name in its certificate.")
    ] = None,
    address: Annotated[
        str | None, typer.Option("--address", help="The broker's IP address.")
    ] = None,
    port: Annotated[int, typer.Option("--port", help="The broker's port.")] = 8883,
    ca: Annotated[
        Path, typer.Option("--ca", help="The broker's CA certificate (PEM), relative to DIR.")
    ] = Path("broker-ca.pem"),
) -> None:
    """Make a receiver's folder: signing key, epoch keys, key list, receiver.toml."""
    if (host is None) != (address is None):
        raise UsageError(
            "--host and --address come together", fix="give both, or neither and edit receiver.toml"
        )
    try:
        broker = (
            BrokerSettings(host=host, address=address, port=port, ca=ca)
            if host is not None and address is not None
            else None
        )
    except ValueError:
        raise UsageError(
            "--host must be a host name and --address an IP address",
            fix="the address is dialled as it stands: no DNS",
        ) from None
    place = Workplace.create(folder, recipient, SystemClock().now(), broker)
    TrustedClock(folder).attest()
    typer.echo(
        f'signing_key = "{b64url(place.signer().public_key)}"   # for your [[recipient]] in the '
        "city's policy"
    )
    typer.echo(
        f"Give {folder / KEY_LIST} to the city, put its root.json and roster.jws into {folder}, "
        f"and leave {folder / 'epochs'} out of every backup."
    )


@app.command()
def run(folder: Folder, as_json: Json = False) -> None:  # typer makes a flag of it
    """Receive until SIGTERM: verify, store sealed, send receipts. Prints READY to stderr when
    subscribed.
    """
    _no_core_dumps()
    place, clock = Workplace(folder), TrustedClock(folder)
    broker = place.broker()
    with place.locked():
        store = place.store()
        try:
            store.recover()
            intake = Intake(place.recipient, place.opener(), store, place.signer())
            voice = Voice(tell=_tell, taken=_print_json if as_json else _print_taken)
            service = Service(
                Connection(folder, broker, place.recipient), intake, place, clock, voice
            )
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda _number, _frame: service.stop())
            service.run(
                f"READY {place.recipient}: subscribed at {broker.host} "
                f"({broker.address}:{broker.port})"
            )
        finally:
            store.close()


@app.command(name="open")
def open_(
    folder: Folder,
    read_id: Annotated[
        str | None,
        typer.Argument(help="Which read; without it, all that are stored, in order of arrival."),
    ] = None,
    as_json: Json = False,  # typer makes a flag of it
    crop: Annotated[
        Path | None, typer.Option("--crop", help="Save the picture (JPEG) here; needs one read.")
    ] = None,
) -> None:
    """Decrypt and show a stored read. What it shows is a lead, never a fact."""
    _no_core_dumps()
    place = Workplace(folder)
    opener, store = place.opener(), place.store()
    try:
        rows = store.reads(read_id)
        if read_id is not None and not rows:
            raise UsageError(
                "no such read is stored here",
                where=folder / "store",
                fix=f"`platewarden receiver open {folder}` shows all",
            )
        if crop is not None and len(rows) != 1:
            raise UsageError(
                f"--crop needs one read, {len(rows)} are stored",
                fix="name it: receiver open DIR READ_ID --crop FILE",
            )
        refused: list[RefusedError] = []
        for row in rows:
            try:
                opened = _open_row(opener, store, row)
            except RefusedError as error:
                # the others can still be shown; the first refusal is reported at the end
                refused.append(error)
                continue
            typer.echo(json.dumps(display.as_json(opened)) if as_json else display.as_text(opened))
            _save_crop(opened, crop)
        if refused:
            raise refused[0]
    finally:
        store.close()


@app.command()
def status(folder: Folder, as_json: Json = False) -> None:  # typer makes a flag of it
    """Reads held, numbers that never came, epoch keys and their end."""
    table = receiver_status.status(Workplace(folder), SystemClock().now())
    table["clock"] = TrustedClock(folder, keep=False).explain()
    typer.echo(json.dumps(table) if as_json else receiver_status.as_text(table))


@app.command()
def keys(folder: Folder) -> None:
    """Destroy the keys and reads that are due, make new keys, sign key-list.jws."""
    place = Workplace(folder)
    now = TrustedClock(folder).now()
    for line in place.tidy(now):
        typer.echo(line)
    listed = place.renew_keys(now)
    typer.echo(
        f"{folder / KEY_LIST}: {len(listed.keys)} epochs, {min(listed.keys).isoformat()} to "
        f"{max(listed.keys).isoformat()}, issued {rfc3339(now.utc)}"
    )
    typer.echo(f'signing_key = "{b64url(place.signer().public_key)}"')


def _open_row(opener: Opener, store: ReceivedReads, row: StoredRead) -> OpenedRead:
    opened = opener.open(store.wire(row))
    if (opened.tags.device, opened.tags.read_id) != (row.device, row.read_id):
        raise EnvelopeRefusedError(
            Reason.MALFORMED,
            "the file holds another read than its name says",
            where=f"read {row.read_id}",
        )
    return opened


def _no_core_dumps() -> None:
    """A crash must not write opened reads or keys to disk (P9)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_taken(taken: Taken) -> None:
    if taken.tags is None:
        _tell(f"{taken.outcome}: a message that no enrolled camera signed")
    else:
        test = "TEST received, " if taken.tags.category == TEST else ""
        _tell(
            f"{test}{taken.outcome}{'' if taken.new or taken.outcome != 'stored' else ' already'}: "
            f"read {taken.tags.read_id}, camera {taken.tags.device}, number {taken.tags.sequence}"
        )


def _print_json(taken: Taken) -> None:
    if taken.new and taken.tags is not None:
        line = {
            "read": taken.tags.read_id,
            "device": taken.tags.device,
            "seq": taken.tags.sequence,
            "match": taken.tags.match.value,
        }
        line |= {"test": True} if taken.tags.category == TEST else {}
        print(json.dumps(line), flush=True)
    else:
        _print_taken(taken)


def _save_crop(opened: OpenedRead, path: Path | None) -> None:
    if path is None:
        return
    if opened.crop is None:
        raise UsageError(
            "this read carries no picture",
            where=f"read {opened.tags.read_id}",
            fix="leave --crop out",
        )
    write_atomic(path, opened.crop)
