"""Real servers on loopback that somebody rings, HTTPS and SMTP, which keep every byte that came;
and a recipient with ringers.
"""

import base64
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self

from agent.host.clock import SystemClock
from agent.receiver.intake import Intake
from agent.receiver.ringing.ring_round import RingRound, named_ringers
from agent.receiver.store.ring_queue import RingerState
from agent.receiver.workplace import Workplace
from tests.support.pki import Credentials
from tests.support.receiving import Enrolled, this_instant
from tests.support.sealed import RECIPIENT

HOST, ADDRESS = "ring.exampleville.example", "127.0.0.1"
SECRET = b"a secret of twenty-four bytes and more"
WHSEC = "whsec_" + base64.b64encode(SECRET).decode()


class RungServer:
    """Accepts connections one after the other. `heard`: of each, all that came, decrypted."""

    def __init__(
        self, talk: Callable[["Line"], None], credentials: Credentials, *, implicit: bool = True
    ) -> None:
        self._talk, self._implicit = talk, implicit
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(credentials.certificate, credentials.key)
        self.heard: list[bytes] = []
        self._socket = socket.create_server((ADDRESS, 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._socket.accept()
            except OSError:
                return
            with contextlib.suppress(OSError, EOFError):
                raw.settimeout(20)
                line = Line(self.tls.wrap_socket(raw, server_side=True) if self._implicit else raw)
                line.tls = self.tls
                try:
                    self._talk(line)
                finally:
                    self.heard.append(bytes(line.heard))
                    line.connection.close()

    def close(self) -> None:
        # closed alone, it would take one connection more: the thread waits in accept
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Line:
    """One connection. Raises EOFError at its end."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.heard, self._left = connection, bytearray(), b""
        self.tls: ssl.SSLContext | None = None
        self.secured = isinstance(connection, ssl.SSLSocket)

    def more(self) -> None:
        data = self.connection.recv(65_536)
        if not data:
            raise EOFError
        self.heard += data
        self._left += data

    def until(self, end: bytes) -> bytes:
        while end not in self._left:
            self.more()
        found, _, self._left = self._left.partition(end)
        return found

    def exactly(self, number: int) -> bytes:
        while len(self._left) < number:
            self.more()
        found, self._left = self._left[:number], self._left[number:]
        return found

    def say(self, words: bytes) -> None:
        self.connection.sendall(words)

    def secure(self) -> None:
        assert self.tls is not None
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.secured = True


class Endpoint:
    """Answers each POST with the next of `answers`, the last one again and again."""

    def __init__(self, *answers: int) -> None:
        self.answers, self.requests = list(answers) or [200], []

    def __call__(self, line: Line) -> None:
        head = line.until(b"\r\n\r\n").decode("ascii")
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        body = line.exactly(int(headers.get("content-length", "0")))
        self.requests.append((first, headers, body))
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        more = "Location: https://127.0.0.1:1/\r\n" if status == 302 else ""
        line.say(
            f"HTTP/1.1 {status} X\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )


class MailServer:
    """As much of SMTP as a client needs. `mails`: (from, to, text, secured); `login`: who it takes.
    `answer`: to the recipient's address.
    """

    def __init__(self, login: tuple[str, str] | None = None, answer: bytes = b"250 ok") -> None:
        self.mails, self.login, self.answer = [], login, answer
        self.logins: list[bytes] = []

    def __call__(self, line: Line) -> None:
        line.say(b"220 mail\r\n")
        sender, to = b"", []
        while True:
            said = line.until(b"\r\n")
            verb = said.split(b" ")[0].upper()
            if verb == b"EHLO":
                offers = [b"AUTH PLAIN"] if line.secured else [b"STARTTLS"]
                line.say(
                    b"".join(b"250-" + one + b"\r\n" for one in [b"mail", *offers])
                    + b"250 8BITMIME\r\n"
                )
            elif verb == b"STARTTLS":
                line.say(b"220 go\r\n")
                line.secure()
            elif verb == b"AUTH":
                self.logins.append(base64.b64decode(said.split(b" ")[2]))
                wanted = "\0".join(("", *(self.login or ()))).encode()
                line.say(b"235 ok\r\n" if self.logins[-1] == wanted else b"535 no\r\n")
            elif verb == b"MAIL":
                sender = said
                line.say(b"250 ok\r\n")
            elif verb == b"RCPT":
                to.append(said)
                line.say(self.answer + b"\r\n")
            elif verb == b"DATA":
                line.say(b"354 go\r\n")
                self.mails.append((sender, to, line.until(b"\r\n.\r\n"), line.secured))
                line.say(b"250 ok\r\n")
            elif verb == b"QUIT":
                line.say(b"221 bye\r\n")
                return
            else:
                line.say(b"250 ok\r\n")


def silent(line: Line) -> None:
    """Takes all, and says nothing."""
    while True:
        line.more()


class RingRig:
    """A recipient in `folder`, and the tables of ringers that ring real servers on loopback."""

    def __init__(self, folder: Path, ca: Path) -> None:
        self.folder, self._ca = folder, str(ca)

    def webhook(self, server: RungServer, name: str = "desk", **more: object) -> str:
        url = f"https://{HOST}:{server.port}/leads?to=desk"
        keys = {"url": url, "address": ADDRESS, "secret": "hook.secret", "ca": self._ca}
        return table("webhook", name=name, **{**keys, **more})

    def push(self, server: RungServer, name: str = "phone", **more: object) -> str:
        url = f"https://{HOST}:{server.port}/leads"
        keys = {"url": url, "address": ADDRESS, "ca": self._ca}
        return table("push", name=name, **{**keys, **more})

    def mail(self, server: RungServer, name: str = "post", **more: object) -> str:
        keys = {"host": HOST, "address": ADDRESS, "port": server.port, "ca": self._ca}
        keys |= {"sender": "camera@exampleville.example", "to": ["desk@exampleville.example"]}
        return table("mail", name=name, **{**keys, **more})

    @staticmethod
    def program(name: str = "lamp", command: Sequence[str] = ("/bin/true",), **more: object) -> str:
        return table("program", name=name, command=list(command), **more)

    def made(self, *tables: str) -> Enrolled:
        enrolled = with_ringers(self.folder, "\n".join(tables))
        secret(self.folder / "hook.secret", WHSEC)
        return enrolled


def table(kind: str, **keys: object) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return f"[[ring.{kind}]]\n" + "\n".join(lines) + "\n"


def rung(place: Workplace, said: list[str] | None = None) -> list[str]:
    """One turn of each ringer; what the operator was told."""
    said = [] if said is None else said
    with closing(place.store()) as store:
        for named in named_ringers(place.settings.ring, place.folder):
            RingRound(named, place.verifier(), SystemClock(), said.append).turn(store)
    return said


def state(place: Workplace, name: str) -> RingerState:
    with closing(place.store()) as store:
        return {one.ringer: one for one in store.rings.states()}[name]


def with_ringers(folder: Path, tables: str) -> Enrolled:
    """A recipient whose receiver.toml names these."""
    enrolled = Enrolled(folder)
    path = folder / "receiver.toml"
    path.write_text(path.read_text().split("# [broker]")[0] + tables)
    enrolled.place = Workplace(folder)
    return enrolled


def taken_in(enrolled: Enrolled, number: int = 1, place: Workplace | None = None) -> list[object]:
    """So many reads come in and are told, as `receiver run` does it."""
    place = place or enrolled.place
    with closing(place.store()) as store:
        intake = Intake(
            *(RECIPIENT, place.opener(), store, place.signer()), ringers=place.settings.ring.names
        )
        taken = intake.take_all([enrolled.seal().wire for _ in range(number)], this_instant())
        intake.told(taken)
        return taken


def secret(path: Path, text: str) -> str:
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path.name
