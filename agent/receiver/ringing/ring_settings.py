"""`[ring]` in receiver.toml: who is rung when a lead waits, where, and how much is told."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from agent.core.text.schema.notes import By, Length, named
from agent.core.text.schema.section import Section, made
from agent.receiver.setting_fields import Address, FilePath, Host, Port

MOST_RINGERS = 8
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
_PATH = re.compile(r"[!-~]{1,400}")
_WORD = re.compile(r"[ -~]{1,400}")

Tells = Literal["count", "camera", "category"]


def as_url(value: object) -> object:
    """An https URL; a password in it would be copied with this file."""
    if not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme != "https" or not parts.hostname or port == 0 or not _PATH.fullmatch(value):
        raise ValueError("no https URL | write all of it: https, the host, the path")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("holds a password or a # | keep secrets in a file of their own")
    return value


def as_mailbox(value: object) -> object:
    """A bare address: no name, no list, no line feed that would begin another header."""
    if isinstance(value, str) and not _MAILBOX.fullmatch(value):
        raise ValueError(f"{value[:40]!a} is no e-mail address | write desk@exampleville.gov")
    return value


def as_word(value: object) -> object:
    """One word of a command."""
    if isinstance(value, str) and not _WORD.fullmatch(value):
        raise ValueError("holds what is not printable, or nothing | use printable ASCII")
    return value


Name = Annotated[str, named(_NAME, "ringer's name", "use a-z, 0-9 and -, at most 24 characters")]
Url = Annotated[str, By(as_url)]
Mailbox = Annotated[str, By(as_mailbox)]
Word = Annotated[str, By(as_word)]


class WebhookSettings(Section):
    """[[ring.webhook]]: an https endpoint of yours. `secret`: a file with whsec_… or whsk_…;
    `address`: what is dialled; `ca`: the only authority that is believed, else the system's.
    """

    name: Name
    url: Url
    address: Address
    secret: FilePath
    ca: FilePath | None = None
    tells: Tells = "camera"


class PushSettings(Section):
    """[[ring.push]]: a topic of an ntfy server. `token`: a file with its access token."""

    name: Name
    url: Url
    address: Address
    token: FilePath | None = None
    ca: FilePath | None = None
    tells: Tells = "count"


class MailSettings(Section):
    """[[ring.mail]]: a mail server, always by TLS. `security`: from the first byte (`tls`), or
    before anything else is said (`starttls`). `password`: a file.
    """

    name: Name
    host: Host
    address: Address
    port: Port = 465
    security: Literal["tls", "starttls"] = "tls"
    sender: Mailbox
    to: Annotated[list[Mailbox], Length(1, 16)]
    user: Word | None = None
    password: FilePath | None = None
    ca: FilePath | None = None
    tells: Tells = "camera"

    def together(self) -> None:
        """A user comes with a password."""
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password come together | give both, or neither")


class ProgramSettings(Section):
    """[[ring.program]]: a program on this machine, with the message as JSON on its stdin."""

    name: Name
    command: Annotated[list[Word], Length(1, 16)]
    tells: Tells = "camera"

    def together(self) -> None:
        """The command begins at the root."""
        if not Path(self.command[0]).is_absolute():
            raise ValueError("command begins with no whole path | write /usr/local/bin/PROGRAM")


class DesktopSettings(Section):
    """[[ring.desktop]]: the screen of whoever runs `receiver ring`."""

    name: Name
    tells: Tells = "count"


RingerSettings = WebhookSettings | PushSettings | MailSettings | ProgramSettings | DesktopSettings


class RingSettings(Section):
    """[ring]: all of them, each with its own name."""

    webhook: list[WebhookSettings] = made(default_factory=list)
    push: list[PushSettings] = made(default_factory=list)
    mail: list[MailSettings] = made(default_factory=list)
    program: list[ProgramSettings] = made(default_factory=list)
    desktop: list[DesktopSettings] = made(default_factory=list)

    def together(self) -> None:
        """Each ringer has its own name."""
        names = self.names
        if len(names) > MOST_RINGERS:
            raise ValueError(f"{len(names)} ringers | at most {MOST_RINGERS}")
        if len(set(names)) != len(names):
            raise ValueError("two ringers have one name | name each its own way")

    @property
    def all(self) -> Sequence[RingerSettings]:
        """Every one of them."""
        return (*self.webhook, *self.push, *self.mail, *self.program, *self.desktop)

    @property
    def names(self) -> Sequence[str]:
        """As they stand in the store."""
        return tuple(one.name for one in self.all)

    def tables(self) -> Iterator[tuple[str, Sequence[tuple[str, object]]]]:
        """Each one's kind, and its keys with their values, as they are written."""
        for kind in self.own_fields():
            for one in getattr(self, kind):
                yield kind, [(key, value) for key, value in vars(one).items() if value is not None]
