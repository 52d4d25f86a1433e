"""A real `receiver serve` process and somebody who signs in, for tests."""

import base64
import http.client
import json
import queue
import re
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from agent import cli
from agent.receiver.inbox.people.accounts import AccountFolder
from agent.receiver.intake import Intake
from agent.receiver.workplace import Workplace
from tests.support.receiving import WAIT_S, Enrolled, this_instant
from tests.support.sealed import DEVICE, RECIPIENT

PASSWORD, ORGANIZATION = "four fictitious words here", "Exampleville Police Department"
ROSTER = f"""city = "City of Exampleville"

[[camera]]
id = "{DEVICE}"
stands = "Main Street at 2nd Avenue"
near = []
mount = "fixed"
"""
TABLES = f"""
[inbox]
time_zone = "America/Los_Angeles"
places = "roster.toml"

[[inbox.position]]
camera = "{DEVICE}"
latitude = 38.1
longitude = -121.3
"""


@dataclass
class Answer:
    """`text`: of a page; `body`: its bytes."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def words(self) -> str:
        """What a person reads."""
        reader = _Words()
        reader.feed(self.text)
        return " ".join(" ".join(reader.found).split())

    @property
    def csrf(self) -> str:
        return re.search(r'name="csrf" value="([^"]+)"', self.text)[1]


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def desk(folder: Path, tables: str = TABLES, names: tuple[str, ...] = ("dora",)) -> Enrolled:
    """A recipient's folder with places and accounts."""
    enrolled = Enrolled(folder)
    path = folder / "receiver.toml"
    path.write_text(path.read_text().split("# [broker]")[0] + tables)
    (folder / "roster.toml").write_text(ROSTER)
    enrolled.place = Workplace(folder)
    for name in names:
        AccountFolder(folder).add(name, ORGANIZATION, PASSWORD, datetime.now(UTC))
    return enrolled


def come(enrolled: Enrolled, number: int = 1, days: int = 21) -> list[str]:
    """So many reads come in; their ids."""
    with closing(enrolled.place.store()) as store:
        intake = Intake(RECIPIENT, enrolled.place.opener(), store, enrolled.place.signer())
        wires = [enrolled.seal(days).wire for _ in range(number)]
        return [one.tags.read_id for one in intake.take_all(wires, this_instant())]


class Serving:
    """`receiver serve DIR` as a process; a context manager. `said`: its stderr."""

    def __init__(self, folder: Path, *options: str, ca: Path | None = None) -> None:
        command = [sys.executable, "-m", "agent", "receiver", "serve", str(folder)]
        listen = () if "--listen" in options else ("--listen", "127.0.0.1:0")
        self._ca = ca
        self.process = subprocess.Popen(
            [*command, *listen, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._pump, daemon=True).start()
        self.url = self._ready()
        self.port = int(self.url.rstrip("/").rpartition(":")[2])

    def _pump(self) -> None:
        for line in self.process.stdout:
            self.said.append(line)
            self._lines.put(line)
        self.process.stdout.close()
        self._lines.put("")

    def _ready(self) -> str:
        line = self._lines.get(timeout=WAIT_S)
        assert line.startswith("READY"), self.said
        return line.split()[2]

    def ask(
        self, method: str, path: str, form: dict[str, str] | None = None, **headers: str
    ) -> Answer:
        """One request on a connection of its own."""
        if self._ca:
            context = ssl.create_default_context(cafile=str(self._ca))
            made = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)
        else:
            made = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        head = {name.replace("_", "-"): value for name, value in headers.items()}
        body = None
        if form is not None:
            body = urlencode(form)
            head.setdefault("Content-Type", "application/x-www-form-urlencoded")
        try:
            made.request(method, path, body, head)
            got = made.getresponse()
            return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
        finally:
            made.close()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(WAIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(WAIT_S)


def code_of(folder: Path, name: str = "dora", step: int = 0) -> str:
    """The six digits that an authenticator shows now, or so many half minutes later."""
    table = json.loads((folder / "accounts" / f"{name}.json").read_text())
    made = TOTP(base64.b32decode(table["totp"]), 6, SHA1(), 30)
    return made.generate(int(time.time()) + 30 * step).decode()


def records(folder: Path) -> list[dict[str, str]]:
    """What the access log says, oldest first: read with the writer still at work."""
    path = folder / "access-log" / "log.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as log:
        return [json.loads(row[0]) for row in log.execute("SELECT details FROM leaf ORDER BY n")]


def typed(capsys, *words: object) -> tuple[int, str, str]:
    """`receiver account …`: exit code, stdout, stderr."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["receiver", "account", *map(str, words)])
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


class Person:
    """Signs in, and asks as a browser would."""

    def __init__(self, serving: Serving, folder: Path, name: str = "dora", step: int = 0) -> None:
        self._serving = serving
        form = {"name": name, "password": PASSWORD, "code": code_of(folder, name, step)}
        got = serving.ask("POST", "/sign-in", form)
        assert got.status == 303, got.words
        self.cookie = got.headers["set-cookie"]
        self._cookie = self.cookie.partition(";")[0]

    def get(self, path: str = "/") -> Answer:
        return self._serving.ask("GET", path, Cookie=self._cookie)

    def post(self, path: str, csrf: str | None = None, **form: str) -> Answer:
        """Follows back to the lead."""
        csrf = csrf if csrf is not None else self.get().csrf
        got = self._serving.ask("POST", path, {"csrf": csrf, **form}, Cookie=self._cookie)
        return self.get(got.headers["location"]) if got.status == 303 else got
