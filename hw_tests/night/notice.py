"""What somebody is told of a failed night, and the two ways there: mail, and a signed webhook.

Numbers and names of tests alone. A failing test's own words stay on the page: no plate and no
picture leaves the rig, not even a fictitious one.
"""

import base64
import hashlib
import hmac
import json
import secrets
import smtplib
import ssl
import stat
import time
import tomllib
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

from hw_tests.history.record import Run

WITHIN_S = 30.0
MOST_NAMES = 20
LOCAL = {"127.0.0.1", "localhost", "::1"}


class NoticeError(Exception):
    """The notice's file is wrong, or a notice was not taken; one line with the next step."""


@dataclass(frozen=True, slots=True)
class Notice:
    """`headline`: one line. `facts`: environment, commit, when. `failed`: names of tests."""

    headline: str
    facts: dict[str, str]
    failed: tuple[str, ...] = ()

    def text(self) -> str:
        """For a mail."""
        names = [f"  {name}" for name in self.failed[:MOST_NAMES]]
        if len(self.failed) > MOST_NAMES:
            names.append(f"  and {len(self.failed) - MOST_NAMES} more")
        facts = [f"{name}: {value}" for name, value in self.facts.items()]
        return "\n".join(
            [self.headline, "", *names, "", *facts, "", "The page on the rig says why."]
        )

    def body(self) -> bytes:
        """For a webhook: canonical JSON."""
        table = {"headline": self.headline, "failed": self.failed[:MOST_NAMES], **self.facts}
        return json.dumps(table, ensure_ascii=True, sort_keys=True).encode()


def notice_of(run: Run | None, ended: str) -> Notice | None:
    """`run`: the record of this night, None where there is none. `ended`: how pytest did. None:
    there is nothing to tell.
    """
    if run is None:
        return Notice(f"the rig's night left no record: pytest ended with {ended}", {})
    facts = {
        "environment": run.where["environment"],
        "sensor": run.where["sensor"],
        "commit": run.where["commit"],
        "began": run.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    failed = tuple(one.test for one in run.failed)
    if failed:
        passed = sum(one.outcome == "passed" for one in run.tests)
        told = f"the rig's night failed: {len(failed)} of {len(failed) + passed} tests"
        return Notice(told, facts, failed)
    if ended != "0":
        return Notice(f"the rig's night did not end well: pytest ended with {ended}", facts)
    return None


@dataclass(frozen=True, slots=True)
class Mail:
    """By a mail server. `starttls`: False only for one on this machine."""

    server: str
    port: int
    sender: str
    to: str
    starttls: bool = True
    user: str = ""
    password: str = ""

    def send(self, notice: Notice) -> None:
        """Raises NoticeError."""
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = notice.headline, self.sender, self.to
        mail.set_content(notice.text())
        try:
            with smtplib.SMTP(self.server, self.port, timeout=WITHIN_S) as server:
                if self.starttls:
                    server.starttls(context=ssl.create_default_context())
                if self.user:
                    server.login(self.user, self.password)
                server.send_message(mail)
        except (OSError, smtplib.SMTPException) as error:
            where = f"{self.server}:{self.port}"
            raise NoticeError(f"mail by {where}: {type(error).__name__}: {error}") from None


@dataclass(frozen=True, slots=True)
class Webhook:
    """A POST, signed as Standard Webhooks asks (`v1`, HMAC-SHA256), so that whoever takes it knows
    that the rig sent it, and when.
    """

    url: str
    secret: bytes

    def send(self, notice: Notice) -> None:
        """Raises NoticeError. Redirects are not followed: nobody listed their ends."""
        body, number, now = notice.body(), f"night_{secrets.token_hex(12)}", str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "platewarden-rig",
            "webhook-id": number,
            "webhook-timestamp": now,
            "webhook-signature": f"v1,{signature(self.secret, number, now, body)}",
        }
        request = urllib.request.Request(self.url, body, headers, method="POST")
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=WITHIN_S) as answer:
                answer.read(1)
        except (OSError, urllib.error.HTTPError, ValueError) as error:
            raise NoticeError(f"webhook: {type(error).__name__}: {error}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_given):
        return None


def signature(secret: bytes, number: str, at: str, body: bytes) -> str:
    """Base64 of the HMAC over `id.timestamp.body`."""
    signed = f"{number}.{at}.".encode() + body
    return base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def load(path: Path) -> list[Mail | Webhook]:
    """The ways of a notice's file. Raises NoticeError naming file and key."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NoticeError(f"{path}: {error}") from None
    if not table or table.keys() - {"mail", "webhook"}:
        raise NoticeError(f"{path}: holds [mail], [webhook], or both, and nothing else")
    ways: list[Mail | Webhook] = []
    if "mail" in table:
        ways.append(_mail(path, table["mail"]))
    if "webhook" in table:
        given = _known(path, "webhook", table["webhook"], {"url": str, "secret_file": str})
        url = urlsplit(given["url"])
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOCAL):
            raise NoticeError(f"{path}: webhook.url: write https://, or http:// to this machine")
        ways.append(Webhook(given["url"], _secret(path, given["secret_file"])))
    return ways


def _mail(path: Path, table: object) -> Mail:
    kinds = {"server": str, "port": int, "from": str, "to": str}
    more = {"starttls": bool, "user": str, "password_file": str}
    given = _known(path, "mail", table, kinds, more)
    if not given.get("starttls", True) and given["server"] not in LOCAL:
        raise NoticeError(f"{path}: mail.starttls = false is for a server on this machine only")
    password = _secret(path, given["password_file"]).decode() if "user" in given else ""
    return Mail(
        given["server"],
        given["port"],
        given["from"],
        given["to"],
        given.get("starttls", True),
        given.get("user", ""),
        password,
    )


def _known(
    path: Path,
    name: str,
    table: object,
    kinds: dict[str, type],
    more: dict[str, type] | None = None,
) -> dict:
    """Every key known and of its kind. Raises NoticeError."""
    both = {**kinds, **(more or {})}
    if not isinstance(table, dict):
        raise NoticeError(f"{path}: {name}: must be a table")
    if odd := sorted(table.keys() - both.keys()):
        raise NoticeError(f"{path}: {name}.{odd[0]}: unknown; known: {', '.join(both)}")
    if missing := [key for key in kinds if key not in table]:
        raise NoticeError(f"{path}: {name}.{missing[0]}: is missing")
    if "user" in table and "password_file" not in table:
        raise NoticeError(f"{path}: {name}.password_file: is missing")
    for key, value in table.items():
        if type(value) is not both[key]:
            raise NoticeError(f"{path}: {name}.{key}: must be {both[key].__name__}")
    return table


def _secret(path: Path, named: str) -> bytes:
    """One line that only its owner can read. Raises NoticeError."""
    file = path.parent / named
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise NoticeError(f"{file}: others can read it: chmod 600 {file}")
        secret = file.read_bytes().strip()
    except OSError as error:
        raise NoticeError(f"{file}: {error.strerror}") from None
    if len(secret) < 16:
        raise NoticeError(f"{file}: a secret has 16 characters or more")
    return secret
