"""The ways to ring, each made from its settings; each raises NetworkError where nobody can
have heard it.
"""

import os
import smtplib
import socket
import time
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent.disk.private_file import read_private
from agent.errors import ConfigError, NetworkError, StorageError
from agent.receiver.ringing import webhook_signature
from agent.receiver.ringing.child import run_to_end
from agent.receiver.ringing.desktop import Desktop
from agent.receiver.ringing.dial import (
    RING_S,
    Endpoint,
    endpoint_of,
    faults_in_words,
    post,
    time_limit,
    tls_context,
)
from agent.receiver.ringing.ring_settings import (
    DesktopSettings,
    MailSettings,
    ProgramSettings,
    PushSettings,
    RingerSettings,
    WebhookSettings,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from agent.receiver.ringing.message import Notice

AGENT = "platewarden"


class Ringer(Protocol):
    """Rings once. Raises NetworkError."""

    def ring(self, message: "Notice") -> None: ...


def ringer_of(settings: RingerSettings, folder: Path) -> Ringer:
    """Paths are relative to the receiver's `folder`. Raises ConfigError, StorageError."""
    if isinstance(settings, WebhookSettings):
        return Webhook(settings, folder)
    if isinstance(settings, PushSettings):
        return Push(settings, folder)
    if isinstance(settings, MailSettings):
        return Mail(settings, folder)
    if isinstance(settings, DesktopSettings):
        return Desktop()
    return Program(settings)


class Webhook:
    """A signed POST of JSON (webhook_signature.py)."""

    def __init__(self, settings: WebhookSettings, folder: Path) -> None:
        self._url = settings.url
        self._sign = webhook_signature.signing(folder / settings.secret)
        self._endpoint = endpoint_of(settings.url, settings.address, _ca(settings.ca, folder))

    def ring(self, message: "Notice") -> None:
        body = message.body()
        signed = webhook_signature.headers(self._sign, message.id, int(time.time()), body)
        more = {"Content-Type": "application/json", "User-Agent": AGENT}
        post(self._endpoint, self._url, body, {**signed, **more})


class Push:
    """A POST of one sentence to a topic, as ntfy takes it (https://docs.ntfy.sh/publish)."""

    def __init__(self, settings: PushSettings, folder: Path) -> None:
        self._url = settings.url
        self._token = _secret(folder / settings.token) if settings.token else None
        self._endpoint = endpoint_of(settings.url, settings.address, _ca(settings.ca, folder))

    def ring(self, message: "Notice") -> None:
        headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": AGENT}
        headers |= {"Title": message.title(), "Priority": "high" if message.urgent else "default"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        post(self._endpoint, self._url, message.sentence().encode(), headers)


class Mail:
    """A mail, and nothing without TLS."""

    def __init__(self, settings: MailSettings, folder: Path) -> None:
        self._settings = settings
        self._password = _secret(folder / settings.password) if settings.password else None
        self._endpoint = Endpoint(
            settings.host, settings.address, settings.port, tls_context(_ca(settings.ca, folder))
        )

    def ring(self, message: "Notice") -> None:
        mail, settings = EmailMessage(), self._settings
        mail["From"], mail["To"] = settings.sender, ", ".join(settings.to)
        mail["Subject"], mail["Date"] = message.title(), format_datetime(message.at)
        mail["Message-ID"] = f"<{message.id}@{settings.sender.partition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer is wanted
        mail.set_content(message.sentence())
        server = _MailServer(self._endpoint, implicit=settings.security == "tls")
        try:
            with faults_in_words(), _answers_in_words(), time_limit(lambda: server.sock):
                self._send(server, mail)
        finally:
            server.close()

    def _send(self, server: "_MailServer", mail: EmailMessage) -> None:
        settings, name = self._settings, self._endpoint.host
        code, _ = server.connect(name, settings.port)
        if code != 220:
            raise NetworkError(f"answered {code}")
        if settings.security == "starttls":
            server.starttls(context=self._endpoint.tls)
        if settings.user is not None and self._password is not None:
            server.login(settings.user, self._password)
        server.send_message(mail, settings.sender, settings.to)
        server.quit()


class _MailServer(smtplib.SMTP):
    """As smtplib's, dialled at the endpoint's address; says no name of this machine."""

    def __init__(self, endpoint: Endpoint, *, implicit: bool) -> None:
        super().__init__(local_hostname="localhost", timeout=RING_S)
        self._endpoint, self._implicit = endpoint, implicit
        self._host = endpoint.host  # which STARTTLS verifies

    def _get_socket(self, _host: str, _port: int, _timeout: float) -> socket.socket:
        if not self._implicit:
            return socket.create_connection((self._endpoint.address, self._endpoint.port), RING_S)
        made: list[ssl.SSLSocket] = []

        def secured(wrapped: "ssl.SSLSocket") -> None:
            self.sock = wrapped
            made.append(wrapped)

        self._endpoint.connect(secured)
        return made[0]


class Program:
    """A program of this machine's: no shell, the message on its stdin, an end."""

    def __init__(self, settings: ProgramSettings) -> None:
        self._command = settings.command
        if not os.access(self._command[0], os.X_OK):
            raise ConfigError(
                "is no program that this user may start",
                where=self._command[0],
                fix=f"correct command of the ringer {settings.name}",
            )

    def ring(self, message: "Notice") -> None:
        code = run_to_end(self._command, message.body(), {})
        if code:
            raise NetworkError(f"ended with {code}")


@contextmanager
def _answers_in_words() -> "Iterator[None]":
    """What a mail server refuses; its own words may repeat ours, and are left out."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        raise NetworkError(f"answered {error.smtp_code}") from None
    except smtplib.SMTPRecipientsRefused:
        raise NetworkError("refused every address") from None
    except smtplib.SMTPServerDisconnected:
        raise NetworkError("hung up") from None
    except smtplib.SMTPException as error:
        raise NetworkError(f"speaks no sound SMTP ({type(error).__name__})") from None


def _ca(ca: Path | None, folder: Path) -> Path | None:
    return folder / ca if ca is not None else None


def _secret(path: Path) -> str:
    """One line of printable ASCII. Raises StorageError."""
    text = read_private(path).decode("ascii", "replace").strip()
    if not text or not text.isprintable() or not text.isascii():
        raise StorageError(
            "holds no secret", where=path, fix="write it on one line, in printable ASCII"
        )
    return text
